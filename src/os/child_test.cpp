// Goal: a child gets what it was promised and nothing else, what goes wrong before its program
// runs is an error here, and it ends when it is told to.
// Method: real programs of the system, mostly the shell, whose output says what they found.
#include "signalbox/os/child.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <fstream>
#include <thread>

#include "os/test_process.hpp"
#include "os/test_streams.hpp"
#include "signalbox/os/pidfd.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/os/signals.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::read_to_end;
using test::soon;
using Words = std::vector<std::string>;

Words shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

// What the child writes to its standard output until it closes it.
std::string output_of(const Words& argv, SpawnOptions options = {}) {
  auto pipe = must(Pipe::create());
  options.output = ChildStream::give(pipe.writer.release());
  auto child = must(Child::spawn(argv, std::move(options)));
  std::string all = read_to_end(pipe.reader);
  const ChildEnd end = must(child.wait(soon()));
  if (end.by_signal || end.status != 0) all += "[ended " + std::to_string(end.status) + "]";
  return all;
}

TEST(Child, TalksOverTwoPipesAndEnds) {
  auto [ours, theirs] = must(DuplexPipe::create());
  auto child = must(Child::spawn(Words{"tr", "a-z", "A-Z"},
                                 {.input = ChildStream::give(theirs.reader.release()),
                                  .output = ChildStream::give(theirs.writer.release())}));
  EXPECT_FALSE(must(child.take()));
  EXPECT_GT(child.pid(), 0U);
  must(ours.writer.try_write(bytes_of("parent and child")));
  ours.writer.close();
  EXPECT_EQ(read_to_end(ours.reader), "PARENT AND CHILD");
  const ChildEnd end = must(child.wait(soon()));
  EXPECT_FALSE(end.by_signal);
  EXPECT_EQ(end.status, 0);
  EXPECT_EQ(child.take().error().code, Errc::not_found);
  EXPECT_EQ(child.signal(SIGTERM).error().code, Errc::not_found) << "never by its number";
}

TEST(Child, TellsItsStatusOrTheSignalThatKilledIt) {
  EXPECT_EQ(must(must(Child::spawn(shell("exit 7"))).wait(soon())).status, 7);
  const ChildEnd killed = must(must(Child::spawn(shell("kill -USR1 $$"))).wait(soon()));
  EXPECT_TRUE(killed.by_signal);
  EXPECT_EQ(killed.status, SIGUSR1);
}

TEST(Child, WaitHasADeadline) {
  auto child = must(Child::spawn(Words{"sleep", "600"}));
  EXPECT_EQ(child.wait(Deadline::immediate()).error().code, Errc::timed_out);
  EXPECT_EQ(child.wait(Deadline::after(2ms)).error().code, Errc::timed_out);
  EXPECT_TRUE(child.process().is_alive());
  EXPECT_EQ(must(child.terminate(soon())).status, SIGTERM);
}

// What fails before the program runs is no exit status of a child, and leaves none behind.
TEST(Child, ExecErrorsAreErrorsOfSpawn) {
  const test::OwnDirectory directory;
  const std::size_t before = test::open_descriptors();
  const auto refused = [](const Words& argv, SpawnOptions options = {}) {
    auto child = Child::spawn(argv, std::move(options));
    if (child) return Error{};
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left";
    return child.error();
  };
  EXPECT_EQ(refused({"/no/such/program"}).code, Errc::not_found);
  EXPECT_EQ(refused({"/no/such/program"}).call, "execve");
  EXPECT_EQ(refused({"no-such-program"}).sys_errno, ENOENT);
  std::ofstream(directory / "plain") << "\1\2";
  EXPECT_EQ(refused({directory / "plain"}).code, Errc::permission_denied);
  ::chmod((directory / "plain").c_str(), 0700);
  EXPECT_EQ(refused({directory / "plain"}).sys_errno, ENOEXEC);
  EXPECT_EQ(refused({}).code, Errc::bad_argument);
  EXPECT_EQ(refused({""}).code, Errc::bad_argument);
  const std::string cut("/bin/tr\0ue", 10);
  EXPECT_EQ(refused({cut}).code, Errc::bad_argument);
  EXPECT_EQ(refused({"/bin/true", cut}).code, Errc::bad_argument);
  EXPECT_EQ(refused({"/bin/true"}, {.environment = Words{cut}}).code, Errc::bad_argument);
  EXPECT_EQ(refused({"/bin/true"}, {.working_directory = cut}).code, Errc::bad_argument);
  EXPECT_EQ(Child().take().error().code, Errc::bad_argument);
  EXPECT_EQ(refused({"/bin/true", std::string(3'000'000, 'x')}).code, Errc::too_large);
  const Error nowhere = refused({"/bin/true"}, {.working_directory = directory / "nowhere"});
  EXPECT_EQ(nowhere.code, Errc::not_found);
  EXPECT_NE(nowhere.text.find(directory / "nowhere"), std::string::npos);
  EXPECT_EQ(refused({"/bin/true"}, {.input = ChildStream::share(-1)}).code, Errc::bad_argument);
  EXPECT_EQ(refused({"/bin/true"}, {.death_signal = 1000}).code, Errc::bad_argument);
  SpawnOptions twice;
  twice.descriptors.push_back({2, ChildStream::null()});
  EXPECT_EQ(refused({"/bin/true"}, std::move(twice)).code, Errc::bad_argument);
  EXPECT_EQ(test::open_descriptors(), before);
}

// Even those that somebody opened without close-on-exec, before or behind the given ones.
TEST(Child, HasOnlyTheDescriptorsItWasGiven) {
  const Fd leak(::open("/dev/null", O_RDONLY));
  const Fd high(::fcntl(leak.get(), F_DUPFD, 300));
  ASSERT_EQ(high.get(), 300);
  const Words list = {"ls", "/proc/self/fd"};
  // `ls` itself opens the directory: one more, the lowest that is free.
  EXPECT_EQ(output_of(list), "0\n1\n2\n3\n");
  SpawnOptions two;
  two.descriptors.push_back({7, ChildStream::null()});
  two.descriptors.push_back({200, ChildStream::share(leak)});
  EXPECT_EQ(output_of(list, std::move(two)), "0\n1\n2\n200\n3\n7\n");
}

// A kernel before 5.9 has no close_range: a filter makes it look like that.
TEST(Child, WithoutCloseRangeItHasNoMoreEither) {
  test::Forked old_kernel([] {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog filter{.len = 4, .filter = rules};
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) return 2;
    if (::syscall(SYS_close_range, 900, 900, 0) == 0) return 3;
    for (int number = 300; number < 500; ++number) ::dup2(0, number);
    return output_of({"ls", "/proc/self/fd"}) == "0\n1\n2\n3\n" ? 0 : 1;
  });
  EXPECT_EQ(old_kernel.wait(), 0);
}

TEST(Child, DescriptorsMayChangePlaces) {
  auto one = must(Pipe::create());
  auto two = must(Pipe::create());
  const int first = one.writer.fd().get();
  const int second = two.writer.fd().get();
  SpawnOptions options;
  options.descriptors.push_back({first, ChildStream::give(two.writer.release())});
  options.descriptors.push_back({second, ChildStream::give(one.writer.release())});
  const std::string script =
      "echo second >&" + std::to_string(first) + "; echo first >&" + std::to_string(second);
  ASSERT_LT(std::max(first, second), 10) << "the shell knows no larger numbers";
  auto child = must(Child::spawn(shell(script), std::move(options)));
  EXPECT_EQ(read_to_end(one.reader), "first\n");
  EXPECT_EQ(read_to_end(two.reader), "second\n");
  EXPECT_EQ(must(child.wait(soon())).status, 0);
}

TEST(Child, GivenEndsBlockAndSharedOnesStayAsTheyAre) {
  auto pipe = must(Pipe::create());
  SpawnOptions options;
  options.input = ChildStream::give(pipe.reader.release());
  EXPECT_EQ(output_of({"grep", "flags", "/proc/self/fdinfo/0"}, std::move(options)), "flags:\t00\n")
      << "without 04000, O_NONBLOCK";
  auto shared = must(Pipe::create());
  SpawnOptions keeps;
  keeps.errors = ChildStream::share(shared.writer.fd());
  EXPECT_EQ(output_of(shell("echo to both >&2"), std::move(keeps)), "");
  must(shared.writer.try_write(bytes_of("open here")));
  shared.writer.close();
  EXPECT_EQ(read_to_end(shared.reader), "to both\nopen here");
}

TEST(Child, WhatWeHaveClosedIsNullThere) {
  auto pipe = must(Pipe::create());
  const Fd kept(::fcntl(0, F_DUPFD_CLOEXEC, 10));
  ::close(0);
  auto child = must(Child::spawn(Words{"readlink", "/proc/self/fd/0"},
                                 {.output = ChildStream::give(pipe.writer.release())}));
  ::dup2(kept.get(), 0);
  EXPECT_EQ(read_to_end(pipe.reader), "/dev/null\n");
  must(child.wait(soon()));
}

TEST(Child, EnvironmentDirectoryAndGroupAreAsAsked) {
  ::setenv("SBX_SEEN", "yes", 1);
  EXPECT_EQ(output_of(shell("echo $SBX_SEEN")), "yes\n");
  ::unsetenv("SBX_SEEN");
  EXPECT_EQ(output_of({"/usr/bin/env"}, {.environment = Words{"A=1", "B=two"}}), "A=1\nB=two\n");
  EXPECT_EQ(output_of({"/bin/pwd"}, {.working_directory = "/proc"}), "/proc\n");
  const auto group_of = [&](SpawnOptions::Group group) {
    auto child = must(Child::spawn(Words{"sleep", "600"}, {.group = group}));
    const auto pid = static_cast<pid_t>(child.pid());
    const std::pair found{::getpgid(pid) == pid, ::getsid(pid) == pid};
    must(child.terminate(soon()));
    return found;
  };
  EXPECT_EQ(group_of(SpawnOptions::Group::same), std::pair(false, false));
  EXPECT_EQ(group_of(SpawnOptions::Group::own), std::pair(true, false));
  EXPECT_EQ(group_of(SpawnOptions::Group::session), std::pair(true, true));
}

// A program that takes its signals as messages blocks them, and its children must not inherit it:
// SIGTERM would never reach them.
TEST(Child, SignalsStartAtTheirDefaults) {
  test::Forked parent([] {
    const auto taken = must(Signals::block({SIGTERM, SIGUSR1}));
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGUSR2, [](int) {});
    const std::string nothing(16, '0');
    if (output_of(Words{"/bin/grep", "-E", "SigBlk|SigIgn", "/proc/self/status"}) !=
        "SigBlk:\t" + nothing + "\nSigIgn:\t" + nothing + "\n") {
      return 1;
    }
    if (output_of(Words{"/bin/grep", "-E", "SigBlk|SigIgn", "/proc/self/status"},
                  {.keeps_signals = true}) !=
        "SigBlk:\t0000000000004200\nSigIgn:\t0000000000001000\n") {
      return 2;
    }
    auto child = must(Child::spawn(Words{"sleep", "600"}));
    return must(child.terminate(soon())).status == SIGTERM ? 0 : 3;
  });
  EXPECT_EQ(parent.wait(), 0);
}

TEST(Child, TerminateKillsWhoWillNotGo) {
  auto pipe = must(Pipe::create());
  auto child = must(Child::spawn(shell("trap '' TERM; echo ready; exec sleep 600"),
                                 {.output = ChildStream::give(pipe.writer.release())}));
  EXPECT_EQ(test::read_text(pipe.reader), "ready\n");
  const ChildEnd end = must(child.terminate(Deadline::after(5ms)));
  EXPECT_TRUE(end.by_signal);
  EXPECT_EQ(end.status, SIGKILL);
}

TEST(Child, TerminateReachesOneThatIsStopped) {
  auto child = must(Child::spawn(Words{"sleep", "600"}));
  must(child.signal(SIGSTOP));
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, child.pid(), &info, WSTOPPED | WNOWAIT), 0);
  EXPECT_EQ(must(child.terminate(soon())).status, SIGTERM);
}

TEST(Child, ADeathSignalEndsItWithItsParent) {
  auto pipe = must(Pipe::create());
  test::Forked parent([&] {
    SpawnOptions options{.death_signal = SIGKILL};
    options.output = ChildStream::give(pipe.writer.release());
    must(Child::spawn(Words{"sleep", "600"}, std::move(options)));
    return 0;
  });
  EXPECT_EQ(parent.wait(), 0);
  pipe.writer.close();
  EXPECT_EQ(read_to_end(pipe.reader), "") << "the end comes when sleep is dead";
}

TEST(Child, ManyThreadsMaySpawnAtOnce) {
  const std::size_t before = test::open_descriptors();
  {
    std::vector<std::jthread> threads;
    threads.reserve(4);
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([i] {
        for (int turn = 0; turn < 10; ++turn) {
          const std::string word = std::to_string(i * 100 + turn);
          EXPECT_EQ(output_of({"echo", word}), word + "\n");
        }
      });
    }
  }
  EXPECT_EQ(test::open_descriptors(), before);
}

TEST(Pidfd, WatchesAndSignalsWhoIsNoChild) {
  auto self = must(Pidfd::open(static_cast<std::uint32_t>(::getpid())));
  EXPECT_TRUE(self.is_alive());
  must(self.send_signal(0));
  EXPECT_EQ(self.send_signal(1000).error().code, Errc::bad_argument);
  EXPECT_EQ(self.wait_until_ended(Deadline::after(1ms)).error().code, Errc::timed_out);

  test::Milestone over;
  test::Forked process([&] { return over.wait() ? 0 : 1; });
  auto watched = must(Pidfd::open(static_cast<std::uint32_t>(process.pid())));
  EXPECT_TRUE(watched.is_alive());
  over.reach();
  must(watched.wait_until_ended(soon()));
  EXPECT_FALSE(watched.is_alive());
  must(watched.send_signal(SIGTERM));  // a zombie: allowed, and nothing happens
  EXPECT_EQ(process.wait(), 0);
  EXPECT_EQ(watched.send_signal(SIGTERM).error().sys_errno, ESRCH);
  EXPECT_EQ(watched.send_signal(SIGTERM).error().code, Errc::not_found);
  EXPECT_EQ(Pidfd::open(static_cast<std::uint32_t>(1U << 30)).error().code, Errc::not_found);
  EXPECT_FALSE(Pidfd());
  EXPECT_EQ(Pidfd().wait_until_ended(soon()).error().sys_errno, EBADF);
}

TEST(Pidfd, AThreadsNumberIsNoProcess) {
  std::atomic<pid_t> number = 0;
  const test::Milestone known;
  const test::Milestone over;
  const std::jthread thread([&] {
    number = static_cast<pid_t>(::syscall(SYS_gettid));
    known.reach();
    over.wait();
  });
  known.wait();
  EXPECT_EQ(Pidfd::open(static_cast<std::uint32_t>(number.load())).error().code, Errc::not_found);
  over.reach();
}

}  // namespace
}  // namespace signalbox::os
