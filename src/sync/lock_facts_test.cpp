// Goal: what is told of locks is what holds and waits.
// Method: objects in known states, with a second process that holds and waits.
#include "signalbox/lock_facts.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "base/watchdog.hpp"
#include "signalbox/barrier.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/read_write_lock.hpp"
#include "signalbox/semaphore.hpp"
#include "sync/other_process.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using Here = OtherProcess::Here;

class LockFactsTest : public ::testing::Test {
 protected:
  static LockFacts facts_of(const char* name) {
    auto facts = look_at_lock(name);
    EXPECT_TRUE(facts) << facts.error().text;
    return facts ? *facts : LockFacts();
  }
  // Once somebody stands in line.
  static LockFacts facts_with_waiters(const char* name, std::size_t count) {
    const Deadline deadline = watchdog();
    for (;;) {
      LockFacts facts = facts_of(name);
      if (facts.waiters.size() == count || deadline.passed()) return facts;
      std::this_thread::yield();
    }
  }
  ScratchDomain domain_;
};

TEST_F(LockFactsTest, AMutexHasAHolderAndWaiters) {
  auto mutex = Mutex::open("a/b").value();
  EXPECT_TRUE(facts_of("a/b").holders.empty());
  auto guard = std::move(mutex.lock(watchdog()).value()).regardless();
  OtherProcess waiter([](const Here& here) {
    auto theirs = Mutex::open("a/b").value();
    auto held = std::move(theirs.lock(watchdog()).value()).regardless();
    held.release();
    here.say();
    here.wait_for_word();
  });
  const LockFacts facts = facts_with_waiters("a/b", 1);
  EXPECT_EQ(facts.kind, LockKind::mutex);
  EXPECT_EQ(facts.name, "a/b");
  ASSERT_EQ(facts.holders.size(), 1U);
  EXPECT_EQ(facts.holders[0].pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(facts.holders[0].thread, static_cast<std::uint32_t>(::gettid()));
  EXPECT_TRUE(facts.holders[0].is_alive);
  ASSERT_EQ(facts.waiters.size(), 1U);
  EXPECT_EQ(facts.waiters[0].pid, static_cast<std::uint32_t>(waiter.pid()));
  guard.release();
  EXPECT_EQ(waiter.hear(), '.');
  EXPECT_TRUE(facts_of("a/b").waiters.empty());
}

TEST_F(LockFactsTest, ASemaphoreHasAValueAndHolders) {
  auto semaphore = Semaphore::open("s", {.units_max = 5, .units = 4}).value();
  const auto permit = semaphore.acquire(watchdog()).value();
  const LockFacts facts = facts_of("s");
  EXPECT_EQ(facts.kind, LockKind::semaphore);
  EXPECT_EQ(facts.value, 3U);
  EXPECT_EQ(facts.units_max, 5U);
  ASSERT_EQ(facts.holders.size(), 1U);
}

TEST_F(LockFactsTest, AReaderWriterLockHasReaders) {
  auto lock = ReadWriteLock::open("rw").value();
  const auto one = lock.lock_to_read(watchdog()).value();
  const auto two = lock.lock_to_read(watchdog()).value();
  std::thread writer(
      [&] { EXPECT_EQ(lock.lock_to_write(Deadline::after(5ms)).error().code, Errc::timed_out); });
  writer.join();
  const LockFacts facts = facts_of("rw");
  ASSERT_EQ(facts.holders.size(), 2U);
  EXPECT_TRUE(facts.holders[0].reads);
  EXPECT_FALSE(facts.last_owner_died);
}

TEST_F(LockFactsTest, ABarrierCountsWhoHasArrived) {
  auto barrier = Barrier::open("b", 3).value();
  std::thread party([&] { EXPECT_TRUE(barrier.arrive_and_wait(watchdog())); });
  std::thread other([&] { EXPECT_TRUE(barrier.arrive_and_wait(watchdog())); });
  EXPECT_EQ(facts_with_waiters("b", 2).value, 2U);
  EXPECT_TRUE(barrier.arrive_and_wait(watchdog()));
  party.join();
  other.join();
}

TEST_F(LockFactsTest, AllAreListed) {
  EXPECT_TRUE(list_locks().value().empty());
  EXPECT_EQ(look_at_lock("none").error().code, Errc::not_found);
  const auto mutex = Mutex::open("x").value();
  const auto semaphore = Semaphore::open("w", {.units_max = 1}).value();
  const auto all = list_locks().value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].name, "w");
  EXPECT_EQ(all[1].name, "x");
}

}  // namespace
}  // namespace signalbox
