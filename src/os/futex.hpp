// futex.hpp: sleep until a 32-bit word of shared memory changes.
//
//   Threads  any
//   Crash    a dead waiter is simply gone
//   Fork     safe: the words are shared between processes
//   Limits   none
//   Manual   futex(2)
#pragma once

#include <cstdint>

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

// Wakes every sleeper on the word.
void futex_wake_all(const void* address) noexcept;

}  // namespace signalbox::os
