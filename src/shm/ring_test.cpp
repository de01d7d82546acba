// Goal: a reader of the ring gets whole messages in order and counts exactly what it lost.
// Method: each answer of the reader in one thread, then one writer against readers in real threads;
// the tsan preset runs the same.
#include "shm/ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

namespace signalbox::shm {
namespace {

using Ring = std::vector<Slot<RealAtomics>>;

// Words of message `position`, no two alike and none like any other message's.
std::array<std::uint64_t, slot_words> words_of(std::uint64_t position) {
  std::array<std::uint64_t, slot_words> words;
  for (std::size_t i = 0; i < slot_words; ++i) words[i] = position * slot_words + i;
  return words;
}

void publish_next(RingWriter<RealAtomics>& writer) {
  const auto words = words_of(writer.next());
  writer.publish(writer.next(), reinterpret_cast<const std::byte*>(words.data()));
}

bool is_whole(const SlotImage& image, std::uint64_t position) {
  const auto words = words_of(position);
  return image.meta == position && std::memcmp(image.words, words.data(), sizeof(words)) == 0;
}

TEST(Ring, NothingIsThereBeforeItIsPublished) {
  Ring slots(4);
  RingWriter<RealAtomics> writer(slots.data(), slots.size());
  const RingReader<RealAtomics> reader(slots.data(), slots.size());
  SlotImage image;
  EXPECT_EQ(reader.read(0, image), Read::nothing);
  EXPECT_EQ(reader.find_next(), 0U);
  publish_next(writer);
  EXPECT_EQ(reader.read(0, image), Read::ready);
  EXPECT_TRUE(is_whole(image, 0));
  EXPECT_EQ(reader.read(1, image), Read::nothing);
  EXPECT_EQ(reader.find_next(), 1U);
}

TEST(Ring, AMessageBeingWrittenIsNotThereYetAndTheOneBeforeItIsGone) {
  Ring slots(2);
  RingWriter<RealAtomics> writer(slots.data(), slots.size());
  const RingReader<RealAtomics> reader(slots.data(), slots.size());
  for (int i = 0; i < 2; ++i) publish_next(writer);
  slots[0].sequence.store(writing(2));  // as a writer that was killed leaves it
  SlotImage image;
  EXPECT_EQ(reader.read(0, image), Read::lapped);
  EXPECT_EQ(reader.read(2, image), Read::nothing);
  EXPECT_EQ(reader.read(1, image), Read::ready);
  EXPECT_EQ(reader.find_next(), 2U);
}

TEST(Ring, ALappedReaderGoesOnAQuarterOfTheRingBehindTheOldest) {
  for (const std::uint64_t depth : {1U, 2U, 4U, 8U, 64U}) {
    Ring slots(depth);
    RingWriter<RealAtomics> writer(slots.data(), depth);
    const RingReader<RealAtomics> reader(slots.data(), depth);
    for (std::uint64_t i = 0; i < 5 * depth; ++i) publish_next(writer);
    SlotImage image;
    ASSERT_EQ(reader.read(0, image), Read::lapped);
    // Slot 0 holds the first message of the last lap, so that is the newest known from there.
    const std::uint64_t newest_in_slot = 4 * depth;
    EXPECT_EQ(reader.after_lap(0), newest_in_slot - (depth - 1) + depth / 4) << depth;
    EXPECT_EQ(reader.find_next(), 5 * depth);
    EXPECT_EQ(reader.oldest_kept(reader.find_next()), 4 * depth);
  }
}

TEST(Ring, OldestKeptOfARingThatIsNotFullIsTheFirst) {
  Ring slots(8);
  const RingReader<RealAtomics> reader(slots.data(), slots.size());
  EXPECT_EQ(reader.oldest_kept(0), 0U);
  EXPECT_EQ(reader.oldest_kept(8), 0U);
  EXPECT_EQ(reader.oldest_kept(9), 1U);
}

// Takes so many messages, and checks each.
void follow(const Ring& slots, std::uint64_t to_take, std::atomic<int>& torn) {
  const RingReader<RealAtomics> reader(slots.data(), slots.size());
  std::uint64_t lost = 0;
  std::uint64_t taken = 0;
  std::uint64_t position = 0;
  while (taken < to_take) {
    SlotImage image;
    switch (reader.read(position, image)) {
      case Read::nothing:
        std::this_thread::yield();
        break;
      case Read::lapped: {
        const std::uint64_t next = reader.after_lap(position);
        lost += next - position;
        position = next;
        break;
      }
      case Read::ready:
        if (!is_whole(image, position)) ++torn;
        ++taken;
        ++position;
    }
  }
  EXPECT_EQ(taken + lost, position);
}

TEST(Ring, ReadersInOtherThreadsSeeWholeMessagesInOrder) {
  constexpr std::uint64_t to_take = 10'000;
  constexpr int readers = 2;
  for (const std::size_t depth : {1U, 2U, 16U}) {
    Ring slots(depth);
    std::atomic<int> torn{0};
    std::atomic<int> reading{readers};
    std::vector<std::jthread> threads;
    threads.reserve(readers);
    for (int i = 0; i < readers; ++i) {
      threads.emplace_back([&] {
        follow(slots, to_take, torn);
        --reading;
      });
    }
    RingWriter<RealAtomics> writer(slots.data(), depth);
    while (reading > 0) {
      publish_next(writer);
      // Lets readers in while the ring is whole, or they would be lapped for ever.
      if (writer.next() % (2 * depth) == 0) std::this_thread::yield();
    }
    threads.clear();
    EXPECT_EQ(torn, 0) << "depth " << depth;
  }
}

}  // namespace
}  // namespace signalbox::shm
