// ring.hpp: the broadcast ring of one publisher. One writer, any number of readers, no shared
// index.
//
// A slot is one cache line. Its first word tells everything:
//
//      0        8        16                                              64
//      +--------+--------+-----------------------------------------------+
//      |sequence|  meta  |  words[6]: a message, or where its frame lies  |
//      +--------+--------+-----------------------------------------------+
//      sequence: 2p+1 while message p is being written, 2p+2 once it is ready; 0 never used
//
// A reader looks at the slot it expects next, copies it and looks at the sequence again: unchanged
// means whole, larger means the writer has lapped it by a countable amount. The sequence has 64
// bits, so it never comes round again.
//
//   Threads  one writer thread; each reader thread has its own RingReader
//   Crash    a writer that dies inside publish() leaves 2p+1 behind: that message was never there
//   Limits   depth is a power of two
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shm/atomics.hpp"

namespace signalbox::shm {

inline constexpr std::size_t slot_words = 6;

template <class P>
struct alignas(64) Slot {
  typename P::template atomic<std::uint64_t> sequence;
  typename P::template atomic<std::uint64_t> meta;
  typename P::template atomic<std::uint64_t> words[slot_words];
};
static_assert(sizeof(Slot<RealAtomics>) == 64 && alignof(Slot<RealAtomics>) == 64);

// A private copy of a slot's content.
struct SlotImage {
  std::uint64_t meta;
  std::uint64_t words[slot_words];
};

constexpr std::uint64_t writing(std::uint64_t position) noexcept { return 2 * position + 1; }
constexpr std::uint64_t ready(std::uint64_t position) noexcept { return 2 * position + 2; }
// The position that a sequence other than 0 speaks of.
constexpr std::uint64_t position_of(std::uint64_t sequence) noexcept { return (sequence - 1) / 2; }

template <class P>
class RingWriter {
 public:
  RingWriter(Slot<P>* slots, std::uint64_t depth) noexcept : slots_(slots), mask_(depth - 1) {}

  std::uint64_t next() const noexcept { return next_; }
  std::uint64_t slot_index() const noexcept { return next_ & mask_; }
  // The word sleepers wait on for the message that was published last.
  const void* last_sequence() const noexcept { return &slots_[(next_ - 1) & mask_].sequence; }

  // Makes these 48 bytes message number next() and counts on.
  void publish(std::uint64_t meta, const std::byte* bytes) noexcept {
    const std::uint64_t position = next_;  // the compiler cannot know that no slot overlaps it
    Slot<P>& slot = slots_[position & mask_];
    // relaxed[ring.mark]: the fence below orders it before the words.
    slot.sequence.store(writing(position), std::memory_order_relaxed);
    // sync[ring.mark] release: whoever sees one of the new words also sees the mark, and so
    // finds the sequence changed after copying.
    P::fence(std::memory_order_release);
    // relaxed[ring.words]: published by the ready store, guarded by the mark.
    slot.meta.store(meta, std::memory_order_relaxed);
    P::store_words(slot.words, bytes);
    // sync[ring.ready] release: the words are complete before anyone can expect them.
    slot.sequence.store(ready(position), std::memory_order_release);
    next_ = position + 1;
  }

 private:
  Slot<P>* slots_;
  std::uint64_t mask_;
  std::uint64_t next_ = 0;
};

enum class Read {
  ready,    // the image is whole
  nothing,  // the message is not there yet
  lapped,   // it is gone: the writer came round
};

template <class P>
class RingReader {
 public:
  RingReader(const Slot<P>* slots, std::uint64_t depth) noexcept
      : slots_(slots), mask_(depth - 1) {}

  std::uint64_t depth() const noexcept { return mask_ + 1; }

  // Copies message `position`; `words` has room for slot_words words, and is written unless the
  // answer is `nothing`.
  Read read(std::uint64_t position, std::uint64_t& meta, std::byte* words) const noexcept {
    const Slot<P>& slot = slots_[position & mask_];
    // sync[ring.ready] acquire: meets publish(); the words below are at least as new.
    const std::uint64_t before = slot.sequence.load(std::memory_order_acquire);
    if (before != ready(position)) return before < ready(position) ? Read::nothing : Read::lapped;
    // relaxed[ring.words]: checked by the second look at the sequence.
    meta = slot.meta.load(std::memory_order_relaxed);
    P::load_words(slot.words, words);
    // sync[ring.mark] acquire: meets publish()'s fence; if a word came from a later lap, the load
    // below sees that lap's mark.
    P::fence(std::memory_order_acquire);
    return still_holds(position) ? Read::ready : Read::lapped;
  }
  Read read(std::uint64_t position, SlotImage& image) const noexcept {
    return read(position, image.meta, reinterpret_cast<std::byte*>(image.words));
  }

  // Is message `position` still in its slot? Relaxed: the caller has just fenced.
  bool still_holds(std::uint64_t position) const noexcept {
    // relaxed[ring.recheck]: ordered after the copy or the pin by the caller's fence.
    return slots_[position & mask_].sequence.load(std::memory_order_relaxed) == ready(position);
  }

  bool is_ready(std::uint64_t position) const noexcept {
    return sequence_at(position) == ready(position);
  }

  // The raw word of the slot that message `position` will use, and its address to sleep on.
  std::uint64_t sequence_at(std::uint64_t position) const noexcept {
    // sync[ring.ready] acquire: whoever finds it ready may read the words.
    return slots_[position & mask_].sequence.load(std::memory_order_acquire);
  }
  const void* sequence_address(std::uint64_t position) const noexcept {
    return &slots_[position & mask_].sequence;
  }

  // Where to go on after message `position` was found lapped: the oldest message that is likely to
  // survive being read. A quarter of the ring is left as a head start on the writer.
  std::uint64_t after_lap(std::uint64_t position) const noexcept {
    const std::uint64_t sequence = sequence_at(position);
    if (sequence <= ready(position)) return position;
    const std::uint64_t newest_here = position_of(sequence);
    const std::uint64_t target = newest_here - mask_ + depth() / 4;
    return target > position ? target : position + 1;
  }

  // One past the newest message that is ready. Looks at every slot: for joining, not for taking.
  std::uint64_t find_next() const noexcept {
    std::uint64_t next = 0;
    for (std::uint64_t i = 0; i <= mask_; ++i) {
      const std::uint64_t sequence = sequence_at(i);
      // Ready at p counts to p+1; being written at p counts to p.
      const std::uint64_t here = sequence / 2;
      if (here > next) next = here;
    }
    return next;
  }

  // The first message of those kept, given that `next` is one past the newest.
  std::uint64_t oldest_kept(std::uint64_t next) const noexcept {
    return next > depth() ? next - depth() : 0;
  }

 private:
  const Slot<P>* slots_;
  std::uint64_t mask_;
};

}  // namespace signalbox::shm
