// deadline.hpp: the moment a wait gives up, on the monotonic clock.
//
//   Threads  values
//   Crash    nothing to lose
//   Fork     safe; the clock is the machine's, the same in every process
//   Limits   a time name space shifts the clock: do not send a Deadline across one
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>

namespace signalbox {

// An absolute time in nanoseconds of CLOCK_MONOTONIC. It is never an int and never defaulted, so a
// retried wait keeps its end, and setting the wall clock moves nothing.
class Deadline {
 public:
  // Already passed: look once and do not sleep.
  static constexpr Deadline immediate() noexcept { return Deadline{0}; }
  // Never passes.
  static constexpr Deadline never() noexcept { return Deadline{INT64_MAX}; }
  // This much from now; saturates instead of overflowing. Reads the clock (vDSO, no system call).
  static Deadline after(std::chrono::nanoseconds span) noexcept;
  // At this reading of CLOCK_MONOTONIC.
  static constexpr Deadline at_ns(std::int64_t monotonic_ns) noexcept {
    return Deadline{monotonic_ns};
  }

  constexpr std::int64_t monotonic_ns() const noexcept { return ns_; }
  constexpr bool is_never() const noexcept { return ns_ == INT64_MAX; }
  bool passed() const noexcept;
  constexpr auto operator<=>(const Deadline&) const noexcept = default;

 private:
  constexpr explicit Deadline(std::int64_t ns) noexcept : ns_(ns) {}
  std::int64_t ns_;
};

// The monotonic clock in nanoseconds, as Deadline and every time stamp of Signalbox use it.
std::int64_t monotonic_now_ns() noexcept;

}  // namespace signalbox
