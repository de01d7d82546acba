// os/signals.hpp: signals as messages that are taken, instead of handlers that interrupt.
//
//   Lives     until it is destroyed; the signals stay blocked then, because one that arrived late
//             would end the process at that moment
//   Threads   block() changes the calling thread and those it starts later: call it in main()
//   before
//             others start. take() by one thread at a time
//   Crash     nothing to lose
//   Fork      a child inherits the blocked signals, also through exec; there this object takes the
//             child's own
//   Limits    RLIMIT_NOFILE; of several equal signals that are pending only one is kept
//   Pollable  yes
//   Manual    signalfd(2) signal(7) sigprocmask(2)
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

struct Signal {
  int number;         // SIGTERM, SIGINT, ...
  std::uint32_t pid;  // who sent it; 0: the kernel, or a process of another pid name space
  std::uint32_t uid;  // whose process that was
};

class Signals {
 public:
  // From now on these signals wait to be taken here. SIGKILL and SIGSTOP cannot be, and are
  // ignored. Errors: bad_argument (no such signal), limit_reached (descriptors), system.
  static Result<Signals> block(std::initializer_list<int> numbers);

  // The next signal that came; empty: none. Enters the kernel.
  std::optional<Signal> take() noexcept;

  // Ready while take() would find one.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }

 private:
  Fd fd_;
};

}  // namespace signalbox::os
