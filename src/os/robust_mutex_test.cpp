// Goal: a robust mutex passes from the dead to the next, who is told exactly once; unhandled, it
// can never be locked again; it keeps deadlines and refuses to wait for oneself. Method: memory
// shared by forked children, holders that are killed, end or are cancelled; each case with and
// without priority inheritance.
#include "signalbox/os/robust_mutex.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <memory>
#include <random>
#include <thread>
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
  RobustMutex::Memory memory;
  RobustMutex::Memory second;
  std::uint64_t guarded;
  std::uint64_t twin;
};

class RobustMutexTest : public ::testing::TestWithParam<bool> {
 protected:
  RobustMutex create(RobustMutex::Memory& memory) {
    return RobustMutex::create(memory, {.priority_inheritance = GetParam()}).value();
  }
  test::Shared<Scene> scene_;
};
INSTANTIATE_TEST_SUITE_P(Inheritance, RobustMutexTest, ::testing::Bool());

// Locks in a child that dies by SIGKILL while it holds.
void die_holding(RobustMutex& mutex) {
  Forked holder([&] {
    auto held = mutex.lock(watchdog());
    if (held && held->owner_died()) (void)held->mark_consistent();
    ::raise(SIGKILL);
    return 0;
  });
  ASSERT_EQ(holder.wait(), 128 + SIGKILL);
}

TEST_P(RobustMutexTest, IsHeldByOneAtATime) {
  auto mutex = create(scene_->memory);
  auto held = mutex.lock(watchdog());
  ASSERT_TRUE(held) << held.error().text;
  EXPECT_FALSE(held->owner_died());
  Forked other([&] {
    auto opened = RobustMutex::open(scene_->memory);
    if (!opened) return 1;
    const auto tried = opened->try_lock();
    if (!tried || *tried) return 2;
    const auto timed = opened->lock(Deadline::after(10ms));
    if (timed || timed.error().code != Errc::timed_out) return 3;
    // What was inherited is not held here.
    const auto unlocked = held->unlock();
    return !unlocked && unlocked.error().code == Errc::permission_denied ? 0 : 4;
  });
  EXPECT_EQ(other.wait(), 0);
  ASSERT_TRUE(held->unlock());
  EXPECT_FALSE(*held);
  ASSERT_TRUE(held->unlock()) << "nothing to do";
  EXPECT_TRUE(*mutex.try_lock());
}

TEST_P(RobustMutexTest, RefusesToWaitForItself) {
  auto mutex = create(scene_->memory);
  const auto held = mutex.lock(Deadline::never());
  for (const Deadline deadline : {Deadline::never(), watchdog()}) {
    const auto again = mutex.lock(deadline);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, Errc::would_deadlock);
    EXPECT_EQ(again.error().sys_errno, EDEADLK);
  }
}

TEST_P(RobustMutexTest, TheNextIsToldOnceThatTheHolderDied) {
  auto mutex = create(scene_->memory);
  die_holding(mutex);
  auto held = mutex.lock(watchdog());
  ASSERT_TRUE(held) << held.error().text;
  EXPECT_TRUE(held->owner_died());
  ASSERT_TRUE(held->mark_consistent());
  EXPECT_FALSE(held->owner_died());
  EXPECT_EQ(held->mark_consistent().error().code, Errc::bad_argument);
  ASSERT_TRUE(held->unlock());
  EXPECT_FALSE(mutex.lock(watchdog())->owner_died());
  die_holding(mutex);
  const auto tried = mutex.try_lock();
  ASSERT_TRUE(tried && *tried);
  EXPECT_TRUE(tried->owner_died());
}

TEST_P(RobustMutexTest, UnhandledItCanNeverBeLockedAgainButDestroyed) {
  auto mutex = create(scene_->memory);
  die_holding(mutex);
  mutex.lock(watchdog())->unlock().value();
  for (int i = 0; i < 2; ++i) {
    const auto locked = mutex.lock(i == 0 ? Deadline::never() : watchdog());
    ASSERT_FALSE(locked);
    EXPECT_EQ(locked.error().code, Errc::damaged);
    EXPECT_EQ(locked.error().sys_errno, ENOTRECOVERABLE);
    EXPECT_EQ(mutex.try_lock().error().code, Errc::damaged);
    Forked other([&] {
      const auto tried = mutex.try_lock();
      const auto waited = mutex.lock(watchdog());
      return !tried && tried.error().code == Errc::damaged && !waited &&
                     waited.error().code == Errc::damaged
                 ? 0
                 : 1;
    });
    EXPECT_EQ(other.wait(), 0) << "asking changed it for the others";
  }
  ASSERT_TRUE(mutex.destroy());
  EXPECT_EQ(mutex.lock(watchdog()).error().code, Errc::closed);
  EXPECT_EQ(RobustMutex::open(scene_->memory).error().code, Errc::not_found);
  EXPECT_TRUE(create(scene_->memory).lock(watchdog()));
}

TEST_P(RobustMutexTest, AThreadThatEndsOrIsCancelledLeavesBothItsLocks) {
  auto first = create(scene_->memory);
  auto second = create(scene_->second);
  for (int round = 0; round < 4; ++round) {
    const bool cancelled = round % 2 == 0;
    test::Milestone holding;
    std::thread owner([&] {
      // On the heap and never freed: a scope that is unwound would unlock.
      struct Kept {
        RobustMutex::Held first;
        RobustMutex::Held second;
      };
      static std::vector<Kept*>& kept = *new std::vector<Kept*>;
      kept.push_back(new Kept{first.lock(watchdog()).value(), second.lock(watchdog()).value()});
      if (kept.back()->first.owner_died()) kept.back()->first.mark_consistent().value();
      if (kept.back()->second.owner_died()) kept.back()->second.mark_consistent().value();
      if (!holding.reach()) return;
      while (cancelled) ::pause();
    });
    ASSERT_TRUE(holding.wait());
    if (cancelled) ::pthread_cancel(owner.native_handle());
    owner.join();
    for (RobustMutex* const mutex : {&first, &second}) {
      auto held = mutex->lock(watchdog());
      ASSERT_TRUE(held) << held.error().text;
      EXPECT_TRUE(held->owner_died()) << "round " << round;
      ASSERT_TRUE(held->mark_consistent());
    }
    EXPECT_FALSE(first.lock(watchdog())->owner_died());
  }
}

TEST_P(RobustMutexTest, KilledAtRandomNothingGuardedIsSeenHalfChanged) {
  auto mutex = create(scene_->memory);
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  int died = 0;
  for (int round = 0; round < 60; ++round) {
    test::Milestone begun;
    const auto work = [&] {
      for (bool first = true;; first = false) {
        auto held = mutex.lock(watchdog());
        if (!held) return 1;
        if (held->owner_died()) {
          scene_->twin = scene_->guarded;
          if (!held->mark_consistent()) return 2;
        }
        volatile Scene& scene = *scene_;
        if (scene.twin != scene.guarded) return 3;
        scene.guarded = scene.guarded + 1;
        if (first && !begun.reach()) return 4;
        scene.twin = scene.twin + 1;
      }
    };
    Forked one(work);
    Forked other(work);
    ASSERT_TRUE(begun.wait());
    const Deadline moment = Deadline::after(std::chrono::microseconds(random() % 500));
    while (!moment.passed()) std::this_thread::yield();
    one.kill();
    EXPECT_EQ(one.wait(), 128 + SIGKILL) << "seed " << seed;
    other.kill();
    EXPECT_EQ(other.wait(), 128 + SIGKILL) << "seed " << seed;
    auto held = mutex.lock(watchdog());
    ASSERT_TRUE(held) << held.error().text << " seed " << seed;
    if (!held->owner_died()) {
      EXPECT_EQ(scene_->twin, scene_->guarded) << "round " << round << ", seed " << seed;
      continue;
    }
    ++died;
    scene_->twin = scene_->guarded;
    ASSERT_TRUE(held->mark_consistent());
  }
  EXPECT_GT(died, 0) << "nobody was ever killed while holding; seed " << seed;
}

TEST_P(RobustMutexTest, MemoryThatIsNotEmptyIsRefused) {
  auto mutex = create(scene_->memory);
  EXPECT_EQ(RobustMutex::create(scene_->memory).error().code, Errc::already_exists);
  RobustMutex moved = std::move(mutex);
  EXPECT_TRUE(moved);
  EXPECT_FALSE(mutex);
  EXPECT_EQ(mutex.try_lock().error().code, Errc::closed);
  EXPECT_EQ(mutex.destroy().error().code, Errc::closed);
  // What a creator that died midway leaves.
  scene_->second.state = 1;
  EXPECT_EQ(RobustMutex::open(scene_->second).error().code, Errc::not_found);
  const auto refused = RobustMutex::create(scene_->second);
  EXPECT_EQ(refused.error().code, Errc::already_exists);
  EXPECT_NE(refused.error().text.find("in the making"), std::string::npos);
}

TEST_P(RobustMutexTest, SignalsNeitherShortenNorLengthenAWait) {
  auto mutex = create(scene_->memory);
  test::Milestone holding;
  test::Milestone done;
  std::thread holder([&] {
    const auto held = mutex.lock(watchdog());
    if (holding.reach()) static_cast<void>(done.wait());
  });
  ASSERT_TRUE(holding.wait());
  for (const int flags : {0, SA_RESTART}) {
    test::expect_deadline_kept(flags, [&](Deadline at) { return mutex.lock(at); });
  }
  EXPECT_TRUE(done.reach());
  holder.join();
}

}  // namespace
}  // namespace signalbox::os
