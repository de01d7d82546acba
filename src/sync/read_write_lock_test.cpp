// Goal: many read or one writes; what the dead held is free; the next writer learns of a writer's
// death once.
// Method: threads, and processes that are killed in known states.
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/watchdog.hpp"
#include "signalbox/read_write_lock.hpp"
#include "sync/other_process.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

using namespace std::chrono_literals;
using Here = OtherProcess::Here;

ReadWriteLock open_lock() {
  auto opened = ReadWriteLock::open("table");
  if (!opened) std::fprintf(stderr, "%s\n", opened.error().text.c_str());
  return std::move(opened).value();
}

WriteGuard write(ReadWriteLock& lock, bool expect_death = false) {
  auto held = lock.lock_to_write(watchdog());
  if (!held) {
    ADD_FAILURE() << held.error().text;
    return {};
  }
  EXPECT_EQ(held->owner_died(), expect_death);
  return std::move(*held).regardless();
}

class ReadWriteLockTest : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

TEST_F(ReadWriteLockTest, ManyReadOrOneWrites) {
  auto lock = open_lock();
  std::uint64_t a = 0;  // not atomic: the lock orders them
  std::uint64_t b = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 500; ++k) {
        const auto guard = write(lock);
        ++a;
        ++b;
      }
    });
    threads.emplace_back([&] {
      for (int k = 0; k < 1000; ++k) {
        const auto guard = lock.lock_to_read(watchdog());
        ASSERT_TRUE(guard) << guard.error().text;
        EXPECT_EQ(a, b);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(a, 1000U);
}

TEST_F(ReadWriteLockTest, SaysWhyItWasNotTaken) {
  auto lock = open_lock();
  auto reading = lock.lock_to_read(watchdog()).value();
  auto also = lock.lock_to_read(watchdog()).value();
  EXPECT_EQ(lock.try_lock_to_write().error().code, Errc::would_deadlock);
  std::thread([&] {
    EXPECT_EQ(lock.try_lock_to_write().error().code, Errc::would_block);
    EXPECT_EQ(lock.lock_to_write(Deadline::after(2ms)).error().code, Errc::timed_out);
    EXPECT_TRUE(lock.try_lock_to_read()) << "a writer that gave up is in nobody's way";
  }).join();
  reading.release();
  also.release();
  const auto writing = write(lock);
  EXPECT_EQ(lock.lock_to_read(watchdog()).error().code, Errc::would_deadlock);
  EXPECT_EQ(lock.lock_to_write(watchdog()).error().code, Errc::would_deadlock);
  std::thread([&] {
    EXPECT_EQ(lock.try_lock_to_read().error().code, Errc::would_block);
    EXPECT_EQ(lock.lock_to_read(Deadline::after(2ms)).error().code, Errc::timed_out);
  }).join();
}

TEST_F(ReadWriteLockTest, MayBelongToNoThread) {
  auto lock = open_lock();
  auto reading = lock.lock_to_read(watchdog()).value();
  reading.let_any_thread_release();
  EXPECT_EQ(lock.try_lock_to_write().error().code, Errc::would_block);
  std::thread([&] { reading.release(); }).join();
  auto writing = write(lock);
  writing.let_any_thread_release();
  EXPECT_EQ(lock.try_lock_to_write().error().code, Errc::would_block);
  EXPECT_EQ(lock.try_lock_to_read().error().code, Errc::would_block);
  std::thread([&] { writing.release(); }).join();
  EXPECT_TRUE(lock.try_lock_to_read());
}

TEST_F(ReadWriteLockTest, AWriterWaitsForReadersAndTheyForIt) {
  auto lock = open_lock();
  auto reading = lock.lock_to_read(watchdog()).value();
  OtherProcess writer([](const Here& here) {
    auto theirs = open_lock();
    here.say();
    auto guard = write(theirs);
    here.say('w');
    here.wait_for_word();
    guard.release();
  });
  EXPECT_EQ(writer.hear(), '.');
  reading.release();
  EXPECT_EQ(writer.hear(), 'w');
  std::thread reader([&] { EXPECT_TRUE(lock.lock_to_read(watchdog())); });
  writer.go_on();
  reader.join();
  writer.reap();
}

TEST_F(ReadWriteLockTest, ADeadReaderIsNoReader) {
  auto lock = open_lock();
  for (int round = 0; round < 10; ++round) {
    OtherProcess reader([](const Here& here) {
      auto theirs = open_lock();
      const auto guard = theirs.lock_to_read(watchdog());
      here.say(guard ? 'r' : '?');
      here.wait_for_word();
    });
    ASSERT_EQ(reader.hear(), 'r');
    std::thread waiting([&] { write(lock).release(); });
    reader.kill();
    waiting.join();
  }
}

TEST_F(ReadWriteLockTest, TheNextWriterLearnsOnceThatTheLastDied) {
  auto lock = open_lock();
  for (int round = 0; round < 10; ++round) {
    OtherProcess writer([](const Here& here) {
      auto theirs = open_lock();
      const auto guard = write(theirs);
      here.say('w');
      here.wait_for_word();
    });
    ASSERT_EQ(writer.hear(), 'w');
    writer.kill();
    writer.await_death();
    EXPECT_TRUE(lock.lock_to_read(watchdog()));
    write(lock, true).release();
    write(lock, false).release();
  }
}

TEST_F(ReadWriteLockTest, MoreReadersThanSlotsWaitInLine) {
  auto lock = open_lock();
  std::vector<ReadGuard> guards;
  guards.reserve(128);
  for (int i = 0; i < 128; ++i) guards.push_back(lock.lock_to_read(watchdog()).value());
  EXPECT_EQ(lock.try_lock_to_read().error().code, Errc::would_block);
  std::thread reader([&] { EXPECT_TRUE(lock.lock_to_read(watchdog())); });
  guards.clear();
  reader.join();
  write(lock).release();
}

TEST_F(ReadWriteLockTest, AChildHoldsNothing) {
  auto lock = open_lock();
  auto guard = write(lock);
  OtherProcess child([&](const Here& here) {
    here.say(lock.try_lock_to_read().error().code == Errc::wrong_process ? 'w' : '?');
    guard.release();
    auto own = open_lock();
    here.say(own.try_lock_to_read().error().code == Errc::would_block ? 'b' : '?');
  });
  EXPECT_EQ(child.hear(), 'w');
  EXPECT_EQ(child.hear(), 'b');
}

}  // namespace
}  // namespace signalbox
