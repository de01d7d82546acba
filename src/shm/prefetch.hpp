// prefetch.hpp: asks for cache lines before they are needed. No effect on order or content.
//
// A line that the other side touched last is some 70 to 250 ns away. Asked for early, that time
// passes beside other work instead of after it.
//
//   Threads  any
//   Limits   of a larger message than these the processor's own prefetcher brings the rest
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace signalbox::shm {

inline constexpr std::size_t fetched_line = 64;
// To read: the processor's prefetcher has seen enough then.
inline constexpr std::size_t fetched_bytes_max = 1024;
// A message of so many bytes is taken back whole. Of a larger one, which takes its time anyway, it
// is the beginning: a publish shall not last for longer than the message is on its way.
inline constexpr std::size_t taken_back_whole_max = 16384;
inline constexpr std::size_t taken_back_of_large = 512;

// To write: a line that we do not have.
inline void prefetch_to_write(const std::byte* line) noexcept {
#if defined(__x86_64__)
  // What __builtin_prefetch(p, 1) makes of it only where the compiler is told that the processor
  // has it; all have, or take it for a nop.
  asm volatile("prefetchw %0" : : "m"(*line));
#else
  __builtin_prefetch(line, 1);
#endif
}

inline void prefetch_to_read(const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t end = std::min(bytes, fetched_bytes_max);
  for (std::size_t at = 0; at < end; at += fetched_line) __builtin_prefetch(from + at);
}

// To write: lines that we have, beside readers. On AMD's EPYC fetching such a line for writing does
// nothing; a store makes it ours alone, and each waits for the one before (decision 037). They
// store what is there. `from` is aligned to a line, of memory that nobody else writes.
inline void take_back(std::byte* from, std::size_t bytes) noexcept {
  const std::size_t end = bytes <= taken_back_whole_max ? bytes : taken_back_of_large;
  for (std::size_t at = 0; at < end; at += fetched_line) {
    const std::atomic_ref word(*reinterpret_cast<std::uint64_t*>(from + at));
    // relaxed[frame.lines]: the same value; nobody reads a frame that is free.
    word.store(word.load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
}

}  // namespace signalbox::shm
