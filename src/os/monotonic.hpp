// monotonic.hpp: deadlines as the kernel takes them, and naps between two looks.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <algorithm>
#include <cstdint>
#include <ctime>

#include "signalbox/deadline.hpp"

namespace signalbox::os {

inline timespec timespec_of(std::int64_t ns) noexcept {
  return {.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
          .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

// For calls that take an absolute time. A deadline before the clock began has passed as well.
inline timespec absolute(Deadline deadline) noexcept {
  return timespec_of(std::max<std::int64_t>(0, deadline.monotonic_ns()));
}

// What is left until then, for calls that take a span from now: none of a deadline that has passed,
// however long ago, and INT64_MAX of one that never does. Everybody asks here, since a subtraction
// of his own overflows for a deadline that lies before all clocks, and then never ends.
inline std::int64_t remaining_ns(Deadline deadline) noexcept {
  if (deadline.is_never() || deadline == Deadline::immediate()) return deadline.monotonic_ns();
  const std::int64_t now = monotonic_now_ns();
  return deadline.monotonic_ns() <= now ? 0 : deadline.monotonic_ns() - now;
}
inline timespec remaining(Deadline deadline) noexcept {
  return timespec_of(remaining_ns(deadline));
}

// Waits between looks at something that the kernel offers no sleep on: short at first, so that a
// quick answer is seen quickly, then ever longer up to a bound, so that a long wait costs little.
class Backoff {
 public:
  static constexpr std::int64_t first_ns = 50'000;
  static constexpr std::int64_t longest_ns = 10'000'000;

  // Sleeps, at most until the deadline. False: a signal handler ended the nap.
  bool nap(Deadline deadline) noexcept {
    const std::int64_t end = std::min(monotonic_now_ns() + span_ns_, deadline.monotonic_ns());
    span_ns_ = std::min(span_ns_ * 2, longest_ns);
    const timespec until = timespec_of(std::max<std::int64_t>(0, end));
    return ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == 0;
  }

 private:
  std::int64_t span_ns_ = first_ns;
};

}  // namespace signalbox::os
