// slot.hpp: the slots of a ring: what is in one, and where each is.
//
// A slot is one cache line, or a few for larger messages. Its first word tells everything:
//
//      0        8        16                                     64 * lines - 16
//      +--------+--------+------------------- - - - - ---------+--------+--------+
//      |sequence|  meta  |  words: a message, or its frame     | unused |  mark  |
//      +--------+--------+------------------- - - - - ---------+--------+--------+
//      sequence: 2p+2 once message p is ready; 0 never used
//      mark:     2p+1 from before message p is written. A slot of one line has no mark of its own:
//                its sequence is 2p+1 while message p is written, and the words fill the line.
//
// Only the first line of a larger slot is looked at by those who wait, so its mark is in the last
// one: it would take the line away from them, and they from the writer, in the middle of a message.
//
// Successive messages lie slot_step slots apart, and slots slot_pitch() lines: where one begins on
// the line behind another, the processor fetches it for the writer while its reader looks at it,
// and where they begin anywhere it does not learn which lines belong together (decision 036).
//
// The lines behind the first of a slot come to its reader in one of two ways, by their number: who
// waits asks for them, or the writer takes them back before he needs them (decision 037).
//
//   Threads  any
//   Crash    ring.hpp
//   Limits   depth is a power of two; slot_lines_max lines a slot
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "signalbox/shm/atomics.hpp"

namespace signalbox::shm {

inline constexpr std::size_t slot_words = 6;  // in a slot of one line
inline constexpr std::uint32_t slot_lines_max = 8;
inline constexpr std::uint64_t slot_step = 5;  // odd, so that every slot has its turn

// What the meta word says of a message that lies in its slot, without a tail.
inline constexpr std::uint64_t meta_of_message_in_slot = 1;

// The words of a message that a slot has room for. Both counts are even: words travel in pairs.
constexpr std::size_t words_in(std::uint32_t lines) noexcept {
  return lines == 1 ? slot_words : std::size_t{8} * lines - 4;
}

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

// The lines from the beginning of a slot to that of the one beside it.
constexpr std::uint32_t slot_pitch(std::uint32_t lines) noexcept {
  return lines == 1 ? 2 : std::bit_ceil(lines);
}

// The lines of a ring of so many slots.
constexpr std::size_t ring_lines(std::uint64_t depth, std::uint32_t lines = 1) noexcept {
  return depth * slot_pitch(lines);
}

// Where the slots of a ring are.
template <class AnySlot>
class SlotArray {
 public:
  SlotArray(AnySlot* slots, std::uint64_t depth, std::uint32_t lines) noexcept
      : slots_(slots), mask_(depth - 1), lines_(lines), pitch_(slot_pitch(lines)) {}

  std::uint64_t depth() const noexcept { return mask_ + 1; }
  std::uint64_t mask() const noexcept { return mask_; }
  // Of message `position`, where slots have one line.
  AnySlot& one_line(std::uint64_t position) const noexcept {
    return slots_[(position * slot_step & mask_) * slot_pitch(1)];
  }
  // The first line, however many there are.
  AnySlot& first_line(std::uint64_t position) const noexcept {
    return slots_[(position * slot_step & mask_) * pitch_];
  }
  std::uint32_t lines() const noexcept { return lines_; }
  // Asks for the lines behind the first one: a hint.
  void ask_for_rest(std::uint64_t position) const noexcept {
    const auto* const first = &first_line(position);
    for (std::uint32_t line = 1; line < lines_; ++line) __builtin_prefetch(first + line);
  }
  // For the writer: makes the lines behind the first one his own again, and changes nothing. A line
  // that he has beside its readers is not given to him alone by fetching it, but by a store, and
  // stores wait for each other.
  void take_back_rest(std::uint64_t position) const noexcept {
    auto* const first = &first_line(position);
    for (std::uint32_t line = 1; line < lines_; ++line) {
      auto& word = first[line].sequence;
      // relaxed[ring.words]: what is there already.
      word.store(word.load(std::memory_order_relaxed), std::memory_order_relaxed);
    }
  }
  // The word that is marked before a message is written.
  auto& mark(AnySlot& first) const noexcept {
    return lines_ == 1 ? first.sequence : (&first)[lines_ - 1].words[slot_words - 1];
  }

 private:
  AnySlot* slots_;
  std::uint64_t mask_;
  std::uint32_t lines_;
  std::uint32_t pitch_;
};

}  // namespace signalbox::shm
