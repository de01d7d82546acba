// pins.hpp: how a reader keeps a frame from being reused, without writing to the publisher's
// memory.
//
// Each subscriber owns a table of pin words in its own control page. To hold a frame it writes the
// frame's name there, passes a full fence, and looks at the ring slot again: if the message is
// still in its slot, the publisher has not begun to look for pins to this frame, and will see this
// one when it does. If not, the pin is withdrawn and the message counts as lapped. There is no
// shared reference count, so nothing leaks when either side dies.
//
//   pin word   [ upper 40 bits of the publisher's incarnation | chunk + 1 (24 bits) ], 0 = free
//
//   Threads  one thread pins; any thread unpins; the publisher scans
//   Crash    the table of a dead subscriber is no longer read
//   Limits   pin_slots words a table, 2^24 - 1 chunks a publisher
#pragma once

#include <cstddef>
#include <cstdint>

#include "signalbox/shm/atomics.hpp"

namespace signalbox::shm {

inline constexpr std::size_t pin_slots = 64;
inline constexpr std::uint32_t chunks_limit = (1U << 24) - 1;

template <class P, std::size_t slots = pin_slots>
struct alignas(64) PinTable {
  typename P::template atomic<std::uint64_t> words[slots];
};
static_assert(sizeof(PinTable<RealAtomics>) == 512);

constexpr std::uint64_t pin_tag(std::uint64_t incarnation) noexcept {
  return incarnation & ~std::uint64_t{chunks_limit};
}
constexpr std::uint64_t pin_word(std::uint64_t incarnation, std::uint32_t chunk) noexcept {
  return pin_tag(incarnation) | (chunk + 1U);
}

inline constexpr std::size_t no_pin = pin_slots;

// Claims a free word for the frame and makes it visible before anything the caller loads next.
// Returns no_pin if all words are in use.
template <class P, std::size_t slots>
std::size_t pin(PinTable<P, slots>& table, std::uint64_t word) noexcept {
  for (std::size_t i = 0; i < slots; ++i) {
    // sync[pin.free] acquire: another thread may have unpinned here, and its reads must come
    // before whatever our store lets the publisher conclude.
    if (table.words[i].load(std::memory_order_acquire) != 0) continue;
    // sync[pin.free] release: a publisher that finds this word instead of the 0 before it may
    // reuse the frame that was pinned here earlier.
    table.words[i].store(word, std::memory_order_release);
    // sync[pin.scan] release acquire: either the scan sees this pin, or the look that follows
    // sees the slot already overwritten. Meets collect().
    P::full_fence();
    return i;
  }
  return no_pin;
}

template <class Word>
void unpin(Word& word) noexcept {
  // sync[pin.free] release: all reads of the frame come before its reuse.
  word.store(0, std::memory_order_release);
}

// Calls found(chunk) for each frame of this publisher that the table pins. The caller passes
// P::full_fence() once before the first table, after the last slot it overwrote.
template <class P, std::size_t slots, class Found>
void collect(const PinTable<P, slots>& table, std::uint64_t incarnation, Found found) noexcept {
  for (const auto& entry : table.words) {
    // sync[pin.free] acquire: a frame found free is no longer being read.
    const std::uint64_t word = entry.load(std::memory_order_acquire);
    if (word != 0 && pin_tag(word) == pin_tag(incarnation)) {
      found(static_cast<std::uint32_t>((word & chunks_limit) - 1));
    }
  }
}

}  // namespace signalbox::shm
