// Goal: a child that is made while its parent's first lock starts the thread that watches over it
// can open, use and close a lock of its own. Under GCC 12's AddressSanitizer it could wait for good
// for the allocator's lock, which that thread held (base/sanitized_fork.c).
// Method: many processes, each with its first lock and a child made at once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <deque>

#include "base/watchdog.hpp"
#include "os/test_process.hpp"
#include "signalbox/lock.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

constexpr int kRounds = 40;
constexpr int kParentsAtOnce = 6;  // more than processors: a thread is paused anywhere
constexpr unsigned kWatchdogSeconds = 20;

int lock_and_unlock() {
  ::alarm(kWatchdogSeconds);
  auto lock = Mutex::open("own");
  if (!lock) return 1;
  return lock->lock(watchdog()) ? 0 : 2;
}

int parent_and_child() {
  const auto first = Mutex::open("first");
  if (!first) return 3;
  return os::test::Forked(lock_and_unlock).wait();
}

TEST(BeginningThread, AChildMadeBesideItOpensALock) {
  const ScratchDomain domain;
  // The end of such a thread may cost the kernel much: fewer rounds then.
  const Deadline enough = Deadline::after(std::chrono::seconds(20));
  for (int round = 0; round < kRounds && !enough.passed(); ++round) {
    std::deque<os::test::Forked> parents;
    for (int i = 0; i < kParentsAtOnce; ++i) parents.emplace_back(parent_and_child);
    for (auto& parent : parents) ASSERT_EQ(parent.wait(), 0) << "round " << round;
  }
}

}  // namespace
}  // namespace signalbox
