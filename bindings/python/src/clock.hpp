// clock.hpp: Python's timeouts as the deadlines of the C library.
#pragma once

#include <nanobind/nanobind.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "signalbox/signalbox.h"

namespace signalbox_python {

// Python runs signal handlers only between calls into C. A signal that arrives just before the
// library sleeps sets Python's flag and interrupts nothing, so no sleep of a subscriber is longer
// than this: Ctrl-C is then late by at most a second, and never lost.
inline constexpr std::int64_t kWaitNsMax = 1'000'000'000;

// A publish that waits is not interrupted by signals at all, so it looks up more often.
inline constexpr std::int64_t kPublishNsMax = 100'000'000;

// Seconds from now as a deadline; nothing: never; zero or less: at once.
inline std::int64_t deadline_after(std::optional<double> seconds) {
  if (!seconds) return SBX_NEVER;
  if (std::isnan(*seconds)) throw nanobind::value_error("timeout is not a number");
  if (*seconds <= 0) return SBX_IMMEDIATE;
  constexpr double kForever = 9e9;  // seconds; about where nanoseconds leave 64 bits
  if (*seconds >= kForever) return SBX_NEVER;
  const std::int64_t now = sbx_now_ns();
  const auto wait_ns = static_cast<std::int64_t>(*seconds * 1e9);
  return wait_ns > SBX_NEVER - now ? SBX_NEVER : now + wait_ns;
}

// The end of one sleep on the way to a deadline.
inline std::int64_t sleep_end(std::int64_t deadline, std::int64_t sleep_ns_max) {
  return std::min(deadline, sbx_now_ns() + sleep_ns_max);
}

// Runs the Python signal handlers that are due; what one raises (KeyboardInterrupt) goes on.
inline void run_signal_handlers() {
  if (PyErr_CheckSignals() != 0) throw nanobind::python_error();
}

}  // namespace signalbox_python
