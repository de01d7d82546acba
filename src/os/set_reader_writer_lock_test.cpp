// Goal: sections under a semaphore set end with their scope, their process or when they are left,
// and a reader/writer lock made of a set keeps its promises. Method: real sets, removed at the end
// of each test; real processes, some of which are killed.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/watchdog.hpp"
#include "os/scratch_key.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"
#include "signalbox/os/semaphore_guard.hpp"
#include "signalbox/os/set_reader_writer_lock.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::Forked;
using test::ScratchKey;
using Values = std::vector<std::uint16_t>;

class SemaphoreGuardTest : public ::testing::Test {
 protected:
  SemaphoreSet& set() { return set_; }
  Values values() { return set_.values().value(); }

 private:
  ScratchKey scratch_;
  SemaphoreSet set_ = SemaphoreSet::create(scratch_.key(), Values{1}).value();
};

TEST_F(SemaphoreGuardTest, AGuardHoldsUntilItsScopeEnds) {
  {
    auto guard = SemaphoreGuard::enter(set(), 0, watchdog());
    ASSERT_TRUE(guard && *guard);
    EXPECT_EQ(values(), (Values{0}));
    const auto second = SemaphoreGuard::try_enter(set(), 0);
    ASSERT_TRUE(second);
    EXPECT_FALSE(*second);
    SemaphoreGuard moved = std::move(*guard);
    EXPECT_FALSE(*guard);
    EXPECT_EQ(SemaphoreGuard::enter(set(), 0, Deadline::immediate()).error().code, Errc::timed_out);
    ASSERT_TRUE(moved.leave());
    EXPECT_EQ(values(), (Values{1}));
    ASSERT_TRUE(moved.leave());
    moved = std::move(*SemaphoreGuard::try_enter(set(), 0));
    EXPECT_TRUE(moved);
  }
  EXPECT_EQ(values(), (Values{1}));
}

TEST_F(SemaphoreGuardTest, AGuardIsItsProcesssAlone) {
  auto guard = SemaphoreGuard::enter(set(), 0, watchdog());
  Forked child([&] {
    const auto left = guard->leave();
    return !left && left.error().code == Errc::wrong_process ? 0 : 1;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(values(), (Values{0}));
  ASSERT_TRUE(guard->leave());
  Forked killed([&] {
    auto held = SemaphoreGuard::enter(set(), 0, watchdog());
    ::raise(SIGKILL);
    return 0;
  });
  EXPECT_EQ(killed.wait(), 128 + SIGKILL);
  EXPECT_EQ(values(), (Values{1}));
}

TEST_F(SemaphoreGuardTest, TwoProcessesTakeTurnsAThousandTimes) {
  const auto rounds = [&] {
    for (int round = 0; round < 1000; ++round) {
      auto guard = SemaphoreGuard::enter(set(), 0, watchdog());
      if (!guard || set().value(0) != 0 || !guard->leave()) return 1;
    }
    return 0;
  };
  Forked one(rounds);
  Forked other(rounds);
  EXPECT_EQ(one.wait(), 0);
  EXPECT_EQ(other.wait(), 0);
  EXPECT_EQ(values(), (Values{1}));
}

class SetReaderWriterLockTest : public ::testing::Test {
 protected:
  SetReaderWriterLock open(std::uint16_t readers) {
    return SetReaderWriterLock::open_or_create(scratch_.key(), readers, watchdog()).value();
  }
  ScratchKey scratch_;
};

TEST_F(SetReaderWriterLockTest, ReadersShareAndAWriterIsAlone) {
  auto lock = open(2);
  auto first = lock.lock_shared(watchdog()).value();
  auto second = lock.try_lock_shared().value();
  EXPECT_TRUE(second);
  EXPECT_FALSE(*lock.try_lock_shared()) << "a third reader of two";
  EXPECT_FALSE(*lock.try_lock_exclusive());
  ASSERT_TRUE(first.leave());
  EXPECT_EQ(lock.lock_exclusive(Deadline::after(10ms)).error().code, Errc::timed_out);
  EXPECT_TRUE(*lock.try_lock_shared()) << "the writer left its turn behind";
  ASSERT_TRUE(second.leave());
  {
    auto writer = lock.lock_exclusive(watchdog()).value();
    EXPECT_FALSE(*lock.try_lock_shared());
    EXPECT_FALSE(*lock.try_lock_exclusive());
  }
  EXPECT_EQ(lock.set().values(), (Values{2, 1}));
  EXPECT_EQ(SetReaderWriterLock::open_or_create(scratch_.key(), 1, watchdog()).error().code,
            Errc::bad_argument);
  EXPECT_EQ(SetReaderWriterLock::open_or_create(scratch_.key(), 0, watchdog()).error().code,
            Errc::bad_argument);
}

TEST_F(SetReaderWriterLockTest, AWaitingWriterComesBeforeNewReaders) {
  auto lock = open(8);
  auto reader = lock.lock_shared(watchdog()).value();
  Forked writer([&] { return lock.lock_exclusive(watchdog()) ? 0 : 1; });
  const Deadline until = watchdog();
  while (lock.set().waiting_to_take(0) != 1U) ASSERT_FALSE(until.passed());
  EXPECT_FALSE(*lock.try_lock_shared());
  ASSERT_TRUE(reader.leave());
  EXPECT_EQ(writer.wait(), 0);
  EXPECT_TRUE(*lock.try_lock_shared());
}

TEST_F(SetReaderWriterLockTest, TheDeadHoldNothing) {
  auto lock = open(3);
  for (const bool to_write : {true, false}) {
    Forked holder([&] {
      const auto held = to_write ? lock.lock_exclusive(watchdog()) : lock.lock_shared(watchdog());
      ::raise(SIGKILL);
      return 0;
    });
    EXPECT_EQ(holder.wait(), 128 + SIGKILL);
    EXPECT_EQ(lock.set().values(), (Values{3, 1}));
  }
}

TEST_F(SetReaderWriterLockTest, WritersNeverOverlapAnybody) {
  auto lock = open(3);
  const ScratchKey second;
  auto watch = SemaphoreSet::create(second.key(), Values{0, 0}).value();
  std::vector<std::unique_ptr<Forked>> workers;
  workers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    workers.push_back(std::make_unique<Forked>([&, i] {
      const std::uint16_t mine = i == 0 ? 0 : 1;  // writers and readers inside
      for (int round = 0; round < 300; ++round) {
        const auto held = i == 0 ? lock.lock_exclusive(watchdog()) : lock.lock_shared(watchdog());
        // Inside, a writer finds nobody and a reader no writer.
        if (!held || !watch.try_apply({until_zero(0)}).value()) return 1;
        if (i == 0 && !watch.try_apply({until_zero(1)}).value()) return 2;
        if (!watch.apply({give(mine)}, watchdog())) return 3;
        if (!watch.apply({take(mine)}, watchdog())) return 4;
      }
      return 0;
    }));
  }
  for (auto& worker : workers) EXPECT_EQ(worker->wait(), 0);
  EXPECT_EQ(lock.set().values(), (Values{3, 1}));
}

class SetReaderWriterLockStorm : public SetReaderWriterLockTest,
                                 public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Handlers, SetReaderWriterLockStorm, ::testing::Values(0, SA_RESTART));

TEST_P(SetReaderWriterLockStorm, SignalsNeitherShortenNorLengthenAWait) {
  auto lock = open(2);
  const auto held = lock.lock_shared(watchdog());
  test::expect_deadline_kept(GetParam(), [&](Deadline at) { return lock.lock_exclusive(at); });
  test::expect_given_up(GetParam(),
                        [&](Deadline at) { return lock.lock_exclusive(at, OnSignal::give_up); });
  EXPECT_EQ(lock.set().values(), (Values{1, 1})) << "the turn is given back";
}

}  // namespace
}  // namespace signalbox::os
