// Goal: as many hold units as there are, and what the dead held comes back, each unit once.
// Method: threads, and processes that are killed in known states.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <climits>
#include <thread>
#include <vector>

#include "base/watchdog.hpp"
#include "signalbox/lock_facts.hpp"
#include "signalbox/semaphore.hpp"
#include "sync/other_process.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using Here = OtherProcess::Here;

Semaphore open_semaphore(const SemaphoreOptions& options = {.units_max = 3}) {
  auto opened = Semaphore::open("buffers", options);
  if (!opened) std::fprintf(stderr, "%s\n", opened.error().text.c_str());
  return std::move(opened).value();
}

class SemaphoreTest : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

TEST_F(SemaphoreTest, NoMoreAreHeldThanThereAre) {
  auto semaphore = open_semaphore();
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  std::vector<std::thread> threads;
  threads.reserve(6);
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) {
        const auto permit = semaphore.acquire(watchdog());
        ASSERT_TRUE(permit) << permit.error().text;
        const int now = ++inside;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
        --inside;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(semaphore.value(), 3U);
}

TEST_F(SemaphoreTest, UnitsOfTheDeadComeBackOnce) {
  auto semaphore = open_semaphore();
  for (int round = 0; round < 20; ++round) {
    OtherProcess holder([](const Here& here) {
      auto theirs = open_semaphore();
      const auto first = theirs.acquire(watchdog());
      const auto second = theirs.acquire(watchdog());
      here.say(first && second ? 'h' : '?');
      here.wait_for_word();
    });
    ASSERT_EQ(holder.hear(), 'h');
    EXPECT_EQ(semaphore.value(), 1U);
    holder.kill();
    std::vector<Permit> permits;
    permits.reserve(3);
    for (int i = 0; i < 3; ++i) permits.push_back(semaphore.acquire(watchdog()).value());
    EXPECT_EQ(semaphore.try_acquire().error().code, Errc::would_block);
    EXPECT_EQ(semaphore.acquire(Deadline::after(1ms)).error().code, Errc::timed_out);
  }
  EXPECT_EQ(semaphore.value(), 3U);
}

TEST_F(SemaphoreTest, PostsAndUsesUpLikeTheKernels) {
  auto semaphore = open_semaphore({.units_max = 2, .units = 0});
  EXPECT_EQ(semaphore.try_consume().error().code, Errc::would_block);
  EXPECT_TRUE(semaphore.post());
  EXPECT_TRUE(semaphore.post());
  EXPECT_EQ(semaphore.post().error().code, Errc::out_of_range);
  EXPECT_TRUE(semaphore.consume(watchdog()));
  EXPECT_EQ(semaphore.value(), 1U);
  semaphore.acquire(watchdog()).value().use_up();
  EXPECT_EQ(semaphore.value(), 0U);
  EXPECT_TRUE(semaphore.post());
  {
    const auto permit = semaphore.acquire(watchdog());
  }
  EXPECT_EQ(semaphore.value(), 1U);
}

TEST_F(SemaphoreTest, PostsOutliveThoseWhoPosted) {
  auto semaphore = open_semaphore({.units_max = 2, .units = 0});
  OtherProcess poster([](const Here& here) {
    here.say(open_semaphore({.units_max = 2, .units = 0}).post() ? 'p' : '?');
  });
  EXPECT_TRUE(semaphore.consume(watchdog()));
}

// How often this thread has gone to sleep.
long sleeps() {
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  return usage.ru_nvcsw;
}

TEST_F(SemaphoreTest, OnePostWakesOneOfSixtyFour) {
  constexpr int kWaiters = 64;
  auto semaphore = open_semaphore({.units_max = kWaiters, .units = 0});
  std::atomic<int> woken{0};
  std::atomic<long> slept{0};
  std::vector<std::thread> threads;
  threads.reserve(kWaiters);
  for (int i = 0; i < kWaiters; ++i) {
    threads.emplace_back([&] {
      const long before = sleeps();
      EXPECT_TRUE(semaphore.consume(watchdog()));
      slept += sleeps() - before;
      ++woken;
    });
  }
  const Deadline deadline = watchdog();
  while (look_at_lock("buffers").value().waiters.size() < kWaiters && !deadline.passed()) {
    std::this_thread::yield();
  }
  for (int i = 1; i <= kWaiters; ++i) {
    EXPECT_TRUE(semaphore.post());
    while (woken < i && !deadline.passed()) std::this_thread::yield();
    EXPECT_EQ(woken, i);
  }
  for (auto& thread : threads) thread.join();
  // A herd would sleep some two thousand times. The kernel has reasons of its own, such as memory.
  EXPECT_LE(slept, 4 * kWaiters);
}

TEST_F(SemaphoreTest, WhoWaitsIsNotWokenForNothing) {
  auto semaphore = open_semaphore({.units_max = 1, .units = 0});
  std::thread([&] {
    // The kernel has reasons of its own to let a thread sleep, but not five times in a row.
    long fewest = LONG_MAX;
    for (int attempt = 0; attempt < 5 && fewest > 2; ++attempt) {
      const long before = sleeps();
      EXPECT_EQ(semaphore.consume(Deadline::after(400ms)).error().code, Errc::timed_out);
      fewest = std::min(fewest, sleeps() - before);
    }
    EXPECT_LE(fewest, 2) << "looks for the dead ten times a second would be four";
  }).join();
}

TEST_F(SemaphoreTest, ManyTakenAtOnceWakeMany) {
  auto semaphore = open_semaphore({.units_max = 8});
  std::vector<std::thread> threads;
  threads.reserve(8);
  {
    std::vector<Permit> permits;
    permits.reserve(8);
    for (int i = 0; i < 8; ++i) permits.push_back(semaphore.acquire(watchdog()).value());
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto permit = semaphore.acquire(watchdog());
        EXPECT_TRUE(permit);
        // Held until all eight have one: each of the units must have called somebody.
        static std::atomic<int> holders{0};
        ++holders;
        const Deadline deadline = watchdog();
        while (holders < 8 && !deadline.passed()) std::this_thread::yield();
        EXPECT_EQ(holders, 8);
      });
    }
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(SemaphoreTest, RefusesWhatItCannotBe) {
  EXPECT_EQ(Semaphore::open("x", {.units_max = 0}).error().code, Errc::bad_argument);
  EXPECT_EQ(Semaphore::open("x", {.units_max = 5000}).error().code, Errc::bad_argument);
  EXPECT_EQ(Semaphore::open("x", {.units_max = 1, .units = 2}).error().code, Errc::bad_argument);
  auto semaphore = open_semaphore();
  const auto other = Semaphore::open("buffers", {.units_max = 4});
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::type_mismatch);
}

}  // namespace
}  // namespace signalbox
