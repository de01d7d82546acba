// patience.hpp: how publishing waits for a reliable subscriber without stopping other threads.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <string>
#include <utility>

#include "clock.hpp"
#include "failure.hpp"
#include "handle.hpp"
#include "whole.hpp"

namespace signalbox_python {

// From here on a copy takes long enough for other threads to run meanwhile.
inline constexpr std::size_t kCopyAloneMax = 64 * 1024;

// Runs `attempt`, which answers a code, until it succeeds, fails for good, or the deadline passes:
// first at once, with the GIL held, for letting go of it costs more than a publish; then asleep in
// slices, without it, between which signal handlers run.
template <class Attempt>
int with_patience(const PublisherHandle& publisher, std::int64_t deadline, Attempt&& attempt) {
  int code = attempt(SBX_IMMEDIATE);
  // A publisher that does not wait has dropped the message, and must not drop it twice.
  if (!publisher.waits()) return code;
  while ((code == SBX_WOULD_BLOCK || code == SBX_TIMED_OUT || code == SBX_INTERRUPTED) &&
         deadline > sbx_now_ns()) {
    run_signal_handlers();
    const std::int64_t until = sleep_end(deadline, kPublishNsMax);
    code = attempt(until);
    // Nobody is behind, but every frame is held: the library does not wait for that.
    if (code == SBX_WOULD_BLOCK && sbx_now_ns() < until) return code;
  }
  return code;
}

// `call`, without the GIL if it may sleep or has much to copy.
template <class Call>
int without_gil_if(bool is_long, Call&& call) {
  if (!is_long) return call();
  nanobind::gil_scoped_release others_run;
  return call();
}

template <class Int>
Int checked(const Whole& value, const std::string& subject, const char* option) {
  return narrow<Int>(value, subject + ": " + option, {.low = 0});
}

}  // namespace signalbox_python
