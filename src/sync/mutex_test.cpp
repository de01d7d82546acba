// Goal: one owner at a time; a dead owner's lock is free, and the next owner learns of it once.
// Method: threads, and processes that are stopped, killed, forked and replaced in known states.
#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "base/watchdog.hpp"
#include "os/thread_state.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/lock_facts.hpp"
#include "sync/other_process.hpp"
#include "topic/scratch_domain.hpp"

#if defined(__SANITIZE_THREAD__)
#define SBX_RACE_DETECTOR
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SBX_RACE_DETECTOR
#endif
#endif
#ifdef SBX_RACE_DETECTOR
// Whoever uses a lock has a thread of the library's, and these tests fork then. The children open
// locks of their own, which is safe: the library's locks are new in them.
extern "C" const char* __tsan_default_options() {  // NOLINT(*-identifier*)
  return "die_after_fork=0";
}
#endif

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using Here = OtherProcess::Here;

Mutex open_mutex(const char* name = "robot/arm", const LockOptions& options = {}) {
  auto opened = Mutex::open(name, options);
  if (!opened) std::fprintf(stderr, "%s\n", opened.error().text.c_str());
  return std::move(opened).value();
}

MutexGuard take(Mutex& mutex, bool expect_death = false) {
  auto held = mutex.lock(watchdog());
  if (!held) {
    ADD_FAILURE() << held.error().text;
    return {};
  }
  EXPECT_EQ(held->owner_died(), expect_death);
  return std::move(*held).regardless();
}

void hold_for_ever(const Here& here) {
  auto mutex = open_mutex();
  const auto guard = take(mutex);
  here.say(guard ? 'h' : '?');
  here.wait_for_word();
}

class MutexTest : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

std::size_t watches_here() {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    count += std::filesystem::read_symlink(entry, gone) == "anon_inode:inotify" ? 1 : 0;
  }
  return count;
}

// To end one the kernel waits for milliseconds, and up to a second.
TEST_F(MutexTest, TheWatchOfTheLastLockIsKeptForTheNext) {
  for (int i = 0; i < 3; ++i) {
    static_cast<void>(Mutex::open("m").value());
    EXPECT_EQ(watches_here(), 1U);
  }
  OtherProcess child([](const OtherProcess::Here& here) {
    const bool is_whole = watches_here() == 0 && Mutex::open("m").has_value();
    here.say(is_whole ? 'y' : 'n');
  });
  EXPECT_EQ(child.hear(), 'y');
}

TEST_F(MutexTest, OneOwnerAtATime) {
  auto mutex = open_mutex();
  std::uint64_t counted = 0;  // not atomic: the lock orders it
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto own = open_mutex();
      for (int k = 0; k < 2000; ++k) {
        const auto guard = take(k % 2 == 0 ? mutex : own);
        ++counted;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counted, 8000U);
}

TEST_F(MutexTest, SaysWhyItWasNotTaken) {
  auto mutex = open_mutex();
  const auto guard = take(mutex);
  const auto again = mutex.try_lock();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::would_deadlock);
  EXPECT_EQ(mutex.lock(watchdog()).error().code, Errc::would_deadlock);
  std::thread([&] {
    const auto other = mutex.try_lock();
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::would_block);
    EXPECT_EQ(mutex.lock(Deadline::immediate()).error().code, Errc::timed_out);
    EXPECT_EQ(mutex.lock(Deadline::after(2ms)).error().code, Errc::timed_out);
  }).join();
}

TEST_F(MutexTest, MayBelongToNoThread) {
  auto mutex = open_mutex();
  auto guard = take(mutex);
  guard.let_any_thread_release();
  EXPECT_EQ(mutex.try_lock().error().code, Errc::would_block);
  EXPECT_EQ(mutex.lock(Deadline::after(2ms)).error().code, Errc::timed_out);
  std::thread([&] { guard.release(); }).join();
  guard = take(mutex);
  EXPECT_EQ(mutex.try_lock().error().code, Errc::would_deadlock);
}

TEST_F(MutexTest, WaitsUntilItIsReleased) {
  auto mutex = open_mutex();
  auto guard = take(mutex);
  OtherProcess other([](const Here& here) {
    auto theirs = open_mutex();
    here.say();
    const auto held = take(theirs);
    here.say(held ? 'h' : '?');
  });
  EXPECT_EQ(other.hear(), '.');
  guard.release();
  EXPECT_EQ(other.hear(), 'h');
  other.reap();
}

TEST_F(MutexTest, TheNextOwnerLearnsOnceThatTheLastDied) {
  auto mutex = open_mutex();
  for (int round = 0; round < 20; ++round) {
    OtherProcess holder(hold_for_ever);
    ASSERT_EQ(holder.hear(), 'h');
    holder.kill();
    holder.reap();
    take(mutex, true).release();
    take(mutex, false).release();
  }
}

TEST_F(MutexTest, TryLockSeesADeathByItself) {
  auto mutex = open_mutex();
  OtherProcess holder(hold_for_ever);
  ASSERT_EQ(holder.hear(), 'h');
  ASSERT_EQ(mutex.try_lock().error().code, Errc::would_block);
  holder.kill();
  holder.reap();
  auto held = mutex.try_lock();
  ASSERT_TRUE(held);
  EXPECT_TRUE(held->owner_died());
  static_cast<void>(std::move(*held).regardless());
}

TEST_F(MutexTest, SleepersAreCalledWhenTheHolderDiesAndIsNotReaped) {
  OtherProcess holder(hold_for_ever);
  ASSERT_EQ(holder.hear(), 'h');
  auto mutex = open_mutex();
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto held = mutex.lock(watchdog());
      ASSERT_TRUE(held) << held.error().text;
      told += held->owner_died() ? 1 : 0;
      static_cast<void>(std::move(*held).regardless());
    });
  }
  holder.kill();
  holder.await_death();
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(told, 1);
}

TEST_F(MutexTest, WhoRepairsNothingPassesTheNewsOn) {
  auto mutex = open_mutex();
  {
    OtherProcess holder(hold_for_ever);
    ASSERT_EQ(holder.hear(), 'h');
  }
  {
    const auto dropped = mutex.lock(watchdog());
  }
  auto failed = std::move(mutex.lock(watchdog()).value()).after([] { return false; });
  EXPECT_FALSE(failed);
  int repairs = 0;
  auto repaired = std::move(mutex.lock(watchdog()).value()).after([&] { ++repairs; });
  EXPECT_TRUE(repaired);
  repaired.release();
  EXPECT_EQ(repairs, 1);
  static_cast<void>(std::move(mutex.lock(watchdog()).value()).after([&] { ++repairs; }));
  EXPECT_EQ(repairs, 1);
}

TEST_F(MutexTest, TheNewsWaitsForWhoeverComes) {
  {
    OtherProcess holder(hold_for_ever);
    ASSERT_EQ(holder.hear(), 'h');
  }
  {
    auto visitor = open_mutex();
  }
  auto mutex = open_mutex();
  take(mutex, true).release();
}

TEST_F(MutexTest, AStoppedHolderHoldsOn) {
  OtherProcess holder(hold_for_ever);
  ASSERT_EQ(holder.hear(), 'h');
  auto mutex = open_mutex();
  holder.signal(SIGSTOP);
  holder.await_stop();
  EXPECT_EQ(mutex.lock(Deadline::after(20ms)).error().code, Errc::timed_out);
  holder.kill();
  take(mutex, true).release();
}

TEST_F(MutexTest, AProgramThatIsReplacedHoldsNothing) {
  OtherProcess holder([](const Here& here) {
    auto mutex = open_mutex();
    const auto guard = take(mutex);
    here.say('h');
    here.wait_for_word();
    ::execl("/bin/sleep", "sleep", "1000", nullptr);
  });
  ASSERT_EQ(holder.hear(), 'h');
  auto mutex = open_mutex();
  holder.go_on();
  take(mutex, true).release();
}

TEST_F(MutexTest, AChildHoldsNothing) {
  auto mutex = open_mutex();
  auto guard = take(mutex);
  OtherProcess child([&](const Here& here) {
    here.say(mutex.try_lock().error().code == Errc::wrong_process ? 'w' : '?');
    guard.release();  // its copy of the guard
    auto own = open_mutex();
    here.say(own.try_lock().error().code == Errc::would_block ? 'b' : '?');
    here.say(own.lock(watchdog()) ? 'h' : '?');
  });
  EXPECT_EQ(child.hear(), 'w');
  EXPECT_EQ(child.hear(), 'b');
  guard.release();
  EXPECT_EQ(child.hear(), 'h');
  child.reap();
}

TEST_F(MutexTest, AHandleMayGoBeforeItsGuard) {
  MutexGuard guard;
  {
    auto mutex = open_mutex();
    guard = take(mutex);
  }
  auto again = open_mutex();
  EXPECT_EQ(again.try_lock().error().code, Errc::would_deadlock);
  guard.release();
  take(again).release();
}

#ifndef SBX_RACE_DETECTOR
// Some kernels take the memory of the dead away some milliseconds after their end, and only with it
// the last use of a file that they had mapped. Here another process keeps the memory.
TEST_F(MutexTest, MemoryThatOutlivesItsProcessKeepsNoFile) {
  const auto only_keep_the_memory = [](void* where) {
    const Here& here = *static_cast<const Here*>(where);
    ::dup2(here.from_parent, 0);
    ::dup2(here.to_parent, 1);
    ::close_range(2, ~0U, 0);
    Here{.to_parent = 1, .from_parent = 0}.say('k');
    char word = 0;
    while (::read(0, &word, 1) == 1) continue;  // until the test ends
    return 0;
  };
  OtherProcess holder([&](Here here) {
    const auto mutex = open_mutex();
    static char stack[16 * 1024];
    if (::clone(only_keep_the_memory, std::end(stack), CLONE_VM, &here) < 0) here.say('?');
    here.wait_for_word();
  });
  ASSERT_EQ(holder.hear(), 'k');
  holder.kill();
  holder.reap();
  static_cast<void>(open_mutex());  // the last who has it open
  EXPECT_TRUE(std::filesystem::is_empty(domain_.root()));
}
#endif

TEST_F(MutexTest, UsersMustAgreeOnWhatItIs) {
  auto mutex = open_mutex();
  const auto other = Mutex::open("robot/arm", {.first_come_first_served = true});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::type_mismatch);
  EXPECT_NE(other.error().text.find("first come first served"), std::string::npos)
      << other.error().text;
  EXPECT_EQ(Mutex::open("no such name").error().code, Errc::bad_name);
}

TEST_F(MutexTest, AShortenedFileIsDamagedAndNoFreeLock) {
  auto mutex = open_mutex();
  ASSERT_EQ(::truncate(domain_.topic_path("+locks/robot+arm").c_str(), 0), 0);
  EXPECT_EQ(mutex.lock(watchdog()).error().code, Errc::damaged);
  ::unlink(domain_.topic_path("+locks/robot+arm").c_str());
}

TEST_F(MutexTest, FirstComeFirstServed) {
  const LockOptions fair{.domain = {}, .first_come_first_served = true};
  auto mutex = open_mutex("fair", fair);
  std::uint64_t counted = 0;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 500; ++k) {
        const auto guard = take(mutex);
        ++counted;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counted, 2000U);
}

// How often a thread that runs gets the lock again before the one in line has it.
int overtakings(const char* name, const LockOptions& options) {
  auto mutex = open_mutex(name, options);
  auto guard = take(mutex);
  std::atomic<bool> had_it{false};
  std::atomic<pid_t> thread{0};
  std::thread waiter([&] {
    thread = ::gettid();
    const auto held = take(mutex);
    had_it = true;
  });
  const Deadline deadline = watchdog();
  // One in line has yet to say so where those who release look, before he sleeps.
  const auto sleeps_in_line = [&] {
    return !look_at_lock(name).value().waiters.empty() && os::test::own_thread_state(thread) == 'S';
  };
  while (!sleeps_in_line() && !deadline.passed()) std::this_thread::yield();
  int overtaken = -1;  // the first of these gives back what the waiter saw held
  while (!had_it && !deadline.passed()) {
    guard.release();
    guard = take(mutex);
    if (!had_it) ++overtaken;
  }
  EXPECT_TRUE(had_it) << "overtaken for ever";
  guard.release();
  waiter.join();
  return overtaken;
}

TEST_F(MutexTest, NobodyIsOvertakenWhereTheFirstIsServedFirst) {
  for (int round = 0; round < 20; ++round) {
    EXPECT_LE(overtakings("fair", {.domain = {}, .first_come_first_served = true}), 0);
  }
}

TEST_F(MutexTest, WhoRunsGoesOnForAWhileOnlyWhereNewcomersMayOvertake) {
  for (int round = 0; round < 20; ++round) overtakings("unfair", {});
}

}  // namespace
}  // namespace signalbox
