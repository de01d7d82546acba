#include "topic/sharing.hpp"

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

}  // namespace signalbox::topic
