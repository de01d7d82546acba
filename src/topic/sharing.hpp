// sharing.hpp: who may use a domain: its owner alone, or a group, as the mode of its directory
// says.
//
// What we create is for the owner: directories 0700, files 0600. A domain's directory that somebody
// made with all rights for its group (mkdir -m 2770) and none to write for others is shared with
// that group: everything in it then belongs to the group, directories 2770, files 0660.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <optional>
#include <string>

#include "os/file.hpp"
#include "topic/place.hpp"

namespace signalbox::topic {

struct Sharing {
  os::Rights files{.mode = 0600};
  os::Rights directories{.mode = 0700};
  std::optional<std::uint32_t> group{};  // with whom; empty: with nobody
};

// Of a domain whose directory has these facts.
Sharing sharing_of(const os::FileFacts& domain) noexcept;
// Of the domain at this path; a missing directory will be its maker's alone.
Sharing sharing_of(const std::string& domain_path);

// Makes the default root where it is missing, and refuses one that somebody else planted there. A
// root that the user named is his affair.
Result<void> make_root(const Place& place);

}  // namespace signalbox::topic
