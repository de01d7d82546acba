// atomics.hpp: the policy every lock-free template here is written over, and its shipped form.
//
// A policy names an atomic type, a fence, and the two halves of an asymmetric barrier. The model
// checker brings its own policy (tests/model), so what is checked is this very source.
//
//   P::template atomic<T>   load, store, exchange, fetch_add, fetch_or with std::memory_order
//   P::fence(order)         a thread fence
//   P::full_fence()         orders an earlier store before a later load
//   P::store_words, P::load_words   a slot's words to and from ordinary bytes, each word untorn
//   P::store_lines, P::load_lines   the same for a slot of several lines, from its third word on
//   P::slot_lines_asked_for   of so many lines all are asked for by whoever waits for the first
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define SBX_WIDE_WORDS
#include <emmintrin.h>
#endif

namespace signalbox::shm {

// Copies word by word. Both ends are ordered by the sequence that guards the words.
struct WordByWord {
  template <class Slot>
  static void store_lines(Slot* first, const std::byte* from, std::size_t words) noexcept {
    for (std::size_t i = 0; i < words; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, from + i * sizeof(word), sizeof(word));
      // relaxed[ring.words]: published by the ready store, guarded by the mark.
      word_at(first, i + 2).store(word, std::memory_order_relaxed);
    }
  }
  template <class Slot>
  static void load_lines(const Slot* first, std::byte* to, std::size_t words) noexcept {
    for (std::size_t i = 0; i < words; ++i) {
      // relaxed[ring.words]: checked by the look at the mark.
      const std::uint64_t word = word_at(first, i + 2).load(std::memory_order_relaxed);
      std::memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
  }

  template <class Word, std::size_t count>
  static void store_words(Word (&to)[count], const std::byte* from) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t word = 0;
      std::memcpy(&word, from + i * sizeof(word), sizeof(word));
      // relaxed[ring.words]: published by the ready store, guarded by the mark.
      to[i].store(word, std::memory_order_relaxed);
    }
  }
  template <class Word, std::size_t count>
  static void load_words(const Word (&from)[count], std::byte* to) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
      // relaxed[ring.words]: checked by the look at the mark.
      const std::uint64_t word = from[i].load(std::memory_order_relaxed);
      std::memcpy(to + i * sizeof(word), &word, sizeof(word));
    }
  }

 private:
  // Eight words a line, of which a slot's first two have names.
  template <class Slot>
  static auto& word_at(Slot* first, std::size_t index) noexcept {
    Slot& line = first[index / 8];
    if (index % 8 == 0) return line.sequence;
    return index % 8 == 1 ? line.meta : line.words[index % 8 - 2];
  }
};

#ifdef SBX_WIDE_WORDS
// Two words at a time: an aligned 16-byte access never tears inside its halves on any x86-64
// processor, and half of the instructions are saved. ThreadSanitizer wants to see the atomics.
//
// Ordinary bytes are read 8 at a time all the same. A message has just been written by its sender,
// field by field, and a load that is wider than the store before it cannot be answered from the
// store buffer: it waits until that store is in the cache, behind the stores of the message before,
// whose line is still on its way here from its reader. So each message would wait for a line.
struct WideWords {
  template <class Word, std::size_t count>
  static void store_words(Word (&to)[count], const std::byte* from) noexcept {
    static_assert(count % 2 == 0 && sizeof(Word) == 8);
    for (std::size_t i = 0; i < count; i += 2) {
      const std::byte* const at = from + i * sizeof(Word);
      _mm_store_si128(reinterpret_cast<__m128i*>(&to[i]), load_halves(at));
    }
  }
  template <class Word, std::size_t count>
  static void load_words(const Word (&from)[count], std::byte* to) noexcept {
    static_assert(count % 2 == 0 && sizeof(Word) == 8);
    for (std::size_t i = 0; i < count; i += 2) {
      const auto pair = _mm_load_si128(reinterpret_cast<const __m128i*>(&from[i]));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * sizeof(Word)), pair);
    }
  }
  template <class Slot>
  static void store_lines(Slot* first, const std::byte* from, std::size_t words) noexcept {
    auto* const to = reinterpret_cast<__m128i*>(first) + 1;
    for (std::size_t i = 0; i < words / 2; ++i) _mm_store_si128(to + i, load_halves(from + 16 * i));
  }
  template <class Slot>
  static void load_lines(const Slot* first, std::byte* to, std::size_t words) noexcept {
    const auto* const from = reinterpret_cast<const __m128i*>(first) + 1;
    for (std::size_t i = 0; i < words / 2; ++i) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 16 * i), _mm_load_si128(from + i));
    }
  }

 private:
  // Written as instructions, because compilers make one wide load of two narrow ones.
  static __m128i load_halves(const std::byte* at) noexcept {
    using Half = const std::byte[sizeof(std::uint64_t)];
    __m128i pair;
    asm("movq %1, %0\n\tmovhps %2, %0"
        : "=&x"(pair)
        : "m"(*reinterpret_cast<Half*>(at)),
          "m"(*reinterpret_cast<Half*>(at + sizeof(std::uint64_t))));
    return pair;
  }
};
#undef SBX_WIDE_WORDS
#else
using WideWords = WordByWord;
#endif

struct RealAtomics : WideWords {
  template <class T>
  using atomic = std::atomic<T>;
  static void fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }
  static void full_fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
  // Keeps the compiler from reordering; the processor's half is done by the other side's heavy
  // barrier (os::heavy_barrier).
  static void compiler_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
  // Measured (decision 037): more come sooner if the writer takes them back.
  static constexpr std::uint32_t slot_lines_asked_for = 5;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "slots are 64-bit words");
static_assert(sizeof(std::atomic<std::uint64_t>) == 8);

}  // namespace signalbox::shm
