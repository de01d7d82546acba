// Goal: a reader of the ring gets whole messages in order and counts exactly what it lost.
// Method: each answer of the reader in one thread, then one writer against readers in real threads;
// the tsan preset runs the same.
#include "signalbox/shm/ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

namespace signalbox::shm {
namespace {

using Ring = std::vector<Slot<RealAtomics>>;

Ring ring_of(std::uint64_t depth, std::uint32_t lines = 1) {
  return Ring(ring_lines(depth, lines));
}
// Of a ring of slots of one line.
std::uint64_t depth_of(const Ring& slots) { return slots.size() / slot_pitch(1); }

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
  Ring slots = ring_of(4);
  RingWriter<RealAtomics> writer(slots.data(), depth_of(slots));
  const RingReader<RealAtomics> reader(slots.data(), depth_of(slots));
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
  Ring slots = ring_of(2);
  RingWriter<RealAtomics> writer(slots.data(), depth_of(slots));
  const RingReader<RealAtomics> reader(slots.data(), depth_of(slots));
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
    Ring slots = ring_of(depth);
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
  Ring slots = ring_of(8);
  const RingReader<RealAtomics> reader(slots.data(), depth_of(slots));
  EXPECT_EQ(reader.oldest_kept(0), 0U);
  EXPECT_EQ(reader.oldest_kept(8), 0U);
  EXPECT_EQ(reader.oldest_kept(9), 1U);
}

// Slots of several lines: as many words as a message needs, no two alike.
using LongWords = std::array<std::uint64_t, words_in(slot_lines_max)>;

LongWords long_words_of(std::uint64_t position) {
  LongWords words;
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = position * 100 + i;
  return words;
}

void publish_next_long(RingWriter<RealAtomics>& writer, std::size_t words) {
  const LongWords all = long_words_of(writer.next());
  writer.publish_long(writer.next(), reinterpret_cast<const std::byte*>(all.data()), words);
}

Read read_long(const RingReader<RealAtomics>& reader, std::uint64_t position, std::size_t words,
               bool& whole) {
  LongWords got{};
  std::uint64_t meta = 0;
  const Read answer =
      reader.read_long(position, meta, reinterpret_cast<std::byte*>(got.data()), words);
  whole = meta == position &&
          std::memcmp(got.data(), long_words_of(position).data(), words * sizeof(got[0])) == 0;
  return answer;
}

TEST(LongSlots, CarryAsManyWordsAsTheyHaveRoomForAndNoMore) {
  for (std::uint32_t lines = 2; lines <= slot_lines_max; ++lines) {
    constexpr std::uint64_t depth = 4;
    Ring slots = ring_of(depth + 1, lines);  // one slot behind the ring, which stays as it is
    RingWriter<RealAtomics> writer(slots.data(), depth, lines);
    const RingReader<RealAtomics> reader(slots.data(), depth, lines);
    for (std::uint64_t i = 0; i < 3 * depth; ++i) {
      publish_next_long(writer, words_in(lines));
      bool whole = false;
      EXPECT_EQ(read_long(reader, i, words_in(lines), whole), Read::ready);
      EXPECT_TRUE(whole) << lines << " lines, message " << i;
      EXPECT_EQ(read_long(reader, i + 1, words_in(lines), whole), Read::nothing);
    }
    EXPECT_EQ(reader.find_next(), 3 * depth);
    const Slot<RealAtomics> untouched{};
    EXPECT_EQ(std::memcmp(&slots[ring_lines(depth, lines)], &untouched, sizeof(untouched)), 0);
  }
}

TEST(LongSlots, AMessageBeingWrittenIsNotThereYetAndItsReaderGoesOn) {
  constexpr std::uint32_t lines = 3;
  for (const std::uint64_t depth : {1U, 2U, 8U}) {
    Ring slots = ring_of(depth, lines);
    RingWriter<RealAtomics> writer(slots.data(), depth, lines);
    const RingReader<RealAtomics> reader(slots.data(), depth, lines);
    for (std::uint64_t i = 0; i < depth; ++i) publish_next_long(writer, words_in(lines));
    slots[lines - 1].words[slot_words - 1].store(writing(depth));  // as a killed writer leaves it
    bool whole = false;
    EXPECT_EQ(read_long(reader, 0, words_in(lines), whole), Read::lapped);
    EXPECT_GT(reader.after_lap(0), 0U) << "or it would look at message 0 for ever";
    EXPECT_EQ(read_long(reader, depth, words_in(lines), whole), Read::nothing);
    EXPECT_EQ(reader.find_next(), depth);
  }
}

// Its lines may have been taken back for the next message already (decision 037).
TEST(LongSlots, TheOldestMessageStaysWholeUntilItIsOverwritten) {
  constexpr std::uint64_t depth = 4;
  for (std::uint32_t lines = 2; lines <= slot_lines_max; ++lines) {
    Ring slots = ring_of(depth, lines);
    RingWriter<RealAtomics> writer(slots.data(), depth, lines);
    const RingReader<RealAtomics> reader(slots.data(), depth, lines);
    for (std::uint64_t i = 0; i < depth; ++i) publish_next_long(writer, words_in(lines));
    for (std::uint64_t i = 0; i < depth; ++i) {
      bool whole = false;
      EXPECT_EQ(read_long(reader, i, words_in(lines), whole), Read::ready);
      EXPECT_TRUE(whole) << lines << " lines, message " << i;
      publish_next_long(writer, words_in(lines));
      EXPECT_EQ(read_long(reader, i, words_in(lines), whole), Read::lapped);
    }
  }
}

// Takes so many messages of slots of several lines; how many were not whole.
std::uint64_t follow_long(const RingReader<RealAtomics>& reader, std::size_t words,
                          std::uint64_t to_take) {
  std::uint64_t torn = 0;
  std::uint64_t position = 0;
  for (std::uint64_t taken = 0; taken < to_take;) {
    bool whole = false;
    const Read answer = read_long(reader, position, words, whole);
    if (answer == Read::nothing) std::this_thread::yield();
    if (answer == Read::lapped) position = reader.after_lap(position);
    if (answer != Read::ready) continue;
    if (!whole) ++torn;
    ++taken;
    ++position;
  }
  return torn;
}

TEST(LongSlots, ReadersInOtherThreadsSeeWholeMessagesInOrder) {
  constexpr std::uint64_t depth = 4;
  for (const std::uint32_t lines : {2U, slot_lines_max}) {
    Ring slots = ring_of(depth, lines);
    std::atomic<bool> is_reading{true};
    std::uint64_t torn = 0;
    std::jthread follower([&] {
      const RingReader<RealAtomics> reader(slots.data(), depth, lines);
      torn = follow_long(reader, words_in(lines), 10'000);
      is_reading = false;
    });
    RingWriter<RealAtomics> writer(slots.data(), depth, lines);
    while (is_reading) {
      publish_next_long(writer, words_in(lines));
      if (writer.next() % (2 * depth) == 0) std::this_thread::yield();
    }
    follower.join();
    EXPECT_EQ(torn, 0U) << lines << " lines";
  }
}

// Takes so many messages, and checks each.
void follow(const Ring& slots, std::uint64_t to_take, std::atomic<int>& torn) {
  const RingReader<RealAtomics> reader(slots.data(), depth_of(slots));
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
    Ring slots = ring_of(depth);
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
