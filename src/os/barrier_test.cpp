// Goal: nobody passes a barrier before all have come, exactly one is told to do what is done once,
// and the barrier is ready again at once; signals let nobody through.
// Method: forked children that count in shared memory how many have come to each meeting.
#include "signalbox/os/barrier.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "os/shared_page.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

using test::Forked;

constexpr int kMeetings = 200;

struct Scene {
  Barrier::Memory memory;
  std::atomic<int> chosen;
  std::array<std::atomic<int>, kMeetings> come;
};

TEST(BarrierTest, NobodyPassesBeforeAllHaveCome) {
  const test::Shared<Scene> scene;
  ASSERT_TRUE(Barrier::create(scene->memory, 3));
  std::vector<std::unique_ptr<Forked>> all;
  all.reserve(3);
  for (int i = 0; i < 3; ++i) {
    all.push_back(std::make_unique<Forked>([&] {
      auto barrier = Barrier::open(scene->memory);
      if (!barrier) return 1;
      for (auto& come : scene->come) {
        come.fetch_add(1);
        const auto met = barrier->wait();
        if (!met || come.load() != 3) return 2;
        if (*met) scene->chosen.fetch_add(1);
      }
      return 0;
    }));
  }
  for (auto& one : all) EXPECT_EQ(one->wait(), 0);
  EXPECT_EQ(scene->chosen.load(), kMeetings) << "one of each meeting";
}

TEST(BarrierTest, RefusesNobodyAndMemoryThatIsNotEmpty) {
  const test::Shared<Scene> scene;
  EXPECT_EQ(Barrier::open(scene->memory).error().code, Errc::not_found);
  for (const std::uint32_t count : {0U, 0xffffffffU}) {
    const auto refused = Barrier::create(scene->memory, count);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::bad_argument);
    EXPECT_EQ(refused.error().sys_errno, EINVAL);
  }
  auto barrier = Barrier::create(scene->memory, 1);
  ASSERT_TRUE(barrier) << barrier.error().text;
  EXPECT_EQ(Barrier::create(scene->memory, 1).error().code, Errc::already_exists);
  EXPECT_EQ(barrier->wait(), true) << "alone, one has met oneself";
  ASSERT_TRUE(barrier->destroy());
  EXPECT_EQ(barrier->wait().error().code, Errc::closed);
  EXPECT_EQ(barrier->destroy().error().code, Errc::closed);
  EXPECT_EQ(Barrier::open(scene->memory).error().code, Errc::not_found);
}

TEST(BarrierTest, SignalsLetNobodyThrough) {
  const test::Shared<Scene> scene;
  auto barrier = Barrier::create(scene->memory, 2).value();
  for (const int flags : {0, SA_RESTART}) {
    scene->come[0].store(0);
    test::Milestone begun;
    Forked waiter([&] {
      const test::SignalStorm storm(flags);
      if (!storm.made() || !begun.reach()) return 1;
      if (!barrier.wait()) return 2;
      // 30 handlers ran here before the other came.
      return scene->come[0].load() == 1 ? 0 : 3;
    });
    ASSERT_TRUE(begun.wait());
    const Deadline moment = Deadline::after(std::chrono::milliseconds(30));
    while (!moment.passed()) {
    }
    scene->come[0].store(1);
    ASSERT_TRUE(barrier.wait());
    EXPECT_EQ(waiter.wait(), 0);
  }
}

}  // namespace
}  // namespace signalbox::os
