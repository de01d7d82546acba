// Goal: a write that nobody reads answers EPIPE, kills nobody, and leaves the application's signals
// as they were.
// Method: real pipes; what must not die runs in a child, whose end is its answer.
#include "signalbox/os/sigpipe.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

// What write() answers on a pipe whose reader is gone: its errno.
int write_to_nobody() {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  ::close(ends[0]);
  const ssize_t put = ::write(ends[1], "x", 1);
  const int refused = put < 0 ? errno : 0;
  ::close(ends[1]);
  return refused;
}

bool sigpipe_is(int (*ask)(sigset_t*)) {
  sigset_t set;
  return ask(&set) == 0 && ::sigismember(&set, SIGPIPE) == 1;
}
bool is_pending() { return sigpipe_is(::sigpending); }
bool is_blocked() {
  return sigpipe_is([](sigset_t* set) { return ::pthread_sigmask(SIG_BLOCK, nullptr, set); });
}

volatile sig_atomic_t handled = 0;
volatile sig_atomic_t sender = 0;
void note(int, siginfo_t* info, void*) {
  handled = handled + 1;
  sender = info->si_pid;
}
void handle_sigpipe() {
  struct sigaction action{};
  action.sa_sigaction = note;
  action.sa_flags = SA_SIGINFO;
  ::sigaction(SIGPIPE, &action, nullptr);
}

TEST(SigpipeBlock, WithoutItAWriteToNobodyKills) {
  test::Forked writer([] { return write_to_nobody(); });
  EXPECT_EQ(writer.wait(), 128 + SIGPIPE);
}

TEST(SigpipeBlock, AWriteToNobodyAnswersEpipeAndNothingStaysPending) {
  test::Forked writer([] {
    int refused = 0;
    {
      const SigpipeBlock quiet;
      refused = write_to_nobody();
    }
    if (is_blocked() || is_pending()) return 1;
    return refused == EPIPE ? 0 : 2;
  });
  EXPECT_EQ(writer.wait(), 0);
}

TEST(SigpipeBlock, WhatTheApplicationBlockedStaysBlockedAndWhatWasPendingStaysPending) {
  test::Forked writer([] {
    sigset_t set;
    ::sigemptyset(&set);
    ::sigaddset(&set, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    {
      const SigpipeBlock quiet;
      if (write_to_nobody() != EPIPE) return 1;
    }
    if (!is_blocked() || is_pending()) return 2;
    if (write_to_nobody() != EPIPE || !is_pending()) return 5;  // the application's own
    {
      const SigpipeBlock quiet;
      if (write_to_nobody() != EPIPE) return 3;
    }
    return is_blocked() && is_pending() ? 0 : 4;
  });
  EXPECT_EQ(writer.wait(), 0);
}

TEST(SigpipeBlock, AScopeInAnotherKeepsTheSignalBack) {
  test::Forked writer([] {
    const SigpipeBlock outer;
    {
      const SigpipeBlock inner;
      if (write_to_nobody() != EPIPE) return 1;
    }
    if (!is_blocked() || is_pending()) return 2;
    return write_to_nobody() == EPIPE ? 0 : 3;
  });
  EXPECT_EQ(writer.wait(), 0);
}

TEST(SigpipeBlock, WhatSomebodySentMeanwhileIsDeliveredWithItsSender) {
  for (const bool in_thread : {false, true}) {
    test::Forked writer([in_thread] {
      handle_sigpipe();
      const pid_t self = ::getpid();
      const auto scope = [self] {
        const SigpipeBlock quiet;
        test::Forked stranger([self] { return ::kill(self, SIGPIPE); });
        return stranger.pid() * (stranger.wait() == 0 ? 1 : -1);
      };
      pid_t stranger = 0;
      if (in_thread) {
        // The signal is for the process, and must not find a thread that does not block it.
        const SigpipeBlock others;
        std::thread([&] { stranger = scope(); }).join();
        if (handled != 0) return 1;
      } else {
        stranger = scope();
      }
      if (stranger <= 0 || handled != 1) return 2;
      return sender == stranger ? 0 : 3;
    });
    EXPECT_EQ(writer.wait(), 0) << "in a thread: " << in_thread;
  }
}

TEST(SigpipeBlock, WhatWasSentToTheThreadIsDelivered) {
  test::Forked writer([] {
    handle_sigpipe();
    {
      const SigpipeBlock quiet;
      ::pthread_kill(::pthread_self(), SIGPIPE);
      if (handled != 0) return 1;
    }
    return handled == 1 ? 0 : 2;
  });
  EXPECT_EQ(writer.wait(), 0);
}

TEST(SigpipeBlock, ErrnoOfTheWriteOutlivesTheScope) {
  test::Forked writer([] {
    {
      const SigpipeBlock quiet;
      errno = write_to_nobody();
    }
    return errno == EPIPE ? 0 : 1;
  });
  EXPECT_EQ(writer.wait(), 0);
}

}  // namespace
}  // namespace signalbox::os
