// clocks.hpp: the clocks the camera reads, in nanoseconds.
#pragma once

#include <cstdint>
#include <ctime>

namespace petcam {

inline std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

inline std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
inline std::int64_t wall_ns() { return clock_ns(CLOCK_REALTIME); }
inline std::uint64_t thread_cpu_ns() {
  return static_cast<std::uint64_t>(clock_ns(CLOCK_THREAD_CPUTIME_ID));
}
inline std::uint64_t process_cpu_ns() {
  return static_cast<std::uint64_t>(clock_ns(CLOCK_PROCESS_CPUTIME_ID));
}

}  // namespace petcam
