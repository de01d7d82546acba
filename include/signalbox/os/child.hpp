// os/child.hpp: a child process that tells when it has ended.
//
// It names the process and never a number that might be another's by now.
//
//   Lives     as long as you keep it; it neither starts nor ends the child
//   Threads   one thread at a time
//   Crash     the child goes on, and belongs to init
//   Fork      a child of yours cannot take its sibling's end
//   Limits    RLIMIT_NOFILE; Linux 5.4
//   Pollable  yes
//   Manual    pidfd_open(2) waitid(2)
#pragma once

#include <cstdint>
#include <optional>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

struct ChildEnd {
  bool by_signal;  // killed, and not ended by itself
  int status;      // the exit status, or the signal's number
};

class Child {
 public:
  // Watches a child that this process started and nobody has waited for.
  // Errors: not_found (no such process), limit_reached (descriptors), not_supported, system.
  static Result<Child> watch(int pid);

  // How it ended, once: the process is reaped and its number free. Empty: it still runs.
  // Errors: not_found (taken already, or no child of this process), system. Enters the kernel.
  Result<std::optional<ChildEnd>> take();

  // Ready once it has ended, and until the Child is destroyed: end the watch after take().
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }

 private:
  Fd fd_;
};

}  // namespace signalbox::os
