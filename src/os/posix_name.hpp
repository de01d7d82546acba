// posix_name.hpp: what POSIX semaphores and queues may be called.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  the kernel's
#pragma once

#include <string>

#include "base/text.hpp"

namespace signalbox::os {

// A slash, something behind it, and no other. Asked before the C library sees the name, which takes
// some that are not like this for others. Whether it is too long, the kernel says.
inline bool is_posix_name(const std::string& name) noexcept {
  return name.size() > 1 && name.front() == '/' && name.find('/', 1) == std::string::npos &&
         !holds_zero(name);
}

}  // namespace signalbox::os
