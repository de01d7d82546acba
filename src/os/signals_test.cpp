// Goal: signals taken as messages, by a handler, by a pipe to oneself and by a thread; queued with
// values, or merged.
// Method: each test is a child of its own, because signals belong to a whole process; its status
// names the step that failed.
#include "signalbox/os/signals.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "os/test_process.hpp"
#include "signalbox/os/event_fd.hpp"
#include "signalbox/os/self_pipe.hpp"
#include "signalbox/os/signal_handler.hpp"
#include "signalbox/os/signal_thread.hpp"

namespace signalbox::os {
namespace {

template <class Steps>
void in_child(Steps steps) {
  test::Forked child([&] { return steps(); });
  EXPECT_EQ(child.wait(), 0) << "the step that failed";
}

const auto self = [] { return static_cast<int>(::getpid()); };

TEST(Signals, StandardOnesMergeAndRealTimeOnesQueueWithTheirValuesInOrder) {
  in_child([] {
    auto signals = must(Signals::block({SIGUSR1, SIGRTMIN + 1, SIGRTMIN + 2}));
    for (int i = 0; i < 3; ++i) must(queue_signal(self(), SIGUSR1, 10 + i));
    for (int i = 0; i < 3; ++i) must(queue_signal(self(), SIGRTMIN + 2, -i));
    must(queue_signal(self(), SIGRTMIN + 1, 1 << 30));
    const auto merged = must(signals.take(Deadline::never()));
    if (merged.number != SIGUSR1 || merged.value != 10 || !merged.has_value) return 1;
    const auto lowest = must(signals.take(Deadline::never()));
    if (lowest.number != SIGRTMIN + 1 || lowest.value != 1 << 30) return 2;
    for (int i = 0; i < 3; ++i) {
      const auto next = must(signals.take(Deadline::never()));
      if (next.number != SIGRTMIN + 2 || next.value != -i) return 3;
      if (next.pid != static_cast<std::uint32_t>(self()) || next.uid != ::getuid()) return 4;
    }
    return signals.take() ? 5 : 0;
  });
}

TEST(Signals, OneThatWasSentHasNoValue) {
  in_child([] {
    auto signals = must(Signals::block({SIGTERM}));
    if (signals.take(Deadline::immediate()).error().code != Errc::timed_out) return 1;
    must(send_signal(self(), SIGTERM));
    const auto signal = must(signals.take(Deadline::never()));
    return signal.number == SIGTERM && !signal.has_value && signal.value == 0 ? 0 : 2;
  });
}

TEST(Signals, RefusalsSayWhy) {
  in_child([] {
    if (Signals::block({12345}).error().code != Errc::bad_argument) return 1;
    for (const int group : {0, -1, -self()}) {
      if (send_signal(group, 0).error().code != Errc::bad_argument) return 2;
      if (queue_signal(group, SIGTERM, 0).error().code != Errc::bad_argument) return 3;
    }
    if (send_signal(self(), 12345).error().sys_errno != EINVAL) return 4;
    test::Forked gone([] { return 0; });
    const int pid = gone.pid();
    gone.wait();
    const auto missing = send_signal(pid, SIGTERM).error();
    if (missing.code != Errc::not_found || missing.sys_errno != ESRCH) return 5;
    if (::geteuid() != 0) return 0;
    if (::setuid(65534) != 0) return 6;
    const auto refused = send_signal(::getppid(), 0).error();  // root's
    const bool right = refused.code == Errc::permission_denied && refused.sys_errno == EPERM;
    return right ? 0 : 7;
  });
}

TEST(Signals, TheLimitOfQueuedOnesIsNamedAndThereIsRoomAfterATake) {
  in_child([] {
    // Counted by user: one that has no others pending.
    if (::geteuid() == 0 && ::setuid(64'999) != 0) return 1;
    const rlimit limit{2, 2};
    ::setrlimit(RLIMIT_SIGPENDING, &limit);
    auto signals = must(Signals::block({SIGRTMIN}));
    int queued = 0;
    auto answer = queue_signal(self(), SIGRTMIN, queued);
    while (answer && queued < 100) answer = queue_signal(self(), SIGRTMIN, ++queued);
    if (answer || answer.error().code != Errc::limit_reached) return 2;
    if (answer.error().text.find("RLIMIT_SIGPENDING is 2") == std::string::npos) return 3;
    if (queued == 0) return 0;  // this user has others elsewhere
    if (!signals.take()) return 4;
    return queue_signal(self(), SIGRTMIN, 7) ? 0 : 5;
  });
}

std::atomic<int> handled{0};
std::atomic<int> last_value{0};
std::atomic<const SelfPipe*> pipe_of_handler{nullptr};

void count(const Signal& signal) noexcept {
  handled.fetch_add(1);
  last_value.store(signal.value);
}
void count_ten(const Signal&) noexcept { handled.fetch_add(10); }
void pass_on(const Signal& signal) noexcept {
  pipe_of_handler.load()->notify(static_cast<std::uint8_t>(signal.number));
}

TEST(SignalHandler, RunsWithItsSignalAndPutsBackWhatWasThere) {
  in_child([] {
    {
      const auto outer = must(SignalHandler::install(SIGUSR1, count));
      must(queue_signal(self(), SIGUSR1, 42));
      if (handled != 1 || last_value != 42) return 1;
      {
        const auto inner = must(SignalHandler::install(SIGUSR1, count_ten));
        ::raise(SIGUSR1);
        if (handled != 11) return 2;
        const auto silence = must(SignalHandler::ignore(SIGUSR1));
        ::raise(SIGUSR1);
        if (handled != 11) return 3;
      }
      ::raise(SIGUSR1);
      if (handled != 12) return 4;
    }
    struct sigaction action{};
    ::sigaction(SIGUSR1, nullptr, &action);
    return action.sa_handler == SIG_DFL ? 0 : 5;
  });
}

TEST(SignalHandler, TakesFlagsAndMask) {
  in_child([] {
    const int blocked[] = {SIGUSR2};
    const auto handler = must(SignalHandler::install(SIGUSR1, count,
                                                     {.restarts_calls = false,
                                                      .is_once = true,
                                                      .on_alternate_stack = true,
                                                      .may_nest = true,
                                                      .blocked = blocked}));
    struct sigaction action{};
    ::sigaction(SIGUSR1, nullptr, &action);
    const auto flags = static_cast<unsigned>(action.sa_flags) & ~0x04000000U;  // SA_RESTORER
    if (flags != (SA_SIGINFO | SA_RESETHAND | SA_ONSTACK | SA_NODEFER)) return 1;
    if (::sigismember(&action.sa_mask, SIGUSR2) != 1) return 2;
    if (::sigismember(&action.sa_mask, SIGHUP) != 0) return 3;
    ::raise(SIGUSR1);
    ::sigaction(SIGUSR1, nullptr, &action);
    return handled == 1 && action.sa_handler == SIG_DFL ? 0 : 4;
  });
}

TEST(SignalHandler, KeepsErrnoAndRefusesWhatCannotBeHandled) {
  in_child([] {
    const auto handler =
        must(SignalHandler::install(SIGUSR1, [](const Signal&) noexcept { errno = EXDEV; }));
    errno = ENOENT;
    ::raise(SIGUSR1);
    if (errno != ENOENT) return 1;
    for (const int number : {SIGKILL, SIGSTOP, 0, -1, 12345}) {
      const auto refused = SignalHandler::install(number, count);
      if (refused || refused.error().code != Errc::bad_argument) return 2;
    }
    return SignalHandler::install(SIGUSR1, nullptr) ? 3 : 0;
  });
}

TEST(SelfPipe, BringsSignalsFromAHandlerAndNeverBlocks) {
  in_child([] {
    const auto pipe = must(SelfPipe::create());
    pipe_of_handler.store(&pipe);
    const auto handler = must(SignalHandler::install(SIGUSR2, pass_on));
    if (pipe.take()) return 1;
    ::raise(SIGUSR2);
    if (pipe.take() != SIGUSR2 || pipe.take()) return 2;
    errno = ENOENT;
    for (int i = 0; i < 100'000; ++i) pipe.notify(1);  // more than it holds
    if (errno != ENOENT) return 3;
    int notes = 0;
    while (pipe.take()) ++notes;
    return notes >= 4096 ? 0 : 4;
  });
}

TEST(SignalThread, CallsTheFunctionWithEachSignalOnAThreadOfItsOwn) {
  in_child([] {
    const auto came = must(EventFd::create(EventFd::Mode::semaphore));
    const auto caller = ::pthread_self();
    std::atomic<int> sum{0};
    std::atomic<bool> is_other_thread{false};
    {
      const auto thread = must(SignalThread::start({SIGHUP, SIGRTMIN}, [&](const Signal& signal) {
        sum.fetch_add(signal.number == SIGHUP ? 1000 : signal.value);
        is_other_thread.store(::pthread_equal(caller, ::pthread_self()) == 0);
        must(came.add(1));
      }));
      must(send_signal(self(), SIGHUP));
      must(came.take(Deadline::never()));
      for (int i = 1; i <= 4; ++i) must(queue_signal(self(), SIGRTMIN, i));
      for (int i = 1; i <= 4; ++i) must(came.take(Deadline::never()));
    }
    if (sum != 1010 || !is_other_thread) return 1;
    ::raise(SIGHUP);  // still blocked: it would end the process
    return SignalThread::start({SIGHUP}, {}) ? 2 : 0;
  });
}

TEST(SignalThread, EndsWhileSignalsArePending) {
  in_child([] {
    auto thread = must(SignalThread::start({SIGRTMIN}, [](const Signal&) {}));
    for (int i = 0; i < 50; ++i) must(queue_signal(self(), SIGRTMIN, i));
    thread = must(SignalThread::start({SIGRTMIN}, [](const Signal&) {}));
    return 0;
  });
}

// The pattern that the header shows: a log that is renamed under the program and opened anew.
TEST(Signals, OpensItsLogAnewAndReadsItsSettingsAnewWhenToldTo) {
  char folder[] = "/tmp/signalbox-signals-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string log = std::string(folder) + "/log";
  const test::Milestone step;
  test::Forked daemon([&] {
    auto signals = must(Signals::block({SIGHUP, SIGUSR1, SIGTERM}));
    const auto open = [&] { return Fd(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)); };
    Fd file = open();
    int settings = 0;
    for (;; step.reach()) {
      if (::write(file.get(), "x", 1) != 1) return 1;
      step.reach();
      switch (must(signals.take(Deadline::never())).number) {
        case SIGHUP:
          ++settings;
          break;
        case SIGUSR1:
          file = open();
          break;
        default:
          return 10 + settings;
      }
    }
  });
  ASSERT_TRUE(step.wait());
  daemon.kill(SIGHUP);
  ASSERT_TRUE(step.wait() && step.wait());
  ASSERT_EQ(::rename(log.c_str(), (log + ".1").c_str()), 0);
  EXPECT_NE(::access(log.c_str(), F_OK), 0);
  daemon.kill(SIGUSR1);
  ASSERT_TRUE(step.wait() && step.wait());
  EXPECT_EQ(::access(log.c_str(), F_OK), 0);
  daemon.kill(SIGTERM);
  EXPECT_EQ(daemon.wait(), 11);
  ::unlink(log.c_str());
  ::unlink((log + ".1").c_str());
  ::rmdir(folder);
}

}  // namespace
}  // namespace signalbox::os
