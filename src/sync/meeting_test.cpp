// Goal: a notification reaches somebody who lives; a meeting ends for all of its parties alike.
// Method: threads, and processes that are killed in known states.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/watchdog.hpp"
#include "signalbox/barrier.hpp"
#include "signalbox/condition.hpp"
#include "signalbox/lock_facts.hpp"
#include "signalbox/semaphore.hpp"
#include "sync/other_process.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using Here = OtherProcess::Here;

class MeetingTest : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

// A counter that is waited for, under its mutex.
struct Guarded {
  Mutex mutex = Mutex::open("m").value();
  Condition changed = Condition::open("c").value();

  MutexGuard take() { return std::move(mutex.lock(watchdog()).value()).regardless(); }
  MutexGuard wait(MutexGuard guard, Deadline deadline) {
    return std::move(changed.wait(std::move(guard), deadline).value()).regardless();
  }
};

// A repair that failed, a move and a default leave guards that hold nothing.
TEST_F(MeetingTest, NobodyWaitsWithAnEmptyGuard) {
  Guarded guarded;
  const auto waited = guarded.changed.wait(MutexGuard(), watchdog());
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Errc::bad_argument);
  EXPECT_EQ(waited.error().text,
            "cannot wait for \"c\": the guard is empty: it holds no mutex. Lock the mutex first.");
}

TEST_F(MeetingTest, WhatWasMovedFromIsEmptyAndSaysSo) {
  Guarded from;
  auto barrier = Barrier::open("b", 1).value();
  auto units = Semaphore::open("s", {.units_max = 1}).value();
  EXPECT_TRUE(from.mutex && from.changed && barrier && units);
  const auto changed = std::move(from.changed);
  const auto held = std::move(from.mutex);
  const auto met = std::move(barrier);
  const auto counted = std::move(units);
  // NOLINTBEGIN(bugprone-use-after-move): that is what is looked at.
  EXPECT_FALSE(from.mutex || from.changed || barrier || units);
  from.changed.notify_one();
  from.changed.notify_all();
  EXPECT_EQ(from.changed.wait(MutexGuard(), watchdog()).error().code, Errc::bad_argument);
  EXPECT_EQ(barrier.arrive_and_wait(watchdog()).error().text,
            "cannot meet at a barrier: the handle is empty, it was moved from. Use the one that it "
            "was moved to.");
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_TRUE(changed && held && met && counted);
}

TEST_F(MeetingTest, EachNotificationWakesOne) {
  Guarded guarded;
  int permits = 0;
  int woken = 0;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      auto guard = guarded.take();
      while (permits == 0) guard = guarded.wait(std::move(guard), watchdog());
      --permits;
      ++woken;
    });
  }
  for (int i = 0; i < 8; ++i) {
    {
      const auto guard = guarded.take();
      ++permits;
    }
    guarded.changed.notify_one();
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(woken, 8);
}

TEST_F(MeetingTest, AllAreNotified) {
  Guarded guarded;
  bool open = false;
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      auto guard = guarded.take();
      while (!open) guard = guarded.wait(std::move(guard), watchdog());
    });
  }
  {
    const auto guard = guarded.take();
    open = true;
  }
  guarded.changed.notify_all();
  for (auto& thread : threads) thread.join();
}

TEST_F(MeetingTest, AfterTheDeadlineTheGuardComesBack) {
  Guarded guarded;
  auto guard = guarded.wait(guarded.take(), Deadline::after(2ms));
  EXPECT_TRUE(guard);
  EXPECT_EQ(guarded.mutex.try_lock().error().code, Errc::would_deadlock);
}

TEST_F(MeetingTest, WhoWaitsLearnsThatAnOwnerDiedMeanwhile) {
  Guarded guarded;
  auto guard = guarded.take();
  OtherProcess owner([](const Here& here) {
    Guarded theirs;
    const auto held = theirs.take();
    theirs.changed.notify_all();
    here.say('h');
    here.wait_for_word();
  });
  std::thread killer([&] {
    EXPECT_EQ(owner.hear(), 'h');
    owner.kill();
  });
  auto again = guarded.changed.wait(std::move(guard), watchdog());
  killer.join();
  ASSERT_TRUE(again) << again.error().text;
  EXPECT_TRUE(again->owner_died());
  static_cast<void>(std::move(*again).regardless());
}

TEST_F(MeetingTest, WhoDiesBeforeItNotifiesLeavesNobodyAsleep) {
  Guarded guarded;
  OtherProcess owner([](const Here& here) {
    here.wait_for_word();
    Guarded theirs;
    auto permits = Semaphore::open("s", {.units_max = 1, .units = 0}).value();
    auto held = theirs.take();
    static_cast<void>(permits.post());
    held.release();
    here.say('g');
    here.wait_for_word();
  });
  auto permits = Semaphore::open("s", {.units_max = 1, .units = 0}).value();
  const Deadline deadline = watchdog();
  std::thread killer;
  {
    auto guard = guarded.take();
    killer = std::thread([&] {
      owner.go_on();
      EXPECT_EQ(owner.hear(), 'g');
      owner.kill();
    });
    while (permits.value() == 0 && !deadline.passed()) {
      guard = guarded.wait(std::move(guard), deadline);
    }
  }
  killer.join();
  EXPECT_FALSE(deadline.passed());
  EXPECT_TRUE(permits.try_consume());  // or its file would stay for the unit
}

TEST_F(MeetingTest, WhoClosesAConditionLeavesItsPlace) {
  OtherProcess other([](const Here& here) {
    const auto theirs = Condition::open("c").value();
    here.say('o');
    here.wait_for_word();
  });
  ASSERT_EQ(other.hear(), 'o');
  const auto mutex = Mutex::open("m").value();  // this process stays the same member
  for (int i = 0; i < 300; ++i) {
    const auto opened = Condition::open("c");
    ASSERT_TRUE(opened) << opened.error().text;
  }
  other.go_on();
  other.reap();
}

TEST_F(MeetingTest, ThePartiesGoOnTogether) {
  constexpr int kParties = 5;
  constexpr int kMeetings = 200;
  auto barrier = Barrier::open("b", kParties).value();
  std::atomic<int> arrivals{0};
  std::vector<std::thread> threads;
  threads.reserve(kParties);
  for (int i = 0; i < kParties; ++i) {
    threads.emplace_back([&] {
      for (int meeting = 1; meeting <= kMeetings; ++meeting) {
        ++arrivals;
        const auto met = barrier.arrive_and_wait(watchdog());
        ASSERT_TRUE(met) << met.error().text;
        EXPECT_GE(arrivals, meeting * kParties);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(arrivals, kMeetings * kParties);
}

TEST_F(MeetingTest, WhoseDeadlinePassesHasNotCome) {
  auto barrier = Barrier::open("b", 2).value();
  EXPECT_EQ(barrier.arrive_and_wait(Deadline::after(2ms)).error().code, Errc::timed_out);
  EXPECT_EQ(barrier.arrive_and_wait(Deadline::immediate()).error().code, Errc::timed_out);
  std::thread other([&] { EXPECT_TRUE(barrier.arrive_and_wait(watchdog())); });
  EXPECT_TRUE(barrier.arrive_and_wait(watchdog()));
  other.join();
}

TEST_F(MeetingTest, APartyThatDiesIsToldToTheOthersOnce) {
  constexpr std::uint32_t kParties = 4;
  auto barrier = Barrier::open("b", kParties).value();
  for (int round = 0; round < 5; ++round) {
    OtherProcess party([](const Here&) {
      auto theirs = Barrier::open("b", kParties).value();
      static_cast<void>(theirs.arrive_and_wait(watchdog()));
    });
    std::atomic<int> abandoned{0};
    std::atomic<int> met_again{0};
    std::vector<std::thread> threads;
    threads.reserve(2);
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] {
        const auto met = barrier.arrive_and_wait(watchdog());
        abandoned += !met && met.error().code == Errc::abandoned ? 1 : 0;
        met_again += barrier.arrive_and_wait(watchdog()) ? 1 : 0;
      });
    }
    const Deadline deadline = watchdog();
    while (look_at_lock("b").value().value < 3 && !deadline.passed()) std::this_thread::yield();
    party.kill();
    party.await_death();
    while (abandoned < 2 && !deadline.passed()) std::this_thread::yield();
    EXPECT_EQ(abandoned, 2);
    std::thread third([&] { met_again += barrier.arrive_and_wait(watchdog()) ? 1 : 0; });
    EXPECT_TRUE(barrier.arrive_and_wait(watchdog()));
    third.join();
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(met_again, 3);
  }
}

TEST_F(MeetingTest, RefusesWhatItCannotBe) {
  EXPECT_EQ(Barrier::open("b", 0).error().code, Errc::bad_argument);
  EXPECT_EQ(Barrier::open("b", 300).error().code, Errc::bad_argument);
  const auto barrier = Barrier::open("b", 3).value();
  EXPECT_EQ(Barrier::open("b", 4).error().code, Errc::type_mismatch);
  EXPECT_EQ(Condition::open("b").error().code, Errc::type_mismatch);
}

}  // namespace
}  // namespace signalbox
