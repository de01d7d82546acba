// Goal: the C library's reader/writer lock lets readers in together and a writer in alone, between
// processes, with deadlines on the monotonic clock.
// Method: memory shared by forked children; counters that a writer would find changed.
#include "signalbox/os/reader_writer_lock.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/watchdog.hpp"
#include "os/shared_page.hpp"
#include "os/signal_storm.hpp"
#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::Forked;

struct Scene {
  ReaderWriterLock::Memory memory;
  std::atomic<int> readers;
  std::atomic<int> writers;
};

class ReaderWriterLockTest : public ::testing::Test {
 protected:
  test::Shared<Scene> scene_;
  ReaderWriterLock lock_ = ReaderWriterLock::create(scene_->memory).value();
};

TEST_F(ReaderWriterLockTest, ReadersShareAndAWriterIsAlone) {
  {
    const auto one = lock_.lock_shared(watchdog());
    const auto two = lock_.lock_shared(Deadline::never());
    ASSERT_TRUE(one && two);
    Forked other([&] {
      auto opened = ReaderWriterLock::open(scene_->memory);
      if (!opened || !*opened->try_lock_shared()) return 1;
      if (*opened->try_lock_exclusive()) return 2;
      const Deadline soon = Deadline::after(10ms);
      const auto timed = opened->lock_exclusive(soon);
      return !timed && timed.error().code == Errc::timed_out && soon.passed() ? 0 : 3;
    });
    EXPECT_EQ(other.wait(), 0);
  }
  auto writer = lock_.lock_exclusive(watchdog());
  ASSERT_TRUE(writer);
  EXPECT_EQ(lock_.lock_exclusive(watchdog()).error().code, Errc::would_deadlock);
  EXPECT_EQ(lock_.lock_shared(watchdog()).error().sys_errno, EDEADLK);
  Forked other([&] {
    if (*lock_.try_lock_shared() || *lock_.try_lock_exclusive()) return 1;
    if (lock_.lock_shared(Deadline::after(10ms)).error().code != Errc::timed_out) return 2;
    // What was inherited is not held here.
    const auto unlocked = writer->unlock();
    return !unlocked && unlocked.error().code == Errc::wrong_process ? 0 : 3;
  });
  EXPECT_EQ(other.wait(), 0);
  ASSERT_TRUE(writer->unlock());
  EXPECT_TRUE(*lock_.try_lock_exclusive());
}

TEST_F(ReaderWriterLockTest, WritersNeverOverlapAnybody) {
  std::vector<std::unique_ptr<Forked>> workers;
  workers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    workers.push_back(std::make_unique<Forked>([&, i] {
      for (int round = 0; round < 500; ++round) {
        const bool to_write = i < 2;
        const auto held =
            to_write ? lock_.lock_exclusive(watchdog()) : lock_.lock_shared(watchdog());
        if (!held || scene_->writers.load() != 0) return 1;
        if (to_write && scene_->readers.load() != 0) return 2;
        auto& inside = to_write ? scene_->writers : scene_->readers;
        inside.fetch_add(1);
        std::this_thread::yield();
        inside.fetch_sub(1);
      }
      return 0;
    }));
  }
  for (auto& worker : workers) EXPECT_EQ(worker->wait(), 0);
}

TEST_F(ReaderWriterLockTest, WhereWritersArePreferredNewReadersWait) {
  ASSERT_TRUE(lock_.destroy());
  EXPECT_EQ(lock_.lock_shared(watchdog()).error().code, Errc::closed);
  EXPECT_EQ(ReaderWriterLock::open(scene_->memory).error().code, Errc::not_found);
  auto lock = ReaderWriterLock::create(scene_->memory, {.prefer_writers = true}).value();
  EXPECT_EQ(ReaderWriterLock::create(scene_->memory).error().code, Errc::already_exists);
  auto reader = lock.lock_shared(watchdog());
  Forked writer([&] { return lock.lock_exclusive(watchdog()) ? 0 : 1; });
  const Deadline until = watchdog();
  while (*lock.try_lock_shared()) ASSERT_FALSE(until.passed()) << "readers pass a writer";
  ASSERT_TRUE(reader->unlock());
  EXPECT_EQ(writer.wait(), 0);
}

TEST_F(ReaderWriterLockTest, SignalsNeitherShortenNorLengthenAWait) {
  test::Milestone holding;
  test::Milestone done;
  std::thread holder([&] {
    const auto held = lock_.lock_exclusive(watchdog());
    if (holding.reach()) static_cast<void>(done.wait());
  });
  ASSERT_TRUE(holding.wait());
  for (const int flags : {0, SA_RESTART}) {
    test::expect_deadline_kept(flags, [&](Deadline at) { return lock_.lock_shared(at); });
    test::expect_deadline_kept(flags, [&](Deadline at) { return lock_.lock_exclusive(at); });
  }
  EXPECT_TRUE(done.reach());
  holder.join();
}

}  // namespace
}  // namespace signalbox::os
