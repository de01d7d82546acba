#include "signalbox/deadline.hpp"

#include <ctime>

namespace signalbox {

std::int64_t monotonic_now_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

Deadline Deadline::after(std::chrono::nanoseconds span) noexcept {
  const std::int64_t now = monotonic_now_ns();
  if (span.count() <= 0) return Deadline{now};
  if (span.count() >= INT64_MAX - now) return never();
  return Deadline{now + span.count()};
}

bool Deadline::passed() const noexcept { return !is_never() && monotonic_now_ns() >= ns_; }

}  // namespace signalbox
