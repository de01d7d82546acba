// ring.hpp: the broadcast ring of one publisher. One writer, any number of readers, no shared
// index.
//
// A reader looks at the slot it expects next, copies it and looks at the mark: unchanged means
// whole, larger means that the writer has lapped it. The sequence never comes round: 64 bits.
//
//   Threads  one writer thread; each reader thread has its own RingReader
//   Crash    a writer that dies inside publish() leaves 2p+1 behind: that message was never there
//   Limits   depth is a power of two; slot_lines_max lines a slot
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "signalbox/shm/slot.hpp"

namespace signalbox::shm {

template <class P>
class RingWriter {
 public:
  RingWriter(Slot<P>* slots, std::uint64_t depth, std::uint32_t lines = 1) noexcept
      : slots_(slots, depth, lines) {}

  std::uint64_t next() const noexcept { return next_; }
  // A number below depth for each slot.
  std::uint64_t slot_index() const noexcept { return next_ & slots_.mask(); }
  // The word sleepers wait on for the message that was published last.
  const void* last_sequence() const noexcept { return &slots_.first_line(next_ - 1).sequence; }
  // The slot of the message that will come next, or `ahead` messages after that.
  const std::byte* next_slot(std::uint64_t ahead = 0) const noexcept {
    return reinterpret_cast<const std::byte*>(&slots_.first_line(next_ + ahead));
  }

  // Makes these 48 bytes message next() and counts on. For slots of one line.
  void publish(std::uint64_t meta, const std::byte* bytes) noexcept {
    Slot<P>& slot = slots_.one_line(next_);
    write(next_, slot, slot.sequence, meta, [&] { P::store_words(slot.words, bytes); });
  }
  // The same out of registers, for who has asked for next() already.
  void publish_at(std::uint64_t next, std::uint64_t meta,
                  const std::uint64_t (&words)[slot_words]) noexcept {
    Slot<P>& slot = slots_.one_line(next);
    write(next, slot, slot.sequence, meta, [&] {
#pragma GCC unroll 6
      for (std::size_t i = 0; i < slot_words; ++i) {
        // relaxed[ring.words]: published by the ready store, guarded by the mark.
        slot.words[i].store(words[i], std::memory_order_relaxed);
      }
    });
  }
  // The same for slots of several lines, and `words` words: an even count.
  void publish_long(std::uint64_t meta, const std::byte* bytes, std::size_t words) noexcept {
    Slot<P>& first = slots_.first_line(next_);
    write(next_, first, slots_.mark(first), meta, [&] { P::store_lines(&first, bytes, words); });
    const bool is_other_slot = slots_.depth() > 1;
    if (slots_.lines() > P::slot_lines_asked_for && is_other_slot) slots_.take_back_rest(next_);
  }

 private:
  template <class Store>
  void write(std::uint64_t position, Slot<P>& slot,
             typename P::template atomic<std::uint64_t>& mark, std::uint64_t meta,
             Store store) noexcept {
    // relaxed[ring.mark]: the fence below orders it before the words.
    mark.store(writing(position), std::memory_order_relaxed);
    // sync[ring.mark] release: whoever sees one of the new words also sees the mark, and so
    // finds it changed after copying.
    P::fence(std::memory_order_release);
    // relaxed[ring.words]: published by the ready store, guarded by the mark.
    slot.meta.store(meta, std::memory_order_relaxed);
    store();
    // sync[ring.ready] release: the words are complete before anyone can expect them.
    slot.sequence.store(ready(position), std::memory_order_release);
    next_ = position + 1;
  }

  SlotArray<Slot<P>> slots_;
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
  RingReader(const Slot<P>* slots, std::uint64_t depth, std::uint32_t lines = 1) noexcept
      : slots_(slots, depth, lines) {}

  std::uint64_t depth() const noexcept { return slots_.depth(); }

  // Copies message `position` out of its slot of one line; `words` has room for slot_words words,
  // and is written unless the answer is `nothing`.
  Read read(std::uint64_t position, std::uint64_t& meta, std::byte* words) const noexcept {
    const Slot<P>& slot = slots_.one_line(position);
    // Its mark is the sequence, which says ready while nothing is being written.
    return copy(slot, slot.sequence, ready(position), position, meta,
                [&] { P::load_words(slot.words, words); });
  }
  Read read(std::uint64_t position, SlotImage& image) const noexcept {
    return read(position, image.meta, reinterpret_cast<std::byte*>(image.words));
  }

  // The same out of a slot of several lines: the first `count` words, an even count. Who finds
  // nothing asks for all lines, if they are few: he looks again and again, and if he asks only when
  // the first has come with the message in it, the others cost him a second trip.
  Read read_long(std::uint64_t position, std::uint64_t& meta, std::byte* words,
                 std::size_t count) const noexcept {
    const Slot<P>& first = slots_.first_line(position);
    const Read outcome = copy(first, slots_.mark(first), writing(position), position, meta,
                              [&] { P::load_lines(&first, words, count); });
    if (outcome == Read::nothing && slots_.lines() <= P::slot_lines_asked_for) {
      slots_.ask_for_rest(position);
    }
    return outcome;
  }

  // Is message `position` still in its slot of one line? Relaxed: the caller has just fenced.
  bool still_holds(std::uint64_t position) const noexcept {
    // relaxed[ring.recheck]: ordered after the pin by the caller's fence.
    return slots_.one_line(position).sequence.load(std::memory_order_relaxed) == ready(position);
  }

  bool is_ready(std::uint64_t position) const noexcept {
    return sequence_at(position) == ready(position);
  }

  // The raw word of the slot that message `position` will use, and its address to sleep on.
  std::uint64_t sequence_at(std::uint64_t position) const noexcept {
    // sync[ring.ready] acquire: whoever finds it ready may read the words.
    return slots_.first_line(position).sequence.load(std::memory_order_acquire);
  }
  const void* sequence_address(std::uint64_t position) const noexcept {
    return &slots_.first_line(position).sequence;
  }

  // Where to go on after message `position` was found lapped: the oldest message that is likely to
  // survive being read. A quarter of the ring is left as a head start on the writer.
  std::uint64_t after_lap(std::uint64_t position) const noexcept {
    const std::uint64_t newest = std::max(sequence_at(position), mark_at(position));
    if (newest <= ready(position)) return position;
    const std::uint64_t newest_here = position_of(newest);
    const std::uint64_t target = newest_here - slots_.mask() + depth() / 4;
    return target > position ? target : position + 1;
  }

  // One past the newest message that is ready. Looks at every slot: for joining, not for taking.
  std::uint64_t find_next() const noexcept {
    std::uint64_t next = 0;
    for (std::uint64_t i = 0; i < depth(); ++i) {
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
  // `unchanged` is what the mark says as long as message `position` is in its slot.
  template <class Load>
  static Read copy(const Slot<P>& slot, const typename P::template atomic<std::uint64_t>& mark,
                   std::uint64_t unchanged, std::uint64_t position, std::uint64_t& meta,
                   Load load) noexcept {
    // sync[ring.ready] acquire: meets write(); the words below are at least as new.
    const std::uint64_t before = slot.sequence.load(std::memory_order_acquire);
    if (before != ready(position)) return before < ready(position) ? Read::nothing : Read::lapped;
    // relaxed[ring.words]: checked by the look at the mark.
    meta = slot.meta.load(std::memory_order_relaxed);
    load();
    // sync[ring.mark] acquire: meets write()'s fence; if a word came from a later lap, the load
    // below sees that lap's mark.
    P::fence(std::memory_order_acquire);
    // relaxed[ring.recheck]: ordered after the copy by the fence.
    return mark.load(std::memory_order_relaxed) == unchanged ? Read::ready : Read::lapped;
  }

  std::uint64_t mark_at(std::uint64_t position) const noexcept {
    // sync[ring.mark] acquire: the sequence is looked at no later than this.
    return slots_.mark(slots_.first_line(position)).load(std::memory_order_acquire);
  }

  SlotArray<const Slot<P>> slots_;
};

}  // namespace signalbox::shm
