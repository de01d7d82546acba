// Goal: who waits for a condition wakes when notified and at its deadline, with the mutex held, and
// is told when a holder died meanwhile.
// Method: memory shared by forked children; a bounded buffer of one; holders that are killed.
#include "signalbox/os/condition.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "base/watchdog.hpp"
#include "os/shared_page.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"

// ThreadSanitizer of GCC 12 does not know pthread_mutex_clocklock(), and takes what was locked so
// for unlocked. Races are still reported.
// NOLINTNEXTLINE(readability-identifier-naming): the name that ThreadSanitizer looks for.
extern "C" const char* __tsan_default_options() { return "report_mutex_bugs=0"; }

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::Forked;

struct Scene {
  RobustMutex::Memory mutex;
  Condition::Memory condition;
  int waiting;
  int value;
};

class ConditionTest : public ::testing::Test {
 protected:
  // Until `count` wait: they count themselves under the mutex, which waiting gives back.
  void wait_for_waiters(int count) {
    const Deadline until = watchdog();
    for (int waiting = -1; waiting != count;) {
      ASSERT_FALSE(until.passed());
      const auto held = mutex_.lock(watchdog());
      ASSERT_TRUE(held) << held.error().text;
      waiting = scene_->waiting;
    }
  }
  test::Shared<Scene> scene_;
  RobustMutex mutex_ = RobustMutex::create(scene_->mutex).value();
  Condition condition_ = Condition::create(scene_->condition).value();
};

TEST_F(ConditionTest, HandsOverEachValueOfABufferOfOne) {
  constexpr int kValues = 500;
  Forked consumer([&] {
    auto condition = Condition::open(scene_->condition);
    auto mutex = RobustMutex::open(scene_->mutex);
    for (int expected = 1; expected <= kValues; ++expected) {
      auto held = mutex->lock(watchdog());
      if (!held) return 1;
      if (!condition->wait(*held, watchdog(), [&] { return scene_->value != 0; })) return 2;
      if (scene_->value != expected) return 3;
      scene_->value = 0;
      if (!condition->notify_one()) return 4;
    }
    return 0;
  });
  for (int value = 1; value <= kValues; ++value) {
    auto held = mutex_.lock(watchdog());
    ASSERT_TRUE(held);
    ASSERT_TRUE(condition_.wait(*held, Deadline::never(), [&] { return scene_->value == 0; }));
    scene_->value = value;
    ASSERT_TRUE(condition_.notify_one());
  }
  EXPECT_EQ(consumer.wait(), 0);
}

TEST_F(ConditionTest, NotifyAllWakesAllAndDeadlinesHoldTheMutex) {
  std::vector<std::unique_ptr<Forked>> waiters;
  waiters.reserve(3);
  for (int i = 0; i < 3; ++i) {
    waiters.push_back(std::make_unique<Forked>([&] {
      auto held = mutex_.lock(watchdog());
      ++scene_->waiting;
      return held && condition_.wait(*held, watchdog(), [&] { return scene_->value == 1; }) ? 0 : 1;
    }));
  }
  wait_for_waiters(3);
  {
    const auto held = mutex_.lock(watchdog());
    scene_->value = 1;
    ASSERT_TRUE(condition_.notify_all());
  }
  for (auto& waiter : waiters) EXPECT_EQ(waiter->wait(), 0);
  auto held = mutex_.lock(watchdog());
  for (const Deadline deadline : {Deadline::immediate(), Deadline::after(20ms)}) {
    const auto waited = condition_.wait(*held, deadline, [] { return false; });
    ASSERT_FALSE(waited);
    EXPECT_EQ(waited.error().code, Errc::timed_out);
    EXPECT_EQ(waited.error().sys_errno, ETIMEDOUT);
    EXPECT_TRUE(deadline.passed()) << "it ended early";
    EXPECT_TRUE(*held);
    EXPECT_EQ(mutex_.try_lock().error().code, Errc::would_deadlock) << "it is held again";
  }
}

TEST_F(ConditionTest, WhoWakesIsToldThatAHolderDied) {
  Forked waiter([&] {
    auto held = mutex_.lock(watchdog());
    ++scene_->waiting;
    if (!held || !condition_.wait(*held, watchdog(), [&] { return scene_->value == 2; })) return 1;
    if (!held->owner_died()) return 2;
    const auto again = condition_.wait(*held, watchdog());
    if (again || again.error().code != Errc::bad_argument) return 3;
    return held->mark_consistent() ? 0 : 4;
  });
  wait_for_waiters(1);
  Forked victim([&] {
    const auto held = mutex_.lock(watchdog());
    scene_->value = 1;  // half of what it was going to do
    (void)condition_.notify_one();
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(victim.wait(), 128 + SIGKILL);
  EXPECT_EQ(waiter.wait(), 0);
  EXPECT_FALSE(mutex_.lock(watchdog())->owner_died());
}

TEST_F(ConditionTest, NeedsAMutexThatIsHeld) {
  RobustMutex::Held nothing;
  EXPECT_EQ(condition_.wait(nothing, watchdog()).error().code, Errc::bad_argument);
  auto held = mutex_.lock(watchdog());
  ASSERT_TRUE(condition_.destroy());
  EXPECT_EQ(condition_.wait(*held, watchdog()).error().code, Errc::closed);
  EXPECT_EQ(condition_.notify_one().error().code, Errc::closed);
  EXPECT_EQ(condition_.notify_all().error().code, Errc::closed);
  EXPECT_EQ(condition_.destroy().error().code, Errc::closed);
  EXPECT_EQ(Condition::open(scene_->condition).error().code, Errc::not_found);
  EXPECT_TRUE(Condition::create(scene_->condition));
  EXPECT_EQ(Condition::create(scene_->condition).error().code, Errc::already_exists);
}

TEST_F(ConditionTest, SignalsNeitherShortenNorLengthenAWait) {
  auto held = mutex_.lock(watchdog());
  for (const int flags : {0, SA_RESTART}) {
    test::expect_deadline_kept(
        flags, [&](Deadline at) { return condition_.wait(*held, at, [] { return false; }); });
  }
}

}  // namespace
}  // namespace signalbox::os
