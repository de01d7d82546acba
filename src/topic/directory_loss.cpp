// What is said of files that were shortened while they were in use.
#include "topic/directory.hpp"

namespace signalbox::topic {

Error shortened(const std::string& path) noexcept {
  return signalbox::detail::explained(Errc::damaged, [&]() -> Error {
    return {Errc::damaged,
            0,
            {},
            "cannot go on with " + path +
                ": another process shortened the file while it was in use, and what was in it is "
                "lost. Close what was opened with it; open the topic anew once the file is gone."};
  });
}

Result<void> TopicDirectory::check_whole(const os::Mapping& own,
                                         const std::string& own_file) const noexcept {
  if (!bell_.is_lost() && !own.is_lost()) return {};
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    return std::unexpected(
        shortened(path_of(bell_.is_lost() ? std::string(bell_file_name) : own_file)));
  });
}

}  // namespace signalbox::topic
