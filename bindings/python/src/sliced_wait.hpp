// sliced_wait.hpp: sleeps without the GIL that signals can end.
#pragma once

#include <nanobind/nanobind.h>
#include <unistd.h>

#include <cstdint>

#include "clock.hpp"
#include "failure.hpp"
#include "signalbox/c/base.h"

namespace signalbox_python {

// Python runs signal handlers in the main thread only; all others may sleep without looking up.
inline bool is_main_thread() noexcept { return ::gettid() == ::getpid(); }

// For sleeps that had better not be sliced.
inline constexpr std::int64_t kWhole = SBX_NEVER;

// For what the kernel waits for without an end only. A wait with an end is naps in the library,
// which look at the clock and not at what Python has to do: they are cut as any other.
inline std::int64_t sleep_max_of_naps(std::int64_t deadline) noexcept {
  return deadline == SBX_NEVER ? kWhole : kWaitNsMax;
}

// Runs `call(until, &error)`, which answers a code, without the GIL until it answers something
// other than "interrupted", or `deadline` has passed. Signal handlers run in between; what one
// raises goes on, and then nothing was changed. In the main thread no sleep is longer than
// `sleep_ns_max`: a signal that comes just before it would otherwise be noticed after it.
template <class Call>
int wait_in_slices(std::int64_t deadline, std::int64_t sleep_ns_max, sbx_error& error,
                   Call&& call) {
  for (;;) {
    const bool is_sliced = deadline != SBX_IMMEDIATE && sleep_ns_max != kWhole && is_main_thread();
    const std::int64_t until = is_sliced ? sleep_end(deadline, sleep_ns_max) : deadline;
    int code;
    {
      nanobind::gil_scoped_release others_run;
      code = call(until, &error);
    }
    if (code != SBX_INTERRUPTED && code != SBX_TIMED_OUT) return code;
    run_signal_handlers();
    if (code == SBX_TIMED_OUT && until == deadline) return code;
  }
}

// True: it is done. False: the deadline passed.
template <class Call>
bool done_in_time(std::int64_t deadline, Call&& call) {
  sbx_error error;
  const int code = wait_in_slices(deadline, kWaitNsMax, error, std::forward<Call>(call));
  if (code == SBX_TIMED_OUT) return false;
  check(code, error);
  return true;
}

}  // namespace signalbox_python
