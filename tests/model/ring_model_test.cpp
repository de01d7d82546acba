// Goal: readers of a ring that wraps under them get whole messages, in order, none twice, and can
// count what they lost.
// Method: two slots, three messages and more, so that the writer overwrites what is being read.
#include "model_run.hpp"

#include <array>

#include "signalbox/shm/ring.hpp"

namespace signalbox::model {
namespace {

// Every word of message `position` says so; a mixture of two messages cannot be mistaken for one.
constexpr std::uint64_t word_of(std::uint64_t position) { return 100 + position; }

template <class P>
struct SharedRing {
  static constexpr std::uint64_t depth = 2;
  std::array<shm::Slot<P>, shm::ring_lines(depth)> slots;
};

template <Weakened weakened, int readers, std::uint64_t messages>
struct RingModel : rl::test_suite<RingModel<weakened, readers, messages>, 1 + readers> {
  using P = RelacyAtomics<weakened>;
  Placed<SharedRing<P>> shared;

  void thread(unsigned index) { index == 0 ? write() : read(); }

  void write() {
    shm::RingWriter<P> ring(shared->slots.data(), shared->depth);
    for (std::uint64_t i = 0; i < messages; ++i) {
      std::array<std::uint64_t, shm::slot_words> words;
      words.fill(word_of(i));
      ring.publish(word_of(i), reinterpret_cast<const std::byte*>(words.data()));
    }
  }

  void read() {
    const shm::RingReader<P> ring(shared->slots.data(), shared->depth);
    std::uint64_t position = 0;
    std::uint64_t taken = 0;
    std::uint64_t lost = 0;
    while (position < messages) {
      shm::SlotImage image;
      switch (ring.read(position, image)) {
        case shm::Read::nothing:
          rl::yield(1, RL_INFO);
          break;
        case shm::Read::lapped: {
          const std::uint64_t next = ring.after_lap(position);
          RL_ASSERT(next > position && next < messages);
          lost += next - position;
          position = next;
          break;
        }
        case shm::Read::ready:
          RL_ASSERT(image.meta == word_of(position));
          for (const std::uint64_t word : image.words) RL_ASSERT(word == word_of(position));
          ++taken;
          ++position;
      }
    }
    RL_ASSERT(taken + lost == messages);
  }
};

// The same with slots of two lines, whose mark is not where the sequence is. Four words are enough
// to be torn: two in each line.
template <Weakened weakened, std::uint64_t messages>
struct LongRingModel : rl::test_suite<LongRingModel<weakened, messages>, 2> {
  using P = RelacyAtomics<weakened>;
  static constexpr std::uint32_t lines = 2;
  static constexpr std::uint64_t depth = 2;
  static constexpr std::size_t word_count = 8;
  using Words = std::array<std::uint64_t, word_count>;
  struct Slots {
    std::array<shm::Slot<P>, shm::ring_lines(depth, lines)> slots;
  };
  Placed<Slots> shared;

  void thread(unsigned index) { index == 0 ? write() : read(); }

  void write() {
    shm::RingWriter<P> ring(shared->slots.data(), depth, lines);
    for (std::uint64_t i = 0; i < messages; ++i) {
      Words words;
      words.fill(word_of(i));
      ring.publish_long(word_of(i), reinterpret_cast<const std::byte*>(words.data()), word_count);
    }
  }

  void read() {
    const shm::RingReader<P> ring(shared->slots.data(), depth, lines);
    std::uint64_t position = 0;
    while (position < messages) {
      Words words{};
      std::uint64_t meta = 0;
      auto* const bytes = reinterpret_cast<std::byte*>(words.data());
      switch (ring.read_long(position, meta, bytes, word_count)) {
        case shm::Read::nothing:
          rl::yield(1, RL_INFO);
          break;
        case shm::Read::lapped: {
          const std::uint64_t next = ring.after_lap(position);
          RL_ASSERT(next > position && next <= messages);
          position = next;
          break;
        }
        case shm::Read::ready:
          RL_ASSERT(meta == word_of(position));
          for (const std::uint64_t word : words) RL_ASSERT(word == word_of(position));
          ++position;
      }
    }
  }
};

// A joiner that looks for the newest message finds none that was not published, and misses none
// that was when it began to look.
template <Weakened weakened>
struct FindNextModel : rl::test_suite<FindNextModel<weakened>, 2> {
  using P = RelacyAtomics<weakened>;
  Placed<SharedRing<P>> shared;
  typename P::template atomic<std::uint64_t> published;
  std::uint64_t truly_published = 0;  // no part of the model: what an all-seeing observer knows

  void thread(unsigned index) {
    if (index == 0) {
      shm::RingWriter<P> ring(shared->slots.data(), shared->depth);
      for (std::uint64_t i = 0; i < 4; ++i) {
        const std::array<std::uint64_t, shm::slot_words> words{};
        ring.publish(0, reinterpret_cast<const std::byte*>(words.data()));
        ++truly_published;
        published.store(i + 1, std::memory_order_release);
      }
    } else {
      const shm::RingReader<P> ring(shared->slots.data(), shared->depth);
      const std::uint64_t before = published.load(std::memory_order_acquire);
      const std::uint64_t next = ring.find_next();
      RL_ASSERT(next >= before && next <= truly_published);
    }
  }
};

using enum Weakened;

TEST(RingModel, OneReaderIsLapped) { expect_green<RingModel<nothing, 1, 4>>(); }
TEST(RingModel, TwoReadersAreLapped) { expect_green<RingModel<nothing, 2, 3>>({.switches = 1}); }
TEST(RingModel, AReaderOfLongSlotsIsLapped) {
  expect_green<LongRingModel<nothing, 3>>({.switches = 1});
}
TEST(RingModel, AJoinerFindsTheNewest) { expect_green<FindNextModel<nothing>>(); }

TEST(RingModelSeeded, WithoutReleaseOnReadyWordsAreOld) {
  expect_red<RingModel<release_stores, 1, 4>>(rl::test_result_user_assert_failed);
}
TEST(RingModelSeeded, WithoutAcquireOnReadyWordsAreOld) {
  expect_red<RingModel<acquire_loads, 1, 4>>(rl::test_result_user_assert_failed);
}
TEST(RingModelSeeded, WithoutTheFenceBehindTheMarkMessagesAreTorn) {
  expect_red<RingModel<release_fences, 1, 4>>(rl::test_result_user_assert_failed);
}
TEST(RingModelSeeded, WithoutTheFenceBeforeTheSecondLookMessagesAreTorn) {
  expect_red<RingModel<acquire_fences, 1, 4>>(rl::test_result_user_assert_failed);
}
TEST(RingModelSeeded, WithoutReleaseOnReadyWordsOfLongSlotsAreOld) {
  expect_red<LongRingModel<release_stores, 4>>(rl::test_result_user_assert_failed);
}
TEST(RingModelSeeded, WithoutTheFenceBehindTheMarkLongSlotsAreTorn) {
  expect_red<LongRingModel<release_fences, 4>>(rl::test_result_user_assert_failed);
}
TEST(RingModelSeeded, WithoutTheFenceBeforeTheMarkIsReadLongSlotsAreTorn) {
  expect_red<LongRingModel<acquire_fences, 4>>(rl::test_result_user_assert_failed);
}
TEST(RingModelSeeded, WithoutReleaseAJoinerMissesTheNewest) {
  expect_red<FindNextModel<release_stores>>(rl::test_result_user_assert_failed);
}

}  // namespace
}  // namespace signalbox::model
