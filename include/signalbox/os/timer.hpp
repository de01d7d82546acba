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

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

class Timer {
 public:
  // Ready once, at that time; at once if it has passed; never for Deadline::never().
  // Errors: limit_reached (descriptors), system.
  static Result<Timer> once(Deadline at);
  // Ready at the end of each period from now on. Error besides: bad_argument (not above zero).
  static Result<Timer> every(std::chrono::nanoseconds period);

  // Ready once, at that time of the wall clock, also when that is set meanwhile: for what people
  // have an appointment with. Deadlines are better for all else. Errors: as once().
  static Result<Timer> at(std::chrono::system_clock::time_point when);

  // Starts it anew, as once() and every() do; what was not taken is forgotten.
  // set_once() is for the monotonic clock; on a timer that at() has made it is a bad_argument.
  Result<void> set_once(Deadline at) {
    constexpr std::int64_t second_ns = 1'000'000'000;
    // All zero would mean "never"; the first nanosecond after boot has passed just as well.
    const std::int64_t ns = at.is_never() ? 0 : std::max<std::int64_t>(1, at.monotonic_ns());
    if (clock_ == Clock::wall) [[unlikely]]
      return of_the_wall_clock();
    constexpr int absolute = 1;  // TFD_TIMER_ABSTIME
    return start(absolute, {.period = {}, .first = {ns / second_ns, ns % second_ns}});
  }
  Result<void> set_every(std::chrono::nanoseconds period);

  // How many times it went off since the last take(); 0: not yet. Enters the kernel.
  std::uint64_t take() noexcept {
    std::uint64_t times = 0;
    const auto into = std::as_writable_bytes(std::span(&times, 1));
    return kernel::read_once(fd_.get(), into) == sizeof(times) ? times : 0;
  }

  // How long until it goes off (again); empty: it will not, once or until it is set. Enters the
  // kernel.
  std::optional<std::chrono::nanoseconds> remaining() const noexcept;

  // Ready while take() would answer more than 0.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  const Fd& fd() const noexcept { return fd_; }

 private:
  enum class Clock : bool { monotonic, wall };
  static Result<Timer> make(Clock clock);
  Result<void> start(int flags, const kernel::TimerSetting& setting) {
    const long answer = kernel::enter(kernel::KernelCall::timerfd_settime, fd_.get(), flags,
                                      kernel::address_of(&setting), 0);
    if (answer == 0) [[likely]]
      return {};
    return not_started(answer);
  }
  [[gnu::cold]] static Result<void> not_started(long refused);
  [[gnu::cold]] static Result<void> of_the_wall_clock();
  Fd fd_;
  Clock clock_ = Clock::monotonic;
};

}  // namespace signalbox::os
