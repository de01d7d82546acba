// Goal: a semaphore set does what semop(2) promises, and what it leaves open is closed: no half
// made set is seen, waits keep their deadline, limits are named. Method: real sets of this machine,
// private or under a key of a scratch file, removed at the end of each test; real processes that
// sleep, are signalled and killed.
#include "signalbox/os/semaphore_set.hpp"

#include <gtest/gtest.h>
#include <sys/sem.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <random>
#include <thread>

#include "base/watchdog.hpp"
#include "os/scratch_key.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::Forked;
using test::ScratchKey;

class SemaphoreSetTest : public ::testing::Test {
 protected:
  void make(std::initializer_list<std::uint16_t> initial) {
    auto made = SemaphoreSet::create(SysvKey::private_key(), initial_ = initial);
    ASSERT_TRUE(made) << made.error().text;
    set_.emplace(std::move(*made));
  }
  void TearDown() override {
    if (set_) ::semctl(set_->id(), 0, IPC_RMID);
  }
  SemaphoreSet& set() { return *set_; }
  std::vector<std::uint16_t> values() { return set().values().value(); }
  void wait_for_sleepers(std::uint32_t takers, std::uint32_t zero, std::uint16_t index = 0) {
    const Deadline until = watchdog();
    while (set().waiting_to_take(index).value() != takers ||
           set().waiting_for_zero(index).value() != zero) {
      ASSERT_FALSE(until.passed()) << "nobody sleeps";
      std::this_thread::yield();
    }
  }

  std::vector<std::uint16_t> initial_;
  std::optional<SemaphoreSet> set_;
};

using Values = std::vector<std::uint16_t>;

TEST_F(SemaphoreSetTest, AppliesAllAsOneStepWithAndWithoutDeadline) {
  for (const Deadline deadline : {Deadline::never(), watchdog()}) {
    make({0, 0, 0, 0});
    std::vector<SemOp> ops;
    ops.reserve(4);
    for (std::uint16_t i = 0; i < 4; ++i)
      ops.push_back(i == 0 ? until_zero(0)
                           : undo_on_exit(give(i, static_cast<std::int16_t>(i * i))));
    ASSERT_TRUE(set().apply(ops, deadline));
    EXPECT_EQ(values(), (Values{0, 1, 4, 9}));
    TearDown();
  }
}

TEST_F(SemaphoreSetTest, RefusesWhatTheKernelRefusesAndChangesNothing) {
  make({1, 0});
  const auto refused = [&](std::span<const SemOp> ops, Errc code, int sys_errno, auto word) {
    const auto applied = set().apply(ops, Deadline::never());
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, code) << applied.error().text;
    EXPECT_EQ(applied.error().sys_errno, sys_errno);
    EXPECT_NE(applied.error().text.find(word), std::string::npos) << applied.error().text;
    const auto tried = set().try_apply(ops);
    ASSERT_FALSE(tried);
    EXPECT_EQ(tried.error().code, code);
    EXPECT_EQ(values(), (Values{1, 0}));
  };
  const std::vector<SemOp> many(semaphore_limits().value().operations_max + 1, give(1));
  refused(many, Errc::too_large, E2BIG, "SEMOPM");
  refused(std::vector<SemOp>(1024, give(1)), Errc::too_large, E2BIG, "SEMOPM");
  refused(std::array{give(0), give(2)}, Errc::out_of_range, EFBIG, "Semaphore 2");
  refused(std::array{give(0xffff)}, Errc::out_of_range, EFBIG, "65535");
  refused(std::array{give(1), give(0, 32767)}, Errc::out_of_range, ERANGE, "SEMVMX");
  refused({}, Errc::bad_argument, EINVAL, "at least one");
}

// Of none the kernel would wait for zero, of fewer do the opposite.
TEST_F(SemaphoreSetTest, TakesAndGivesAtLeastOneUnit) {
  make({3, 0});
  for (const std::int16_t count : std::initializer_list<std::int16_t>{0, -2, INT16_MIN}) {
    for (const SemOp op : {take(0, count), give(0, count), undo_on_exit(take(1, count))}) {
      for (const Deadline deadline : {Deadline::immediate(), Deadline::never(), watchdog()}) {
        EXPECT_EQ(set().apply({op}, deadline).error().code, Errc::bad_argument);
        EXPECT_EQ(set().apply({give(1), op}, deadline).error().code, Errc::bad_argument);
      }
      const auto tried = set().try_apply({op});
      ASSERT_FALSE(tried);
      EXPECT_NE(tried.error().text.find("until_zero()"), std::string::npos) << tried.error().text;
    }
  }
  EXPECT_EQ(values(), (Values{3, 0}));
}

TEST_F(SemaphoreSetTest, AnEmptyHandleSaysSo) {
  make({1});
  const SemaphoreSet moved = std::move(set());
  EXPECT_EQ(set().apply({take(0)}, Deadline::never()).error().code, Errc::closed);
  EXPECT_EQ(set().try_apply({take(0)}).error().code, Errc::closed);
  EXPECT_EQ(set().values().error().code, Errc::closed);
  EXPECT_EQ(set().set_value(0, 1).error().code, Errc::closed);
  EXPECT_EQ(set().remove().error().code, Errc::closed);
  ::semctl(moved.id(), 0, IPC_RMID);
  EXPECT_EQ(SemaphoreSet::attach(-5).error().code, Errc::not_found);
}

TEST_F(SemaphoreSetTest, TryAnswersFalseWhereItWouldSleepAndChangesNothing) {
  make({1, 0});
  EXPECT_EQ(set().try_apply({until_zero(0)}), false);
  EXPECT_EQ(set().try_apply({take(1)}), false);
  EXPECT_EQ(set().try_apply({take(0), take(1)}), false);
  EXPECT_EQ(values(), (Values{1, 0}));
  EXPECT_EQ(set().try_apply({take(0), until_zero(0), give(1)}), true);
  EXPECT_EQ(values(), (Values{0, 1}));
}

TEST_F(SemaphoreSetTest, MoreOperationsThanUsualAreOneStepToo) {
  make({0});
  std::vector<SemOp> ops(std::min(500U, semaphore_limits().value().operations_max), give(0));
  ASSERT_TRUE(set().apply(ops, Deadline::immediate()));
  EXPECT_EQ(set().value(0), ops.size());
}

TEST_F(SemaphoreSetTest, DeadlinePassesAndNothingChanged) {
  make({1, 0});
  for (const Deadline deadline : {Deadline::immediate(), Deadline::after(20ms)}) {
    const auto applied = set().apply({take(0), take(1)}, deadline);
    ASSERT_FALSE(applied);
    EXPECT_EQ(applied.error().code, Errc::timed_out);
    EXPECT_EQ(applied.error().sys_errno, EAGAIN);
    EXPECT_TRUE(deadline.passed()) << "it ended early";
    EXPECT_EQ(values(), (Values{1, 0}));
  }
  EXPECT_TRUE(set().apply({take(0)}, Deadline::immediate())) << "what is possible needs no time";
}

TEST_F(SemaphoreSetTest, RemovalWakesEverySleeper) {
  make({1, 0});
  const auto sleeper = [this](SemOp op) {
    return [this, op] {
      const auto applied = set().apply({op}, watchdog());
      return !applied && applied.error().code == Errc::removed && applied.error().sys_errno == EIDRM
                 ? 0
                 : 1;
    };
  };
  Forked for_zero(sleeper(until_zero(0)));
  Forked to_take(sleeper(take(1)));
  wait_for_sleepers(0, 1, 0);
  wait_for_sleepers(1, 0, 1);
  ASSERT_TRUE(set().remove());
  EXPECT_EQ(for_zero.wait(), 0);
  EXPECT_EQ(to_take.wait(), 0);
  const auto later = set().apply({give(0)}, Deadline::never());
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().code, Errc::removed);
  EXPECT_EQ(later.error().sys_errno, EINVAL);
  EXPECT_EQ(set().remove().error().code, Errc::removed);
  EXPECT_EQ(set().value(0).error().code, Errc::removed);
  EXPECT_EQ(set().values().error().code, Errc::removed);
  EXPECT_EQ(set().set_values(Values{1, 1}).error().code, Errc::removed);
  EXPECT_EQ(SemaphoreSet::attach(set().id()).error().code, Errc::not_found);
}

TEST_F(SemaphoreSetTest, TellsWhoSleepsAndWhoWasLast) {
  make({0, 3});
  EXPECT_EQ(set().last_pid(1), static_cast<std::uint32_t>(::getpid()));
  std::vector<std::unique_ptr<Forked>> sleepers;
  sleepers.reserve(5);
  for (int i = 0; i < 5; ++i) {
    sleepers.push_back(
        std::make_unique<Forked>([this] { return set().apply({take(0)}, watchdog()) ? 0 : 1; }));
  }
  wait_for_sleepers(5, 0);
  Forked giver([this] { return set().apply({give(0, 5)}, watchdog()) ? 0 : 1; });
  const auto giver_pid = static_cast<std::uint32_t>(giver.pid());
  EXPECT_EQ(giver.wait(), 0);
  std::vector<std::uint32_t> pids{giver_pid};
  for (auto& sleeper : sleepers) {
    pids.push_back(static_cast<std::uint32_t>(sleeper->pid()));
    EXPECT_EQ(sleeper->wait(), 0);
  }
  EXPECT_EQ(values(), (Values{0, 3}));
  EXPECT_EQ(std::ranges::count(pids, set().last_pid(0).value()), 1);
  EXPECT_EQ(set().last_pid(2).error().code, Errc::out_of_range);
  EXPECT_EQ(set().waiting_to_take(2).error().sys_errno, EINVAL);
}

TEST_F(SemaphoreSetTest, SettingCountsKnowsTheirRange) {
  make({1, 2});
  for (const std::int32_t value : {-1, 65535, 32768}) {
    EXPECT_EQ(set().set_value(0, value).error().code, Errc::out_of_range);
    EXPECT_EQ(set().set_value(0, value).error().sys_errno, ERANGE);
  }
  EXPECT_EQ(set().set_values(Values{3, 65535}).error().sys_errno, ERANGE);
  EXPECT_EQ(set().set_values(Values{3}).error().code, Errc::bad_argument);
  EXPECT_EQ(set().set_value(2, 1).error().code, Errc::out_of_range);
  EXPECT_EQ(values(), (Values{1, 2}));
  ASSERT_TRUE(set().set_value(0, 32767));
  ASSERT_TRUE(set().set_values(Values{7, 8}));
  EXPECT_EQ(values(), (Values{7, 8}));
}

TEST_F(SemaphoreSetTest, SettingACountForgetsWhatWasToBeUndone) {
  make({5});
  test::Milestone taken;
  Forked child([&] {
    if (!set().apply({undo_on_exit(take(0, 2))}, watchdog()) || !taken.reach()) return 1;
    return set().apply({undo_on_exit(take(0, 9))}, watchdog()) ? 0 : 2;
  });
  ASSERT_TRUE(taken.wait());
  wait_for_sleepers(1, 0);
  ASSERT_TRUE(set().set_value(0, 5));
  child.kill();
  child.wait();
  EXPECT_EQ(values(), (Values{5}));
}

TEST_F(SemaphoreSetTest, KilledAtRandomGivesBackExactlyOnce) {
  make({5});
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  for (int round = 0; round < 100; ++round) {
    Forked child([this] {
      while (set().apply({undo_on_exit(take(0, 2))}, watchdog()) &&
             set().apply({undo_on_exit(give(0, 2))}, watchdog())) {
      }
      return 1;
    });
    Forked waiter([this] { return set().apply({take(0, 5), give(0, 5)}, watchdog()) ? 0 : 1; });
    const Deadline moment = Deadline::after(std::chrono::microseconds(random() % 1000));
    while (!moment.passed()) std::this_thread::yield();
    child.kill();
    child.wait();
    EXPECT_EQ(waiter.wait(), 0);
    ASSERT_EQ(values(), (Values{5})) << "round " << round << ", seed " << seed;
  }
}

TEST_F(SemaphoreSetTest, AKeyIsCreatedOnceAndOpenedByAll) {
  const ScratchKey scratch;
  const Values initial{3, 4};
  EXPECT_EQ(SemaphoreSet::open(scratch.key(), 0, watchdog()).error().code, Errc::not_found);
  EXPECT_EQ(SemaphoreSet::open_as_is(scratch.key()).error().sys_errno, ENOENT);
  const auto made = SemaphoreSet::create(scratch.key(), initial);
  ASSERT_TRUE(made) << made.error().text;
  const auto again = SemaphoreSet::create(scratch.key(), initial);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::already_exists);
  EXPECT_EQ(again.error().sys_errno, EEXIST);
  EXPECT_EQ(SemaphoreSet::open(scratch.key(), 2, Deadline::immediate()).value().id(), made->id());
  EXPECT_EQ(SemaphoreSet::open(scratch.key(), 1, Deadline::immediate()).value().id(), made->id());
  EXPECT_EQ(SemaphoreSet::open_or_create(scratch.key(), initial, watchdog()).value().id(),
            made->id());
  for (const std::int32_t count : {3, -1, INT32_MAX}) {
    const auto opened = SemaphoreSet::open(scratch.key(), count, watchdog());
    ASSERT_FALSE(opened) << count;
    EXPECT_EQ(opened.error().code, Errc::bad_argument);
    EXPECT_EQ(opened.error().sys_errno, EINVAL);
  }
  EXPECT_NE(SemaphoreSet::open(scratch.key(), 3, watchdog()).error().text.find("has 2 semaphores"),
            std::string::npos);
  EXPECT_EQ(made->facts().value().access.mode, 0600U);
  EXPECT_EQ(made->facts().value().access.key, scratch.key().value());
}

TEST_F(SemaphoreSetTest, WhatCannotBeMadeLeavesNothing) {
  const ScratchKey scratch;
  EXPECT_EQ(SemaphoreSet::create(scratch.key(), Values{}).error().code, Errc::bad_argument);
  const Values many(semaphore_limits().value().per_set_max + 1U, 0);
  EXPECT_NE(SemaphoreSet::create(scratch.key(), many).error().text.find("SEMMSL"),
            std::string::npos);
  EXPECT_EQ(SemaphoreSet::create(scratch.key(), Values{1, 32768}).error().code, Errc::out_of_range);
  EXPECT_EQ(SemaphoreSet::open_as_is(scratch.key()).error().code, Errc::not_found);
  EXPECT_EQ(SemaphoreSet::open(SysvKey::private_key(), 1, watchdog()).error().code,
            Errc::bad_argument);
  EXPECT_EQ(SysvKey::of_file("/nonexistent/key", 1).error().code, Errc::not_found);
  EXPECT_EQ(SysvKey::of_file("/", 0).error().code, Errc::bad_argument);
  EXPECT_EQ(SysvKey::of_file("/", 7).value().value(), ::ftok("/", 7));
  EXPECT_NE(SysvKey::of_file("/", 7).value(), SysvKey::of_file("/", 8).value());
}

TEST_F(SemaphoreSetTest, AnOwnerWithoutRightsGetsHisModeToo) {
  const ScratchKey scratch;
  const auto made = SemaphoreSet::create(scratch.key(), Values{0}, {.mode = 0060});
  ASSERT_TRUE(made) << made.error().text;
  const auto sets = list_semaphore_sets().value();
  const auto mine = std::ranges::find(sets, made->id(), &SemaphoreSetFacts::id);
  if (mine == sets.end()) GTEST_SKIP() << "before Linux 4.17 only readable sets are listed";
  EXPECT_EQ(mine->access.mode, 0060U);
}

TEST_F(SemaphoreSetTest, ACreatorThatDiedMidwayIsToldAfterTheDeadline) {
  const ScratchKey scratch;
  // What a creator leaves that was killed between its two calls.
  const int half_made = ::semget(scratch.key().value(), 2, IPC_CREAT | IPC_EXCL | 0600);
  ASSERT_GE(half_made, 0);
  const Deadline deadline = Deadline::after(30ms);
  const auto opened = SemaphoreSet::open_or_create(scratch.key(), Values{1, 1}, deadline);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::abandoned);
  EXPECT_TRUE(deadline.passed());
  EXPECT_NE(opened.error().text.find("ipcrm -s"), std::string::npos) << opened.error().text;
  auto half = SemaphoreSet::open_as_is(scratch.key());
  ASSERT_TRUE(half);
  ASSERT_TRUE(half->remove());
  EXPECT_TRUE(SemaphoreSet::open_or_create(scratch.key(), Values{1, 1}, watchdog()));
}

TEST_F(SemaphoreSetTest, ManyWhoOpenOrCreateAtOnceShareOneFilledSet) {
  for (int round = 0; round < 20; ++round) {
    const ScratchKey scratch;
    test::Milestone start;
    std::vector<std::unique_ptr<Forked>> openers;
    openers.reserve(4);
    for (int i = 0; i < 4; ++i) {
      openers.push_back(std::make_unique<Forked>([&] {
        if (!start.wait()) return 9;
        auto opened = SemaphoreSet::open_or_create(scratch.key(), Values{4}, watchdog());
        if (!opened) return 1;
        // Each takes one of four: a second SETALL would give some back.
        return opened->apply({take(0)}, watchdog()) ? 0 : 2;
      }));
    }
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(start.reach());
    for (auto& opener : openers) EXPECT_EQ(opener->wait(), 0);
    EXPECT_EQ(SemaphoreSet::open_as_is(scratch.key()).value().value(0), 0);
  }
}

TEST_F(SemaphoreSetTest, AnOpenerWaitsForTheCountsOfASlowCreator) {
  const ScratchKey scratch;
  const int slow = ::semget(scratch.key().value(), 1, IPC_CREAT | IPC_EXCL | 0600);
  ASSERT_GE(slow, 0);
  test::Milestone begun;
  Forked opener([&] {
    if (!begun.reach()) return 9;
    auto opened = SemaphoreSet::open_or_create(scratch.key(), Values{2}, watchdog());
    return opened && opened->value(0) == 2 ? 0 : 1;
  });
  ASSERT_TRUE(begun.wait());
  auto set = SemaphoreSet::open_as_is(scratch.key());
  ASSERT_TRUE(set->set_value(0, 1));
  ASSERT_TRUE(set->apply({give(0)}, Deadline::never()));
  EXPECT_EQ(opener.wait(), 0);
}

TEST_F(SemaphoreSetTest, ListsAndLimitsAreThoseOfTheMachine) {
  make({1, 2, 3});
  const auto sets = list_semaphore_sets().value();
  const auto mine = std::ranges::find(sets, set().id(), &SemaphoreSetFacts::id);
  ASSERT_NE(mine, sets.end());
  EXPECT_EQ(mine->count, 3U);
  EXPECT_EQ(mine->access.owner_uid, ::geteuid());
  EXPECT_GT(mine->last_operation, 0);
  const auto limits = semaphore_limits().value();
  EXPECT_GE(limits.semaphores, 3U);
  EXPECT_GE(limits.sets, 1U);
  EXPECT_GE(limits.operations_max, 1U);
  ASSERT_TRUE(set().set_mode(0640));
  EXPECT_EQ(set().facts().value().access.mode, 0640U);
}

TEST_F(SemaphoreSetTest, RandomTakesAndGivesOfFiveByFiveEndWhereTheyBegan) {
  make({4, 4, 4, 4, 4});
  const unsigned seed = std::random_device{}();
  std::vector<std::unique_ptr<Forked>> children;
  children.reserve(5);
  for (unsigned child = 0; child < 5; ++child) {
    children.push_back(std::make_unique<Forked>([&, child] {
      std::mt19937 random(seed + child);
      for (int round = 0; round < 200; ++round) {
        std::vector<SemOp> taking;
        std::vector<SemOp> giving;
        for (std::uint16_t i = 0; i < 5; ++i) {
          const auto count = static_cast<std::int16_t>(1 + random() % 4);
          taking.push_back(undo_on_exit(take(i, count)));
          giving.push_back(undo_on_exit(give(i, count)));
        }
        if (!set().apply(taking, watchdog()) || !set().apply(giving, watchdog())) return 1;
      }
      return 0;
    }));
  }
  for (auto& child : children) EXPECT_EQ(child->wait(), 0) << "seed " << seed;
  EXPECT_EQ(values(), (Values{4, 4, 4, 4, 4})) << "seed " << seed;
}

class SemaphoreSetStorm : public SemaphoreSetTest, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Handlers, SemaphoreSetStorm, ::testing::Values(0, SA_RESTART));

TEST_P(SemaphoreSetStorm, SignalsNeitherShortenNorLengthenAWait) {
  make({0, 1});
  for (const SemOp op : {take(0), until_zero(1)}) {
    test::expect_deadline_kept(GetParam(), [&](Deadline at) { return set().apply({op}, at); });
    test::expect_given_up(GetParam(),
                          [&](Deadline at) { return set().apply({op}, at, OnSignal::give_up); });
    test::expect_given_up(GetParam(), [&](Deadline) {
      return set().apply({op}, Deadline::never(), OnSignal::give_up);
    });
  }
  EXPECT_EQ(values(), (Values{0, 1}));
}

}  // namespace
}  // namespace signalbox::os
