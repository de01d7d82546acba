#include "signalbox/os/sysv_key.hpp"

#include <sys/ipc.h>

#include <cerrno>

#include "base/text.hpp"
#include "os/failure.hpp"

namespace signalbox::os {

Result<SysvKey> SysvKey::of_file(const std::string& path, std::uint8_t project) {
  return detail::or_out_of_memory([&]() -> Result<SysvKey> {
    const std::string tried = "make a key of file " + path;
    if (project == 0) {
      return std::unexpected(Error{
          Errc::bad_argument, 0, {}, "cannot " + tried + ": its project is 0; use 1 to 255."});
    }
    if (holds_zero(path)) {
      return std::unexpected(zero_inside(Errc::bad_name, "make a key of file", path));
    }
    errno = 0;  // -1 is a key like any other
    const key_t key = ::ftok(path.c_str(), project);
    if (key == -1 && errno != 0) {
      return std::unexpected(failure(errno, "ftok", tried, code_of(errno),
                                     "All who share a key name one existing file."));
    }
    return SysvKey(key);
  });
}

}  // namespace signalbox::os
