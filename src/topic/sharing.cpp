#include "topic/sharing.hpp"

#include "os/process.hpp"

namespace signalbox::topic {

Sharing sharing_of(const os::FileFacts& domain) noexcept {
  constexpr unsigned group_may_all = 0070;
  constexpr unsigned others_may_write = 0002;
  const bool is_shared = domain.is_directory && (domain.mode & group_may_all) == group_may_all &&
                         (domain.mode & others_may_write) == 0;
  if (!is_shared) return {};
  return {.files = {.mode = 0660, .group = domain.group},
          .directories = {.mode = 02770, .group = domain.group},
          .group = domain.group};
}

Sharing sharing_of(const std::string& domain_path) {
  const os::Fd anywhere;
  const auto facts = os::facts_of(anywhere, domain_path);
  return facts ? sharing_of(*facts) : Sharing{};
}

// /dev/shm is everybody's: a root that somebody else planted there, or a link, is not to be used.
Result<void> make_root(const Place& place) {
  if (!place.root_is_ours) return {};
  if (auto made = os::make_directories(place.root, Sharing{}.directories); !made) return made;
  os::Fd anywhere;
  const auto facts = os::facts_of(anywhere, place.root);
  if (!facts) return {};  // somebody is removing it: the next step finds out
  const std::uint32_t us = os::identity_of_this_process().uid;
  // An administrator may have made it for a group, as root.
  const bool is_made_for_a_group = facts->owner == 0 && sharing_of(*facts).group.has_value();
  if (facts->is_directory && (facts->owner == us || is_made_for_a_group)) return {};
  return std::unexpected(
      Error{Errc::permission_denied,
            0,
            {},
            "cannot use " + place.root + ": it " +
                (facts->is_directory ? "belongs" : "is no directory and belongs") + " to uid " +
                std::to_string(facts->owner) + ", this process is uid " + std::to_string(us) +
                ". Set SIGNALBOX_DIR to a directory of yours."});
}

}  // namespace signalbox::topic
