// futex.hpp: sleep until a 32-bit word of shared memory changes.
//
//   Threads  any
//   Crash    a dead waiter is simply gone
//   Fork     safe: the words are shared between processes
//   Limits   128 words in one wait
//   Manual   futex(2), futex_waitv(2)
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

inline constexpr std::size_t futex_words_max = 128;

// True if this kernel can sleep on several words at once (Linux 5.16).
bool has_futex_waitv() noexcept;

// Sleeps until one of the words is woken or no longer holds what was expected. More than one word
// needs has_futex_waitv().
Result<FutexWake> futex_wait(std::span<const FutexWord> words, Deadline deadline);

// Wakes every sleeper on the word.
void futex_wake_all(const void* address) noexcept;

}  // namespace signalbox::os
