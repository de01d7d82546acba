#include "os/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <ctime>

#include "os/failure.hpp"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449  // the same number on every architecture
#endif

namespace signalbox::os {

namespace {

// Spelled here because Debian 12's headers may be older than the kernel: <linux/futex.h> of 5.16.
struct WaitvEntry {
  std::uint64_t expected;
  std::uint64_t address;
  std::uint32_t flags;
  std::uint32_t reserved;
};
constexpr std::uint32_t kFutex32 = 2;

timespec to_timespec(Deadline deadline) noexcept {
  const std::int64_t ns = deadline.monotonic_ns() < 0 ? 0 : deadline.monotonic_ns();
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
}

long wait_one(const FutexWord& word, const timespec* until) noexcept {
  // FUTEX_WAIT_BITSET because its deadline is absolute and on the monotonic clock.
  return ::syscall(SYS_futex, word.address, FUTEX_WAIT_BITSET, word.expected, until, nullptr,
                   FUTEX_BITSET_MATCH_ANY);
}

long wait_many(std::span<const FutexWord> words, const timespec* until) noexcept {
  std::array<WaitvEntry, futex_words_max> entries;
  for (std::size_t i = 0; i < words.size(); ++i) {
    entries[i] = {words[i].expected, reinterpret_cast<std::uintptr_t>(words[i].address), kFutex32,
                  0};
  }
  return ::syscall(SYS_futex_waitv, entries.data(), static_cast<unsigned>(words.size()), 0U, until,
                   CLOCK_MONOTONIC);
}

}  // namespace

bool has_futex_waitv() noexcept {
  // An empty list is refused with EINVAL where the call exists, with ENOSYS where it does not.
  static const bool present =
      ::syscall(SYS_futex_waitv, nullptr, 0U, 0U, nullptr, CLOCK_MONOTONIC) < 0 && errno != ENOSYS;
  return present;
}

Result<FutexWake> futex_wait(std::span<const FutexWord> words, Deadline deadline) {
  if (words.empty() || words.size() > futex_words_max) {
    return std::unexpected(
        Error{Errc::bad_argument, 0, "futex", "cannot sleep on that many words"});
  }
  const timespec until = to_timespec(deadline);
  const timespec* limit = deadline.is_never() ? nullptr : &until;
  const long answer = words.size() == 1 ? wait_one(words[0], limit) : wait_many(words, limit);
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
