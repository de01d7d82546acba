// os/timer.hpp: a clock that makes a descriptor readable, once or again and again.
//
//   Lives     until its Timer is destroyed
//   Threads   one thread at a time
//   Crash     the kernel closes it
//   Fork      a child shares it until it execs: what one takes, the other does not see
//   Limits    RLIMIT_NOFILE
//   Pollable  yes
//   Manual    timerfd_create(2)
#pragma once

#include <chrono>
#include <cstdint>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

class Timer {
 public:
  // Ready once, at that time; at once if it has passed; never for Deadline::never().
  // Errors: limit_reached (descriptors), system.
  static Result<Timer> once(Deadline at);
  // Ready at the end of each period from now on. Error besides: bad_argument (not above zero).
  static Result<Timer> every(std::chrono::nanoseconds period);

  // Starts it anew, as once() and every() do; what was not taken is forgotten.
  Result<void> set_once(Deadline at);
  Result<void> set_every(std::chrono::nanoseconds period);

  // How many times it went off since the last take(); 0: not yet. Enters the kernel.
  std::uint64_t take() noexcept;

  // Ready while take() would answer more than 0.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }

 private:
  static Result<Timer> make();
  Fd fd_;
};

}  // namespace signalbox::os
