// os/futex.hpp: sleep until a 32-bit word of memory changes, and wake who sleeps on one.
//
// The word is yours, and so is what it means: change it first, wake then. A sleeper looks at it
// again after every wake-up, because there are some without a reason.
//
//   Lives     nothing is made; the kernel knows a word while somebody sleeps on it
//   Threads   any
//   Crash     a dead sleeper is simply gone; one that died before it woke the others left them
//             asleep: bound your sleeps, or use what knows of deaths
//   Fork      safe; a word in private memory is another word in a child
//   Limits    futex_words_max words in one sleep; several need Linux 5.16
//   Pollable  no: use os/event_fd.hpp where a descriptor is needed
//   Manual    futex(2) futex(7)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox::os {

// Who sleeps and wakes: `process` is faster where all of them are threads of one.
enum class FutexScope : std::uint8_t { machine, process };

// Sleepers may wait for some of 32 reasons, and a waker give some: they meet where they share one.
inline constexpr std::uint32_t every_reason = UINT32_MAX;

struct FutexWord {
  const void* address;     // 4-byte aligned; a read-only shared mapping will do
  std::uint32_t expected;  // sleep only while the word still holds this
  FutexScope scope = FutexScope::machine;
};

// How a sleep ended. Each of them is usual, so none is an error.
enum class FutexWake {
  woken,           // or for no reason: look at the word
  value_differed,  // the word did not hold what was expected, or its memory is gone
  timed_out,
  interrupted,  // by a signal handler, where OnSignal::give_up was asked for
};

namespace kernel {
constexpr int in_scope(int operation, FutexScope scope) noexcept {
  constexpr int is_private = 128;  // FUTEX_PRIVATE_FLAG
  return scope == FutexScope::process ? operation | is_private : operation;
}
// What is left to do after a sleep that ended with this negated errno, or was not begun.
[[gnu::cold]] Result<FutexWake> futex_wait_after(long ended, const FutexWord& word,
                                                 Deadline deadline, OnSignal on_signal,
                                                 std::uint32_t reasons);
}  // namespace kernel

// Sleeps until the word is woken or no longer holds what was expected. Error: system (an address
// that is not aligned, no reason). Enters the kernel once.
inline Result<FutexWake> futex_wait(const FutexWord& word, Deadline deadline,
                                    OnSignal on_signal = OnSignal::go_on,
                                    std::uint32_t reasons = every_reason) {
  long ended = kernel::not_made;
  if (deadline.is_never()) {
    constexpr int wait = 9;  // FUTEX_WAIT_BITSET
    ended = kernel::enter(kernel::KernelCall::futex, kernel::address_of(word.address),
                          kernel::in_scope(wait, word.scope), word.expected, 0, 0, reasons);
  }
  constexpr long differs = -11;  // EAGAIN
  if (ended == 0) return FutexWake::woken;
  if (ended == differs) return FutexWake::value_differed;
  return kernel::futex_wait_after(ended, word, deadline, on_signal, reasons);
}

// The kernel's limit on the words of one sleep.
inline constexpr std::size_t futex_words_max = 128;

// Can this kernel sleep on more than one word?
bool can_wait_on_several() noexcept;

struct FutexEnd {
  FutexWake how;
  std::size_t which;  // of the words, if woken: one of those that were
};

// Sleeps until any of 1 to futex_words_max words is woken or no longer holds what was expected.
// Errors: not_supported (several, and the kernel cannot), bad_argument (their number), system.
Result<FutexEnd> futex_wait_any(std::span<const FutexWord> words, Deadline deadline,
                                OnSignal on_signal = OnSignal::go_on);

// Wakes so many sleepers on the word at most, of those who wait for one of the reasons; answers how
// many. An address that nobody can sleep on: 0. Enters the kernel.
inline std::uint32_t futex_wake(const void* address, std::uint32_t sleepers_max,
                                FutexScope scope = FutexScope::machine,
                                std::uint32_t reasons = every_reason) noexcept {
  // A count of 0 wakes one, and a negative one as well: the kernel counts after it has woken.
  if (sleepers_max == 0) return 0;
  constexpr int wake = 10;  // FUTEX_WAKE_BITSET
  const std::uint32_t most = sleepers_max < INT32_MAX ? sleepers_max : INT32_MAX;
  const long woken = kernel::enter(kernel::KernelCall::futex, kernel::address_of(address),
                                   kernel::in_scope(wake, scope), most, 0, 0, reasons);
  return woken < 0 ? 0 : static_cast<std::uint32_t>(woken);
}

// Wakes every sleeper on the word.
void futex_wake_all(const void* address) noexcept;

}  // namespace signalbox::os
