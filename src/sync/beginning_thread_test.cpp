// Goal: a child that is made while its parent's first lock starts the thread that watches over it
// can open, use and close a lock of its own. Under GCC 12's AddressSanitizer it could wait for good
// for the allocator's lock, which that thread held (base/sanitized_fork.c).
// Method: many processes, each with its first lock and a child made at once.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "base/watchdog.hpp"
#include "signalbox/lock.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

constexpr int kRounds = 40;
constexpr std::size_t kParentsAtOnce = 6;  // more than processors: a thread is paused anywhere
constexpr unsigned kWatchdogSeconds = 20;

int exit_status(pid_t child) {
  int status = -1;
  return ::waitpid(child, &status, 0) == child ? status : -1;
}

int lock_and_unlock() {
  ::alarm(kWatchdogSeconds);
  auto lock = Mutex::open("own");
  if (!lock) return 1;
  return lock->lock(watchdog()) ? 0 : 2;
}

int parent_and_child() {
  const auto first = Mutex::open("first");
  if (!first) return 1;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(lock_and_unlock());
  return exit_status(child) == 0 ? 0 : 2;
}

TEST(BeginningThread, AChildMadeBesideItOpensALock) {
  const ScratchDomain domain;
  for (int round = 0; round < kRounds; ++round) {
    std::array<pid_t, kParentsAtOnce> parents{};
    for (pid_t& parent : parents) {
      parent = ::fork();
      if (parent == 0) ::_exit(parent_and_child());
    }
    for (const pid_t parent : parents) EXPECT_EQ(exit_status(parent), 0) << "round " << round;
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace signalbox
