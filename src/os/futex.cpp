#include "signalbox/os/futex.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>
#include <string_view>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

timespec to_timespec(Deadline deadline) noexcept {
  const std::int64_t ns = deadline.monotonic_ns() < 0 ? 0 : deadline.monotonic_ns();
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

Result<FutexWake> how_it_ended(long answer, std::string_view call) {
  if (answer >= 0) return FutexWake::woken;
  const int refused = errno;
  switch (refused) {
    case EAGAIN:
    // The word's file was shortened since the caller looked: the next look finds zeroes there.
    case EFAULT:
      return FutexWake::value_differed;
    case ETIMEDOUT:
      return FutexWake::timed_out;
    case EINTR:
      return FutexWake::interrupted;
    default:
      return or_out_of_memory([&]() -> Result<FutexWake> {
        return std::unexpected(failure(refused, call, "sleep until a word of memory changes"));
      });
  }
}

// Makes a call that sleeps until an absolute time again, after a handler where that is asked for.
template <class Call>
long sleep_with(Call call, OnSignal on_signal) noexcept {
  for (;;) {
    const long answer = call();
    if (answer >= 0 || errno != EINTR || on_signal == OnSignal::give_up) return answer;
  }
}

// Where time_t has 64 bits and long has 32, the old call would read half of our timespec.
#if defined(SYS_futex_time64)
constexpr long kFutex = sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex;
#else
constexpr long kFutex = SYS_futex;
#endif

}  // namespace

static_assert(kernel::in_scope(FUTEX_WAIT_BITSET, FutexScope::process) ==
                  (9 | FUTEX_PRIVATE_FLAG) &&
              FUTEX_WAKE_BITSET == 10);

Result<FutexWake> kernel::futex_wait_after(long ended, const FutexWord& word, Deadline deadline,
                                           OnSignal on_signal, std::uint32_t reasons) {
  if (deadline.is_never() && (ended != -EINTR || on_signal == OnSignal::give_up)) {
    errno = static_cast<int>(-ended);
    return how_it_ended(-1, "futex");
  }
  const timespec until = to_timespec(deadline);
  const timespec* limit = deadline.is_never() ? nullptr : &until;
  // FUTEX_WAIT_BITSET because its deadline is absolute and on the monotonic clock.
  const int operation = kernel::in_scope(FUTEX_WAIT_BITSET, word.scope);
  const auto call = [&] {
    return ::syscall(kFutex, word.address, operation, word.expected, limit, nullptr, reasons);
  };
  return how_it_ended(sleep_with(call, on_signal), "futex");
}

bool can_wait_on_several() noexcept {
  // No word at all is refused by a kernel that knows the call, and the call by one that does not.
  // Where a sandbox forbids it, it is as good as absent.
  static const bool can =
      ::syscall(SYS_futex_waitv, nullptr, 0, 0, nullptr, CLOCK_MONOTONIC) < 0 && errno == EINVAL;
  return can;
}

Result<FutexEnd> futex_wait_any(std::span<const FutexWord> words, Deadline deadline,
                                OnSignal on_signal) {
  const auto ended = [](Result<FutexWake> how, long which) -> Result<FutexEnd> {
    if (!how) return std::unexpected(std::move(how.error()));
    return FutexEnd{*how, which < 0 ? 0 : static_cast<std::size_t>(which)};
  };
  if (words.size() == 1) return ended(futex_wait(words.front(), deadline, on_signal), 0);
  if (words.empty() || words.size() > futex_words_max) {
    return or_out_of_memory([&]() -> Result<FutexEnd> {
      return std::unexpected(Error{Errc::bad_argument, EINVAL, "futex_waitv",
                                   "cannot sleep on " + std::to_string(words.size()) +
                                       " words: 1 to 128 may be waited for at once."});
    });
  }
  futex_waitv several[futex_words_max];  // only as much of it as is needed is filled in
  for (std::size_t i = 0; i < words.size(); ++i) {
    several[i] = {.val = words[i].expected,
                  .uaddr = reinterpret_cast<std::uintptr_t>(words[i].address),
                  .flags = static_cast<std::uint32_t>(kernel::in_scope(FUTEX_32, words[i].scope)),
                  .__reserved = 0};
  }
  const timespec until = to_timespec(deadline);
  const timespec* limit = deadline.is_never() ? nullptr : &until;
  const auto call = [&] {
    return ::syscall(SYS_futex_waitv, several, words.size(), 0, limit, CLOCK_MONOTONIC);
  };
  const long answer = sleep_with(call, on_signal);
  return ended(how_it_ended(answer, "futex_waitv"), answer);
}

void futex_wake_all(const void* address) noexcept {
  ::syscall(kFutex, address, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace signalbox::os
