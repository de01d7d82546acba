// Goal: a publisher makes sense of any cursor, and a slot given back is not read any more.
// Method: the clamp against a table, then a writer that waits for its reader in real threads, over
// a slot of plain bytes that ThreadSanitizer watches.
#include "signalbox/shm/cursors.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

namespace signalbox::shm {
namespace {

TEST(Cursors, AreClampedToWhatTheRingCanHold) {
  EXPECT_EQ(clamp_cursor(5, 8, 4), 5U);
  EXPECT_EQ(clamp_cursor(4, 8, 4), 4U);
  EXPECT_EQ(clamp_cursor(3, 8, 4), 4U) << "further behind than the ring is long";
  EXPECT_EQ(clamp_cursor(0, 8, 4), 4U);
  EXPECT_EQ(clamp_cursor(8, 8, 4), 8U);
  EXPECT_EQ(clamp_cursor(9, 8, 4), 8U) << "ahead of what was published";
  EXPECT_EQ(clamp_cursor(UINT64_MAX, 8, 4), 8U);
  EXPECT_EQ(clamp_cursor(0, 2, 4), 0U);
}

TEST(Cursors, BelongToOnePublisherFromBeginToEnd) {
  Cursor<RealAtomics> cursor{};
  EXPECT_EQ(cursor_owner(cursor), 0U);
  begin_cursor(cursor, 77, 5);
  EXPECT_EQ(cursor_owner(cursor), 77U);
  EXPECT_EQ(cursor_position(cursor), 5U);
  advance_cursor(cursor, 6);
  EXPECT_EQ(cursor_position(cursor), 6U);
  EXPECT_EQ(arenas_mapped(cursor), 0U);
  say_mapped(cursor, 2);
  say_mapped(cursor, 8);
  EXPECT_EQ(arenas_mapped(cursor), 10U);
  end_cursor(cursor);
  EXPECT_EQ(cursor_owner(cursor), 0U);
  begin_cursor(cursor, 78, 0);
  EXPECT_EQ(arenas_mapped(cursor), 0U) << "those of another publisher";
}

TEST(Cursors, KeepAWriterFromWhatIsStillRead) {
  constexpr std::uint64_t messages = 100'000;
  constexpr std::uint64_t depth = 4;
  Cursor<RealAtomics> cursor{};
  begin_cursor(cursor, 1, 0);
  std::array<std::uint64_t, depth> slots{};
  std::atomic<std::uint64_t> next{0};
  std::jthread writer([&] {
    for (std::uint64_t i = 0; i < messages; ++i) {
      while (i >= clamp_cursor(cursor_position(cursor), i, depth) + depth)
        std::this_thread::yield();
      slots[i % depth] = i;
      next.store(i + 1, std::memory_order_release);
    }
  });
  int wrong = 0;
  for (std::uint64_t i = 0; i < messages; ++i) {
    while (next.load(std::memory_order_acquire) <= i) std::this_thread::yield();
    if (slots[i % depth] != i) ++wrong;
    advance_cursor(cursor, i + 1);
  }
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace signalbox::shm
