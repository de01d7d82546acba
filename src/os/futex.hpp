// futex.hpp: sleep until a 32-bit word of shared memory changes.
//
//   Threads  any
//   Crash    a dead waiter is simply gone
//   Fork     safe: the words are shared between processes
//   Limits   futex_words_max words in one sleep; several need Linux 5.16
//   Manual   futex(2) futex_waitv(2)
#pragma once

#include <cstdint>
#include <span>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"

namespace signalbox::os {

struct FutexWord {
  const void* address;     // 4-byte aligned; a read-only shared mapping will do
  std::uint32_t expected;  // sleep only while the word still holds this
};

enum class FutexWake { woken, value_differed, timed_out, interrupted };

// Sleeps until the word is woken or no longer holds what was expected.
Result<FutexWake> futex_wait(const FutexWord& word, Deadline deadline);

// The kernel's limit on the words of one sleep.
inline constexpr std::size_t futex_words_max = 128;

// Can this kernel sleep on more than one word?
bool can_wait_on_several() noexcept;

// Sleeps until any of 1 to futex_words_max words is woken or no longer holds what was expected.
// Error not_supported: several, and the kernel cannot.
Result<FutexWake> futex_wait_any(std::span<const FutexWord> words, Deadline deadline);

// Wakes every sleeper on the word.
void futex_wake_all(const void* address) noexcept;

}  // namespace signalbox::os
