// Goal: every frame is in one state at a time, and the sum of frames_needed() is enough.
// Method: a long random walk through the pool's moves beside a plain book of who has which frame.
#include "shm/frame_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <vector>

namespace signalbox::shm {
namespace {

TEST(FramePool, LendsEachFrameOnceAndThenNone) {
  FramePool pool(3, 2);
  std::set<std::uint32_t> lent{pool.lend(), pool.lend(), pool.lend()};
  EXPECT_EQ(lent, (std::set<std::uint32_t>{0, 1, 2}));
  EXPECT_FALSE(pool.has_free());
  EXPECT_EQ(pool.lend(), FramePool::none);
  pool.give_back(1);
  EXPECT_EQ(pool.lend(), 1U);
}

TEST(FramePool, FreesOverwrittenFramesThatNobodyPins) {
  FramePool pool(2, 1);
  const std::uint32_t first = pool.lend();
  pool.show(0, first);
  const std::uint32_t second = pool.lend();
  pool.show(0, second);
  pool.reclaim([&](auto found) { found(first); });
  EXPECT_FALSE(pool.has_free());
  pool.reclaim([](auto) {});
  EXPECT_EQ(pool.lend(), first);
}

TEST(FramePool, PinsOfFramesThatAreShownOrDoNotExistChangeNothing) {
  FramePool pool(2, 1);
  const std::uint32_t first = pool.lend();
  pool.show(0, first);
  const std::uint32_t second = pool.lend();
  pool.show(0, second);
  pool.reclaim([&](auto found) {
    found(second);
    found(2);           // one past the last
    found(UINT32_MAX);  // rubbish from a foreign page
  });
  EXPECT_EQ(pool.lend(), first);
}

TEST(FramePool, AMessageInPlaceRetiresTheFrameBeforeIt) {
  FramePool pool(1, 1);
  pool.show(0, pool.lend());
  pool.show(0, FramePool::none);
  pool.reclaim([](auto) {});
  EXPECT_TRUE(pool.has_free());
}

TEST(FramePool, FurtherArenasHaveNumbersOfTheirOwn) {
  FramePool pool(2, 1);
  pool.add_arena(3);
  EXPECT_EQ((std::set<std::uint32_t>{pool.lend_from(3), pool.lend_from(3)}),
            (std::set<std::uint32_t>{6, 7}));
  EXPECT_FALSE(pool.has_free(3));
  EXPECT_FALSE(pool.has_free(1));  // not added
  EXPECT_TRUE(pool.has_free(0));
  pool.add_arena(1);
  EXPECT_TRUE(pool.has_free(1));
  pool.give_back(6);
  EXPECT_EQ(pool.lend_from(3), 6U);
  pool.show(0, 7);
  pool.show(0, 6);
  pool.reclaim([](auto found) { found(7); });
  EXPECT_FALSE(pool.has_free(3));
  pool.show(0, FramePool::none);
  pool.reclaim([](auto found) { found(6); });
  EXPECT_EQ(pool.lend_from(3), 7U);
}

TEST(FramePool, MayHaveFramesInFurtherArenasOnly) {
  FramePool pool(0, 1, 2);
  EXPECT_FALSE(pool.has_free());
  pool.add_arena(1);
  EXPECT_FALSE(pool.has_free());
  const std::uint32_t frame = pool.lend_from(1);
  pool.show(0, frame);
  pool.show(0, FramePool::none);
  pool.reclaim([](auto) {});
  EXPECT_TRUE(pool.has_free(1));
}

class Walk {
 public:
  Walk(std::uint32_t depth, std::uint32_t loans_max, std::uint32_t held_max, unsigned seed)
      : loans_max_(loans_max),
        held_max_(held_max),
        slots_(depth),
        pool_(static_cast<std::uint32_t>(frames_needed(depth, loans_max, held_max)), depth),
        random_(seed) {}

  void step() {
    switch (below(4)) {
      case 0:
        lend();
        break;
      case 1:
        give_back();
        break;
      case 2:
        publish();
        break;
      default:
        hold_or_release();
    }
  }

 private:
  unsigned below(std::size_t limit) { return static_cast<unsigned>(random_() % limit); }

  // With room for one more loan and no more held than held_max there is always a frame.
  void lend() {
    if (lent_.size() == loans_max_) return;
    if (!pool_.has_free()) {
      pool_.reclaim([this](auto found) {
        for (const std::uint32_t frame : held_) found(frame);
      });
    }
    const std::uint32_t frame = pool_.lend();
    ASSERT_NE(frame, FramePool::none);
    ASSERT_FALSE(std::ranges::find(lent_, frame) != lent_.end()) << "lent twice";
    ASSERT_FALSE(std::ranges::find(held_, frame) != held_.end()) << "a reader holds it";
    ASSERT_FALSE(std::ranges::find(slots_, std::optional(frame)) != slots_.end()) << "it is shown";
    lent_.push_back(frame);
  }
  void give_back() {
    if (lent_.empty()) return;
    pool_.give_back(lent_.back());
    lent_.pop_back();
  }
  void publish() {
    if (lent_.empty()) return;
    const std::uint64_t slot = next_++ % slots_.size();
    const bool in_place = below(8) == 0;
    pool_.show(slot, in_place ? FramePool::none : lent_.back());
    if (in_place) {
      slots_[slot].reset();
      return;
    }
    slots_[slot] = lent_.back();
    lent_.pop_back();
  }
  // Readers pin what is shown; what is overwritten meanwhile stays theirs.
  void hold_or_release() {
    if (held_.size() == held_max_ || (!held_.empty() && below(2) == 0)) {
      held_.erase(held_.begin() + below(held_.size()));
    } else if (const auto frame = slots_[below(slots_.size())]) {
      held_.push_back(*frame);
    }
  }

  std::size_t loans_max_;
  std::size_t held_max_;
  std::vector<std::optional<std::uint32_t>> slots_;
  std::vector<std::uint32_t> lent_;
  std::vector<std::uint32_t> held_;
  std::uint64_t next_ = 0;
  FramePool pool_;
  std::mt19937 random_;
};

TEST(FramePool, TheSumIsEnoughAndNoFrameIsInTwoPlaces) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Walk walk(1U << seed % 4, 1 + seed % 3, 1 + seed % 5, seed);
    for (int i = 0; i < 2'000; ++i) {
      ASSERT_NO_FATAL_FAILURE(walk.step()) << "step " << i;
    }
  }
}

}  // namespace
}  // namespace signalbox::shm
