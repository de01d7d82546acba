// Goal: the three kinds of file locks exclude whom they promise to, wait, convert, tell their
// holder and die with it. Method: real files; whoever must be another process is a forked child
// whose status is its answer.
#include "signalbox/os/file_lock.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;

constexpr LockKind shared = LockKind::shared;
constexpr LockKind exclusive = LockKind::exclusive;

struct FileLockTest : ::testing::TestWithParam<LockOwner> {
  std::string path = "/dev/shm/signalbox-lock-XXXXXX";
  Fd file{::mkostemp(path.data(), O_CLOEXEC)};
  LockOptions options{.range = {}, .owner = GetParam()};
  ~FileLockTest() override { ::unlink(path.c_str()); }
  // A second open file, whose locks are not those of `file`.
  Fd open(int mode = O_RDWR) const { return Fd(::open(path.c_str(), mode | O_CLOEXEC)); }
  // What a stranger, in a process and with an open file of its own, finds.
  bool is_free_for_others(LockKind kind) const {
    test::Forked stranger([&] { return must(try_lock(open(), kind, options)) ? 0 : 1; });
    return stranger.wait() == 0;
  }
};
INSTANTIATE_TEST_SUITE_P(Owners, FileLockTest,
                         ::testing::Values(LockOwner::open_file, LockOwner::flock,
                                           LockOwner::process),
                         [](const auto& test) -> std::string {
                           return test.param == LockOwner::open_file ? "open_file"
                                  : test.param == LockOwner::flock   ? "flock"
                                                                     : "process";
                         });

TEST_P(FileLockTest, SharedOnesShareAndAnExclusiveOneIsAlone) {
  {
    const auto reader = must(FileLock::try_take(file, shared, options));
    EXPECT_TRUE(reader);
    EXPECT_TRUE(is_free_for_others(shared));
    EXPECT_FALSE(is_free_for_others(exclusive));
  }
  EXPECT_TRUE(is_free_for_others(exclusive)) << "the guard did not release";
  const auto writer = must(FileLock::try_take(file, exclusive, options));
  EXPECT_FALSE(is_free_for_others(shared));
  EXPECT_FALSE(is_free_for_others(exclusive));
}

TEST_P(FileLockTest, RefusalsOfTryAndOfADeadlineSayWhy) {
  const auto held = must(FileLock::try_take(file, exclusive, options));
  test::Forked stranger([&] {
    const Fd own = open();
    const auto now = FileLock::try_take(own, shared, options);
    if (now || now.error().code != Errc::would_block) return 1;
    for (const Deadline deadline : {Deadline::immediate(), Deadline::after(25ms)}) {
      const auto late = FileLock::take(own, shared, options, deadline);
      if (late || late.error().code != Errc::timed_out) return 2;
      if (!deadline.passed()) return 3;
    }
    return 0;
  });
  EXPECT_EQ(stranger.wait(), 0);
}

TEST_P(FileLockTest, IsHandedToWhoeverWaitsWithAndWithoutADeadline) {
  for (const Deadline deadline : {Deadline::never(), Deadline::after(100s)}) {
    const test::Milestone waits;
    auto held = must(FileLock::try_take(file, exclusive, options));
    test::Forked waiter([&] {
      const Fd own = open();
      waits.reach();
      return must(FileLock::take(own, exclusive, options, deadline)) ? 0 : 1;
    });
    ASSERT_TRUE(waits.wait());
    held.release();
    EXPECT_FALSE(held);
    EXPECT_EQ(waiter.wait(), 0);
  }
}

TEST_P(FileLockTest, DiesWithItsHolder) {
  const test::Milestone holds;
  test::Forked holder([&] {
    const Fd own = open();
    const auto held = must(FileLock::try_take(own, exclusive, options));
    holds.reach();
    for (;;) ::pause();
    return 0;
  });
  ASSERT_TRUE(holds.wait());
  EXPECT_FALSE(must(try_lock(file, exclusive, options)));
  holder.kill();
  EXPECT_TRUE(must(FileLock::take(file, exclusive, options, Deadline::never())));
}

TEST_P(FileLockTest, IsConvertedAndKeptWhereThatFails) {
  auto held = must(FileLock::try_take(file, shared, options));
  must(held.try_convert(exclusive));
  EXPECT_EQ(held.kind(), exclusive);
  EXPECT_FALSE(is_free_for_others(shared));
  must(held.convert(shared, Deadline::never()));
  EXPECT_TRUE(is_free_for_others(shared));

  const test::Milestone holds;
  test::Forked other([&] {
    const Fd own = open();
    const auto mine = must(FileLock::try_take(own, shared, options));
    holds.reach();
    for (;;) ::pause();
    return 0;
  });
  ASSERT_TRUE(holds.wait());
  EXPECT_EQ(held.try_convert(exclusive).error().code, Errc::would_block);
  EXPECT_EQ(held.convert(exclusive, Deadline::after(5ms)).error().code, Errc::timed_out);
  EXPECT_TRUE(held);
  EXPECT_EQ(held.kind(), shared);
  other.kill();
  other.wait();
  EXPECT_FALSE(is_free_for_others(exclusive)) << "the shared lock was lost";
}

volatile sig_atomic_t handled = 0;

TEST_P(FileLockTest, ASignalEndsTheWaitWhereAskedAndElseDoesNot) {
  const auto held = must(FileLock::try_take(file, exclusive, options));
  for (const Deadline deadline : {Deadline::never(), Deadline::after(100s)}) {
    test::Forked waiter([&] {
      struct sigaction action{};
      action.sa_handler = [](int) { handled = handled + 1; };
      ::sigaction(SIGUSR1, &action, nullptr);
      const auto ended = FileLock::take(open(), exclusive, options, deadline, OnSignal::give_up);
      if (ended || ended.error().code != Errc::interrupted) return 1;
      return ended.error().sys_errno == EINTR ? 0 : 2;
    });
    // A signal that came before its wait ends nothing, so they come until it has ended.
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(waiter.pid()), &info, WEXITED | WNOHANG | WNOWAIT) ==
               0 &&
           info.si_pid == 0) {
      waiter.kill(SIGUSR1);
      ::sched_yield();
    }
    // One that came before the handler was there has killed it: then nothing was tried.
    const int status = waiter.wait();
    EXPECT_TRUE(status == 0 || status == 128 + SIGUSR1) << status;
  }
  test::Forked patient([&] {
    struct sigaction action{};
    action.sa_handler = [](int) { handled = handled + 1; };
    ::sigaction(SIGALRM, &action, nullptr);
    const itimerval often{{0, 1000}, {0, 1000}};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    const auto late = FileLock::take(open(), exclusive, options, Deadline::after(50ms));
    return late.error().code == Errc::timed_out && handled > 0 ? 0 : 1;
  });
  EXPECT_EQ(patient.wait(), 0);
}

TEST_P(FileLockTest, TheHolderIsTold) {
  EXPECT_FALSE(must(holder_of(file, exclusive, options)));
  const test::Milestone holds;
  LockOptions some = options;
  if (options.owner != LockOwner::flock) some.range = {.begin = 10, .bytes = 5};
  test::Forked holder([&] {
    const Fd own = open();
    const auto held = must(FileLock::try_take(own, shared, some));
    holds.reach();
    for (;;) ::pause();
    return 0;
  });
  ASSERT_TRUE(holds.wait());
  EXPECT_FALSE(must(holder_of(file, shared, options)));
  const auto found = must(holder_of(file, exclusive, options));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->kind, shared);
  EXPECT_EQ(found->range, some.range);
  EXPECT_EQ(found->pid, options.owner == LockOwner::open_file ? 0 : holder.pid());
}

TEST_P(FileLockTest, AChildsCopyOfTheGuardDoesNotRelease) {
  auto held = must(FileLock::try_take(file, exclusive, options));
  test::Forked child([&] {
    held.release();
    return 0;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_FALSE(is_free_for_others(exclusive));
}

TEST_P(FileLockTest, RangesExcludeOnlyWhereTheyMeet) {
  const LockOptions first{.range = {.begin = 0, .bytes = 10}, .owner = options.owner};
  const auto held = FileLock::try_take(file, exclusive, first);
  if (options.owner == LockOwner::flock) {
    ASSERT_FALSE(held);
    EXPECT_EQ(held.error().code, Errc::bad_argument);
    return;
  }
  ASSERT_TRUE(held) << held.error().text;
  options.range = {.begin = 10};
  EXPECT_TRUE(is_free_for_others(exclusive));
  options.range = {.begin = 9, .bytes = 1};
  EXPECT_FALSE(is_free_for_others(exclusive));
  options.range = {.begin = UINT64_MAX};
  EXPECT_EQ(try_lock(file, exclusive, options).error().code, Errc::bad_argument);
}

TEST_P(FileLockTest, TheDescriptorsAccessIsNamed) {
  const auto refused = try_lock(open(O_RDONLY), exclusive, options);
  if (options.owner == LockOwner::flock) {
    EXPECT_TRUE(must(refused));
    return;
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::bad_argument);
  EXPECT_EQ(refused.error().sys_errno, EBADF);
}

struct ProcessLockTest : FileLockTest {};
INSTANTIATE_TEST_SUITE_P(Owner, ProcessLockTest, ::testing::Values(LockOwner::process));

TEST_P(ProcessLockTest, ADeadlockIsTold) {
  const LockOptions a{.range = {.begin = 0, .bytes = 1}, .owner = LockOwner::process};
  const LockOptions b{.range = {.begin = 1, .bytes = 1}, .owner = LockOwner::process};
  const test::Milestone has_b;
  const auto ours = must(FileLock::try_take(file, exclusive, a));
  test::Forked other([&] {
    const Fd own = open();
    auto theirs = must(FileLock::try_take(own, exclusive, b));
    has_b.reach();
    const auto taken = FileLock::take(own, exclusive, a, Deadline::never());
    return taken || taken.error().code == Errc::would_deadlock ? 0 : 1;
  });
  ASSERT_TRUE(has_b.wait());
  // Whoever asks second is told, and the other one goes on when that one has given up or died.
  const auto taken = FileLock::take(file, exclusive, b, Deadline::never());
  if (!taken) {
    EXPECT_EQ(taken.error().code, Errc::would_deadlock);
    EXPECT_EQ(taken.error().sys_errno, EDEADLK);
    unlock(file, a);
  }
  EXPECT_EQ(other.wait(), 0);
}

TEST_P(ProcessLockTest, ClosingAnyDescriptorOfTheFileDropsItAsTheCardSays) {
  const auto held = must(FileLock::try_take(file, exclusive, options));
  EXPECT_FALSE(is_free_for_others(exclusive));
  open().reset();
  EXPECT_TRUE(is_free_for_others(exclusive));
}

}  // namespace
}  // namespace signalbox::os
