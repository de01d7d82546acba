// Goal: a set reports a mutex or a semaphore exactly while taking it would succeed.
// Method: one set with locks and a descriptor; holders in other processes and threads, which
// release and die.
#include <gtest/gtest.h>

#include <thread>

#include "base/watchdog.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/lock_facts.hpp"
#include "signalbox/semaphore.hpp"
#include "signalbox/wait_set.hpp"
#include "sync/other_process.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using Here = OtherProcess::Here;

class LockWaitableTest : public ::testing::Test {
 protected:
  // The keys that are ready by then.
  std::size_t ready_count(Deadline deadline) {
    const auto ready = set_.wait(deadline);
    EXPECT_TRUE(ready);
    return ready ? ready->size() : 0;
  }
  ScratchDomain domain_;
  WaitSet set_ = WaitSet::create(4).value();
};

TEST_F(LockWaitableTest, IsALevel) {
  auto semaphore = Semaphore::open("s", {.units_max = 2}).value();
  const auto watch = set_.watch(semaphore.waitable(), 1).value();
  EXPECT_EQ(ready_count(Deadline::immediate()), 1U);
  EXPECT_EQ(ready_count(watchdog()), 1U);
  auto one = semaphore.acquire(watchdog()).value();
  EXPECT_EQ(ready_count(Deadline::immediate()), 1U);
  auto two = semaphore.acquire(watchdog()).value();
  EXPECT_EQ(ready_count(Deadline::immediate()), 0U);
  EXPECT_EQ(ready_count(Deadline::after(2ms)), 0U);
  std::thread other([&] { one.release(); });
  EXPECT_EQ(ready_count(watchdog()), 1U);
  other.join();
  auto three = semaphore.acquire(watchdog()).value();
  EXPECT_EQ(ready_count(Deadline::after(2ms)), 0U);
}

TEST_F(LockWaitableTest, IsWokenByAReleaseAndByADeath) {
  auto mutex = Mutex::open("m").value();
  const auto watch = set_.watch(mutex.waitable(), 1).value();
  for (int round = 0; round < 10; ++round) {
    OtherProcess holder([](const Here& here) {
      auto theirs = Mutex::open("m").value();
      auto guard = std::move(theirs.lock(watchdog()).value()).regardless();
      here.say();
      here.wait_for_word();
      guard.release();
      guard = std::move(theirs.lock(watchdog()).value()).regardless();
      here.say();
      here.wait_for_word();
    });
    EXPECT_EQ(holder.hear(), '.');
    EXPECT_EQ(ready_count(Deadline::immediate()), 0U);
    holder.go_on();
    EXPECT_EQ(holder.hear(), '.');
    static_cast<void>(ready_count(Deadline::after(1ms)));  // perhaps it saw the moment between
    holder.kill();
    EXPECT_EQ(ready_count(watchdog()), 1U);
    auto held = mutex.lock(watchdog());
    ASSERT_TRUE(held);
    EXPECT_TRUE(held->owner_died());
    static_cast<void>(std::move(*held).regardless());
  }
}

TEST_F(LockWaitableTest, TakesNobodysCall) {
  auto semaphore = Semaphore::open("s", {.units_max = 1, .units = 0}).value();
  const auto watch = set_.watch(semaphore.waitable(), 1).value();
  EXPECT_EQ(ready_count(Deadline::immediate()), 0U);
  std::thread waiter([&] { EXPECT_TRUE(semaphore.consume(watchdog())); });
  const Deadline deadline = watchdog();
  while (look_at_lock("s").value().waiters.size() < 2 && !deadline.passed()) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(semaphore.post());
  waiter.join();
  EXPECT_EQ(ready_count(Deadline::immediate()), 0U);
}

TEST_F(LockWaitableTest, ASourceThatIsGoneIsSilent) {
  std::optional<Watch> watch;
  {
    auto mutex = Mutex::open("m").value();
    watch = set_.watch(mutex.waitable(), 1).value();
    EXPECT_EQ(ready_count(Deadline::immediate()), 1U);
  }
  EXPECT_EQ(ready_count(Deadline::immediate()), 0U);
  EXPECT_EQ(ready_count(Deadline::after(2ms)), 0U);
}

TEST_F(LockWaitableTest, TellsOfAPeriodInWhichItWasNeverFree) {
  auto mutex = std::optional(Mutex::open("m").value());
  auto guard = std::move(mutex->lock(watchdog()).value()).regardless();
  const auto watch = set_.watch_every(mutex->waitable(), 1, 2ms).value();
  const auto missed = set_.wait(watchdog());
  ASSERT_TRUE(missed);
  ASSERT_EQ(missed->size(), 1U);
  EXPECT_EQ(missed->front().events, Events::deadline_missed);
  guard.release();
  const auto free = set_.wait(Deadline::immediate());
  ASSERT_TRUE(free);
  ASSERT_EQ(free->size(), 1U);
  EXPECT_EQ(free->front().events, Events::readable);
  mutex.reset();
  EXPECT_EQ(ready_count(Deadline::after(5ms)), 0U);
}

TEST_F(LockWaitableTest, AsksForWhatThereIs) {
  auto mutex = Mutex::open("m").value();
  EXPECT_EQ(set_.watch(mutex.waitable(), 1, Events::writable).error().code, Errc::bad_argument);
  const Waitable outlives = mutex.waitable();
  {
    Mutex gone = std::move(mutex);
  }
  EXPECT_EQ(set_.watch(outlives, 1).error().code, Errc::closed);
}

}  // namespace
}  // namespace signalbox
