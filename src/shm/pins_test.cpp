// Goal: what is pinned is seen by the scan, and no frame is refilled under a reader.
// Method: the table in one thread, then a publisher against readers in real threads over frames of
// plain bytes, where ThreadSanitizer sees every access that a pin did not keep apart.
#include "shm/pins.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "shm/frame_pool.hpp"
#include "signalbox/shm/ring.hpp"

namespace signalbox::shm {
namespace {

constexpr std::uint64_t incarnation = 0x1234'5678'9abc'def0;
using Table = PinTable<RealAtomics>;

std::vector<std::uint32_t> pinned(const Table& table, std::uint64_t by = incarnation) {
  std::vector<std::uint32_t> found;
  collect(table, by, [&](std::uint32_t chunk) { found.push_back(chunk); });
  return found;
}

TEST(Pins, AreFoundUntilTheyAreWithdrawn) {
  Table table{};
  const std::size_t first = pin(table, pin_word(incarnation, 0));
  const std::size_t second = pin(table, pin_word(incarnation, chunks_limit - 1));
  EXPECT_EQ(pinned(table), (std::vector<std::uint32_t>{0, chunks_limit - 1}));
  unpin(table.words[first]);
  EXPECT_EQ(pinned(table), (std::vector<std::uint32_t>{chunks_limit - 1}));
  unpin(table.words[second]);
  EXPECT_TRUE(pinned(table).empty());
}

TEST(Pins, OfAnotherPublisherDoNotCount) {
  Table table{};
  const std::uint64_t other = incarnation ^ (std::uint64_t{1} << 63);
  static_cast<void>(pin(table, pin_word(other, 5)));
  EXPECT_TRUE(pinned(table).empty());
  EXPECT_EQ(pinned(table, other), (std::vector<std::uint32_t>{5}));
}

TEST(Pins, TheSameFrameMayBePinnedTwice) {
  Table table{};
  const std::size_t first = pin(table, pin_word(incarnation, 3));
  static_cast<void>(pin(table, pin_word(incarnation, 3)));
  unpin(table.words[first]);
  EXPECT_EQ(pinned(table), (std::vector<std::uint32_t>{3}));
}

TEST(Pins, AreLimitedAndReused) {
  Table table{};
  for (std::size_t i = 0; i < pin_slots; ++i) {
    EXPECT_EQ(pin(table, pin_word(incarnation, static_cast<std::uint32_t>(i))), i);
  }
  EXPECT_EQ(pin(table, pin_word(incarnation, 99)), no_pin);
  unpin(table.words[17]);
  EXPECT_EQ(pin(table, pin_word(incarnation, 99)), 17U);
}

// ---- in real threads ----------------------------------------------------------------------------

constexpr std::uint32_t depth = 4;
constexpr std::uint32_t held_max = 6;
constexpr std::uint32_t frames = frames_needed(depth, 1, held_max);
constexpr std::uint64_t to_take = 5'000;  // by each reader

struct Frame {
  std::uint64_t words[64];
};

// A publisher and its readers as the processes of a topic see each other.
struct Exchange {
  explicit Exchange(std::size_t readers) : tables(readers), reading(readers) {}
  std::vector<Slot<RealAtomics>> slots{ring_lines(depth)};
  std::vector<Table> tables;
  std::vector<Frame> arena{frames};
  std::atomic<int> torn{0};
  std::atomic<std::size_t> reading;

  void publish_while_read() {
    FramePool pool(frames, depth);
    RingWriter<RealAtomics> ring(slots.data(), depth);
    while (reading > 0) {
      if (!pool.has_free()) reclaim(pool);
      const std::uint32_t frame = pool.lend();
      if (frame == FramePool::none) {
        std::this_thread::yield();
        continue;
      }
      for (std::uint64_t& word : arena[frame].words) word = ring.next();
      const std::array<std::uint64_t, slot_words> words{frame};
      const std::uint64_t slot = ring.slot_index();
      ring.publish(0, reinterpret_cast<const std::byte*>(words.data()));
      pool.show(slot, frame);
      // Lets readers in while the ring is whole, or they would be lapped for ever.
      if (ring.next() % (2 * depth) == 0) std::this_thread::yield();
    }
  }
  void reclaim(FramePool& pool) {
    RealAtomics::full_fence();
    pool.reclaim([this](auto found) {
      for (const Table& table : tables) collect(table, incarnation, found);
    });
  }

  // Calls use(position, frame, word) for each message that was pinned in time.
  template <class Use>
  void read(Table& table, Use use) {
    const RingReader<RealAtomics> ring(slots.data(), depth);
    std::uint64_t position = 0;
    for (std::uint64_t taken = 0; taken < to_take;) {
      SlotImage image;
      const Read outcome = ring.read(position, image);
      if (outcome == Read::nothing) std::this_thread::yield();
      if (outcome == Read::lapped) position = ring.after_lap(position);
      if (outcome != Read::ready) continue;
      const auto frame = static_cast<std::uint32_t>(image.words[0]);
      const std::size_t index = pin(table, pin_word(incarnation, frame));
      if (index == no_pin) {
        std::this_thread::yield();  // another thread has them all and will release some
        continue;
      }
      if (!ring.still_holds(position)) {
        unpin(table.words[index]);
        continue;
      }
      use(position, frame, table.words[index]);
      ++position;
      ++taken;
    }
    --reading;
  }
  void check(std::uint64_t position, std::uint32_t frame) {
    for (const std::uint64_t word : arena[frame].words) {
      if (word != position) ++torn;
    }
  }
};

TEST(Pins, KeepFramesFromBeingRefilledUnderReaders) {
  Exchange exchange(2);
  std::vector<std::jthread> readers;
  readers.reserve(exchange.tables.size());
  for (Table& table : exchange.tables) {
    readers.emplace_back([&] {
      exchange.read(table, [&](std::uint64_t position, std::uint32_t frame, auto& word) {
        exchange.check(position, frame);
        unpin(word);
      });
    });
  }
  exchange.publish_while_read();
  readers.clear();
  EXPECT_EQ(exchange.torn, 0);
}

TEST(Pins, MayBeWithdrawnByAnotherThread) {
  struct Held {
    std::uint64_t position;
    std::uint32_t frame;
    std::atomic<std::uint64_t>* word;
  };
  Exchange exchange(1);
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Held> handed_over;
  bool done = false;
  std::jthread releaser([&] {
    for (;;) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return done || !handed_over.empty(); });
      if (handed_over.empty()) return;
      const Held held = handed_over.front();
      handed_over.pop_front();
      lock.unlock();
      exchange.check(held.position, held.frame);
      unpin(*held.word);
    }
  });
  std::jthread reader([&] {
    exchange.read(exchange.tables[0], [&](std::uint64_t position, std::uint32_t frame, auto& word) {
      const std::lock_guard lock(mutex);
      handed_over.push_back({position, frame, &word});
      changed.notify_one();
    });
    const std::lock_guard lock(mutex);
    done = true;
    changed.notify_one();
  });
  exchange.publish_while_read();
  reader.join();
  releaser.join();
  EXPECT_EQ(exchange.torn, 0);
}

}  // namespace
}  // namespace signalbox::shm
