// prefetch.hpp: asks for cache lines before they are needed. Hints, without any effect on order.
//
// A line that the other side touched last is some 70 to 250 ns away. Asked for early, that time
// passes beside other work instead of after it.
//
//   Threads  any
//   Limits   prefetched_bytes_max: of a larger range the processor's own prefetcher brings the rest
#pragma once

#include <algorithm>
#include <cstddef>

namespace signalbox::shm {

inline constexpr std::size_t prefetched_bytes_max = 512;
inline constexpr std::size_t prefetched_line = 64;

// To write: takes the lines away from whoever has read them.
inline void prefetch_to_write(const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t end = std::min(bytes, prefetched_bytes_max);
  for (std::size_t at = 0; at < end; at += prefetched_line) {
#if defined(__x86_64__)
    // What __builtin_prefetch(p, 1) makes of it only where the compiler is told that the processor
    // has it; all have, or take it for a nop.
    asm volatile("prefetchw %0" : : "m"(from[at]));
#else
    __builtin_prefetch(from + at, 1);
#endif
  }
}

inline void prefetch_to_read(const std::byte* from, std::size_t bytes) noexcept {
  const std::size_t end = std::min(bytes, prefetched_bytes_max);
  for (std::size_t at = 0; at < end; at += prefetched_line) __builtin_prefetch(from + at);
}

}  // namespace signalbox::shm
