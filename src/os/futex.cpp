#include "os/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <ctime>
#include <string_view>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

timespec to_timespec(Deadline deadline) noexcept {
  const std::int64_t ns = deadline.monotonic_ns() < 0 ? 0 : deadline.monotonic_ns();
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

Result<FutexWake> how_it_ended(long answer, std::string_view call) {
  if (answer >= 0) return FutexWake::woken;
  switch (errno) {
    case EAGAIN:
    // The word's file was shortened since the caller looked: the next look finds zeroes there.
    case EFAULT:
      return FutexWake::value_differed;
    case ETIMEDOUT:
      return FutexWake::timed_out;
    case EINTR:
      return FutexWake::interrupted;
    default:
      return std::unexpected(failure(errno, call, "sleep until a topic changes"));
  }
}

// Where time_t has 64 bits and long has 32, the old call would read half of our timespec.
#if defined(SYS_futex_time64)
constexpr long kFutex = sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex;
#else
constexpr long kFutex = SYS_futex;
#endif

}  // namespace

Result<FutexWake> futex_wait(const FutexWord& word, Deadline deadline) {
  const timespec until = to_timespec(deadline);
  const timespec* limit = deadline.is_never() ? nullptr : &until;
  // FUTEX_WAIT_BITSET because its deadline is absolute and on the monotonic clock.
  const long answer = ::syscall(kFutex, word.address, FUTEX_WAIT_BITSET, word.expected, limit,
                                nullptr, FUTEX_BITSET_MATCH_ANY);
  return how_it_ended(answer, "futex");
}

bool can_wait_on_several() noexcept {
  // No word at all is refused by a kernel that knows the call, and the call by one that does not.
  // Where a sandbox forbids it, it is as good as absent.
  static const bool can =
      ::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) < 0 && errno == EINVAL;
  return can;
}

Result<FutexWake> futex_wait_any(std::span<const FutexWord> words, Deadline deadline) {
  if (words.size() == 1) return futex_wait(words.front(), deadline);
  futex_waitv several[futex_words_max];  // only as much of it as is needed is filled in
  for (std::size_t i = 0; i < words.size(); ++i) {
    several[i] = {.val = words[i].expected,
                  .uaddr = reinterpret_cast<std::uintptr_t>(words[i].address),
                  .flags = FUTEX_32,
                  .__reserved = 0};
  }
  const timespec until = to_timespec(deadline);
  const timespec* limit = deadline.is_never() ? nullptr : &until;
  const long answer = ::syscall(SYS_futex_waitv, several, words.size(), 0, limit, CLOCK_MONOTONIC);
  return how_it_ended(answer, "futex_waitv");
}

void futex_wake_all(const void* address) noexcept {
  ::syscall(kFutex, address, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace signalbox::os
