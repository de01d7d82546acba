#include "os/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

timespec to_timespec(Deadline deadline) noexcept {
  const std::int64_t ns = deadline.monotonic_ns() < 0 ? 0 : deadline.monotonic_ns();
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
}

}  // namespace

Result<FutexWake> futex_wait(const FutexWord& word, Deadline deadline) {
  const timespec until = to_timespec(deadline);
  const timespec* limit = deadline.is_never() ? nullptr : &until;
  // FUTEX_WAIT_BITSET because its deadline is absolute and on the monotonic clock.
  const long answer = ::syscall(SYS_futex, word.address, FUTEX_WAIT_BITSET, word.expected, limit,
                                nullptr, FUTEX_BITSET_MATCH_ANY);
  if (answer >= 0) return FutexWake::woken;
  switch (errno) {
    case EAGAIN:
      return FutexWake::value_differed;
    case ETIMEDOUT:
      return FutexWake::timed_out;
    case EINTR:
      return FutexWake::interrupted;
    default:
      return std::unexpected(failure(errno, "futex", "sleep until a topic changes"));
  }
}

void futex_wake_all(const void* address) noexcept {
  ::syscall(SYS_futex, address, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace signalbox::os
