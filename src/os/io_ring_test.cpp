// Goal: requests that the kernel does meanwhile come back with their keys; limits, forks, signals,
// a kernel that forbids it. How requests are cancelled and the ring ends: io_ring_end_test.cpp.
// Method: real files, pipes and sockets; skipped, with the reason, where the kernel has no
// io_uring.
#include "os/io_ring_fixture.hpp"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "os/signal_storm.hpp"
#include "os/test_process.hpp"
#include "os/thread_state.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using test::bytes_of;
using test::IoRingTest;
using test::Listener;
using test::PipeEnds;
using test::results_of;

TEST_F(IoRingTest, WritesAndReadsAFile) {
  auto ring = must(IoRing::create(8));
  const Fd file(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  must(ring.write(file, bytes_of("signal"), 0, 1));
  must(ring.write(file, bytes_of("box"), 6, 2));
  EXPECT_EQ(ring.in_flight(), 2U);
  EXPECT_EQ(must(ring.submit()), 2U);
  EXPECT_EQ(results_of(ring, 2), (std::map<IoRing::Key, int>{{1, 6}, {2, 3}}));
  EXPECT_EQ(ring.in_flight(), 0U);
  std::array<char, 16> text{};
  must(ring.read(file, std::as_writable_bytes(std::span(text)), 0, 3));
  EXPECT_EQ(results_of(ring, 1).at(3), 9);
  EXPECT_STREQ(text.data(), "signalbox");
}

TEST_F(IoRingTest, AcceptsSendsAndReceives) {
  auto ring = must(IoRing::create(8));
  const Listener listener;
  must(ring.accept(listener.fd, 1));
  must(ring.submit());
  Fd client = listener.connected();
  const Fd server(results_of(ring, 1).at(1));
  ASSERT_TRUE(server.is_open());
  EXPECT_EQ(::fcntl(server.get(), F_GETFD), FD_CLOEXEC);

  std::array<std::byte, 8> inbox{};
  must(ring.receive(server, inbox, 2));
  must(ring.send(client, bytes_of("hello"), 3));
  EXPECT_EQ(results_of(ring, 2), (std::map<IoRing::Key, int>{{2, 5}, {3, 5}}));
  EXPECT_EQ(std::memcmp(inbox.data(), "hello", 5), 0);
  client.reset();
  must(ring.receive(server, inbox, 4));
  EXPECT_EQ(results_of(ring, 1).at(4), 0) << "the end is a normal value";
  must(ring.send(server, bytes_of("x"), 5));  // and no SIGPIPE
  const auto done = must(ring.wait(Deadline::after(60s)));
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].error().code, Errc::closed);
  EXPECT_EQ(done[0].error().sys_errno, EPIPE);
  EXPECT_EQ(done[0].error().call, "send");
}

TEST_F(IoRingTest, PollsTimesOutAndCancels) {
  auto ring = must(IoRing::create(8));
  const PipeEnds pipe;
  must(ring.poll(pipe.in, Events::readable, 1));
  must(ring.timeout(Deadline::after(1ms), 2));
  must(ring.timeout(Deadline::never(), 3));
  EXPECT_EQ(results_of(ring, 1), (std::map<IoRing::Key, int>{{2, 0}}));
  ASSERT_EQ(::write(pipe.out.get(), "x", 1), 1);
  EXPECT_EQ(results_of(ring, 1), (std::map<IoRing::Key, int>{{1, POLLIN}}));
  must(ring.cancel(3));
  const auto done = must(ring.wait(Deadline::after(60s)));
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].key(), 3U);
  EXPECT_EQ(done[0].error().code, Errc::interrupted);
  EXPECT_EQ(done[0].error().sys_errno, ECANCELED);
}

TEST_F(IoRingTest, IsReadableWhileThereIsSomethingToTake) {
  auto ring = must(IoRing::create(2));
  const PipeEnds pipe;
  must(ring.poll(pipe.in, Events::readable, 7));
  must(ring.submit());
  EXPECT_TRUE(must(ring.take()).empty());
  EXPECT_TRUE(must(ring.wait(Deadline::immediate())).empty());
  const Deadline deadline = Deadline::after(3ms);
  EXPECT_TRUE(must(ring.wait(deadline)).empty());
  EXPECT_TRUE(deadline.passed());
  ASSERT_EQ(::write(pipe.out.get(), "x", 1), 1);
  EXPECT_EQ(results_of(ring, 1).at(7), POLLIN);
}

TEST_F(IoRingTest, AWaitHandsOverAlsoWhereSomethingIsDoneAlready) {
  auto ring = must(IoRing::create(2));
  const PipeEnds pipe;
  must(ring.write(pipe.out, bytes_of("first"), IoRing::at_its_offset, 1));
  must(ring.submit());
  pollfd until_done{.fd = pipe.in.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&until_done, 1, 60'000), 1);
  std::array<std::byte, 8> room{};
  must(ring.read(pipe.in, room, IoRing::at_its_offset, 2));
  // Nobody submits but the first wait, and the second has nothing to hand over.
  EXPECT_EQ(results_of(ring, 2), (std::map<IoRing::Key, int>{{1, 5}, {2, 5}}));
  EXPECT_EQ(ring.in_flight(), 0U);
}

TEST_F(IoRingTest, ARequestWhereATimeoutWasKeepsItsOwnResult) {
  auto ring = must(IoRing::create(1));
  must(ring.timeout(Deadline::immediate(), 1));
  EXPECT_EQ(results_of(ring, 1).at(1), 0);
  must(ring.read(Fd(), {}, 0, 2));
  const auto done = must(ring.wait(Deadline::never()));
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].key(), 2U);
  EXPECT_EQ(done[0].result(), -EBADF);
  EXPECT_EQ(done[0].call(), "read");
}

TEST_F(IoRingTest, ItsLimitIsToldAndThereIsRoomAfterATake) {
  EXPECT_EQ(IoRing::create(0).error().code, Errc::bad_argument);
  EXPECT_EQ(IoRing::create(IoRing::requests_limit + 1).error().code, Errc::bad_argument);
  auto ring = must(IoRing::create(3));
  const PipeEnds pipe;
  std::byte byte{};
  for (IoRing::Key key = 0; key < 3; ++key) must(ring.read(pipe.in, {&byte, 1}, 0, key));
  const auto refused = ring.read(pipe.in, {&byte, 1}, 0, 3);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::limit_reached);
  for (IoRing::Key key = 0; key < 3; ++key) must(ring.cancel(key));
  EXPECT_EQ(results_of(ring, 3).size(), 3U);
  for (IoRing::Key key = 0; key < 3; ++key) must(ring.timeout(Deadline::immediate(), key));
  EXPECT_EQ(results_of(ring, 3).size(), 3U);
}

// So many writes that end as they are handed over, with the keys from there on.
void write_nowhere(IoRing& ring, const Fd& nowhere, IoRing::Key first, IoRing::Key count) {
  for (IoRing::Key key = first; key < first + count; ++key) {
    must(ring.write(nowhere, bytes_of("x"), 0, key));
  }
}

TEST_F(IoRingTest, WhereItsRingBeginsAnewTheNextCallAnswersTheRest) {
  auto ring = must(IoRing::create(3));
  const Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  int in_two_pieces = 0;
  for (IoRing::Key first = 0; first < 300; first += 3) {
    write_nowhere(ring, nowhere, first, 3);
    const auto one = must(ring.wait(Deadline::never()));
    ASSERT_EQ(ring.in_flight(), 3 - one.size());
    const auto other = must(ring.take());
    ASSERT_EQ(one.size() + other.size(), 3U);
    for (IoRing::Key i = 0; i < 3; ++i) {
      EXPECT_EQ((i < one.size() ? one[i] : other[i - one.size()]).key(), first + i);
    }
    in_two_pieces += other.empty() ? 0 : 1;
    EXPECT_TRUE(must(ring.take()).empty());
  }
  EXPECT_GT(in_two_pieces, 0);
}

TEST_F(IoRingTest, WhatAWaitAnsweredStaysUntilTheNextWhateverIsPreparedAndEndsMeanwhile) {
  auto ring = must(IoRing::create(4));
  const Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  IoRing::Key next = 0;
  for (int round = 0; round < 100; ++round) {
    write_nowhere(ring, nowhere, next, 1 + next % 4);
    const auto done = must(ring.wait(Deadline::never()));
    const IoRing::Key first = done.front().key();
    next += 1 + next % 4;
    write_nowhere(ring, nowhere, next, 4 - ring.in_flight());
    next += must(ring.submit());
    for (const auto& one : done) {
      ASSERT_EQ(one.key(), first + static_cast<IoRing::Key>(&one - done.data()));
      ASSERT_EQ(one.result(), 1);
    }
    while (ring.in_flight() != 0) must(ring.take());
  }
}

TEST_F(IoRingTest, AKeyMayHave56BitsAndNoMore) {
  auto ring = must(IoRing::create(8));
  std::byte byte{};
  const auto ask_each = [&](IoRing::Key key) {
    return std::array{ring.read(Fd(), {&byte, 1}, 0, key),
                      ring.write(Fd(), {&byte, 1}, 0, key),
                      ring.accept(Fd(), key),
                      ring.send(Fd(), {&byte, 1}, key),
                      ring.receive(Fd(), {&byte, 1}, key),
                      ring.poll(Fd(), Events::readable, key),
                      ring.timeout(Deadline::never(), key)};
  };
  for (const auto& refused : ask_each(IoRing::key_max + 1)) {
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::bad_argument);
    EXPECT_NE(refused.error().text.find("72057594037927936"), std::string::npos);
  }
  EXPECT_EQ(ring.cancel(IoRing::key_max + 1).error().code, Errc::bad_argument);
  EXPECT_EQ(ring.in_flight(), 0U);
  for (const auto& asked : ask_each(IoRing::key_max)) EXPECT_TRUE(asked);
  must(ring.cancel(IoRing::key_max));
  std::multiset<std::string> calls;
  while (ring.in_flight() != 0) {
    for (const auto& done : must(ring.wait(test::soon()))) {
      EXPECT_EQ(done.key(), IoRing::key_max);
      EXPECT_EQ(done.result(), done.call() == "timeout" ? -ECANCELED : -EBADF) << done.call();
      EXPECT_EQ(done.error().call, done.call());
      calls.emplace(done.call());
    }
  }
  EXPECT_EQ(calls, (std::multiset<std::string>{"read", "write", "accept", "send", "recv", "poll",
                                               "timeout"}));
}

TEST_F(IoRingTest, TenThousandRequestsComeBackOnceEach) {
  auto ring = must(IoRing::create(64));
  const Fd file(::open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
  constexpr IoRing::Key count = 10'000;
  std::vector<int> times(count);
  std::array<std::byte, 64> buffer{};
  IoRing::Key asked = 0;
  for (IoRing::Key came = 0; came < count;) {
    while (asked < count && ring.in_flight() < 64) {
      must(ring.read(file, std::span(buffer).subspan(ring.in_flight(), 1), 0, asked++));
    }
    for (const auto& done : must(ring.wait(Deadline::after(60s)))) {
      EXPECT_EQ(done.result(), 1);
      ++times[done.key()];
      ++came;
    }
  }
  EXPECT_EQ(std::count(times.begin(), times.end(), 1), static_cast<long>(count));
}

TEST_F(IoRingTest, BelongsToTheProcessThatMadeIt) {
  auto ring = must(IoRing::create(2));
  const PipeEnds pipe;
  must(ring.poll(pipe.in, Events::readable, 1));
  must(ring.submit());
  must(ring.timeout(Deadline::never(), 2));  // a child would hand this over
  test::Forked child([&] {
    if (ring.timeout(Deadline::never(), 1).error().code != Errc::wrong_process) return 1;
    if (ring.submit().error().code != Errc::wrong_process) return 2;
    if (ring.wait(Deadline::never()).error().code != Errc::wrong_process) return 3;
    if (ring.wait(Deadline::immediate()).error().code != Errc::wrong_process) return 4;
    if (ring.take().error().code != Errc::wrong_process) return 5;
    if (ring.cancel(1).error().code != Errc::wrong_process) return 6;
    if (ring.poll(pipe.in, Events::readable, 1).error().code != Errc::wrong_process) return 7;
    const IoRing dies_here = std::move(ring);
    return 0;
  });
  EXPECT_EQ(child.wait(), 0);
  EXPECT_EQ(ring.in_flight(), 2U);
  ASSERT_EQ(::write(pipe.out.get(), "x", 1), 1);
  EXPECT_EQ(results_of(ring, 1).at(1), POLLIN);
}

TEST_F(IoRingTest, ASignalEndsTheWaitWhereAskedAndElseTheRemainingTimeIsWaited) {
  auto ring = must(IoRing::create(2));
  const test::SignalStorm storm(0);
  ASSERT_TRUE(storm.made());
  const auto ended = ring.wait(Deadline::never(), OnSignal::give_up);
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code, Errc::interrupted);
  const Deadline deadline = Deadline::after(30ms);
  EXPECT_TRUE(must(ring.wait(deadline)).empty());
  EXPECT_TRUE(deadline.passed());
  EXPECT_GE(test::SignalStorm::handled().load(), test::handlers_seen(2));
}

// From now on this process gets that errno from that call.
bool refuse_from_now_on(unsigned call, unsigned refused) {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | refused),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{.len = 4, .filter = rules};
  return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

void send_a_signal_once_asleep(pid_t thread) {
  for (const Deadline watchdog = test::soon(); !watchdog.passed(); std::this_thread::yield()) {
    if (test::own_thread_state(thread) != 'S') continue;
    ::syscall(SYS_tgkill, ::getpid(), thread, SIGUSR1);
    return;
  }
}

TEST_F(IoRingTest, OneSignalEndsTheWaitAlsoWhereSomethingWasHandedOver) {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int) {};
  ::sigaction(SIGUSR1, &action, &before);
  for (const Deadline deadline : {Deadline::never(), test::soon()}) {
    auto ring = must(IoRing::create(1));
    must(ring.timeout(Deadline::never(), 1));
    const auto self = static_cast<pid_t>(::syscall(SYS_gettid));
    std::jthread other;
    other = std::jthread(send_a_signal_once_asleep, self);
    const auto ended = ring.wait(deadline, OnSignal::give_up);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Errc::interrupted);
    EXPECT_EQ(ended.error().sys_errno, EINTR);
    EXPECT_EQ(ring.in_flight(), 1U);
  }
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST(IoRing, WhereASandboxForbidsItThatIsTold) {
  test::Forked confined([] {
    if (!refuse_from_now_on(SYS_io_uring_setup, EPERM)) return 1;
    const auto refused = IoRing::create(1);
    if (refused || refused.error().code != Errc::not_supported) return 2;
    if (refused.error().call != "io_uring_setup") return 3;
    return refused.error().text.find("sandbox") != std::string::npos ? 0 : 4;
  });
  EXPECT_EQ(confined.wait(), 0);
}

TEST_F(IoRingTest, AKernelThatCannotCancelIsNotSupported) {
  for (const unsigned refusal : {unsigned{EINVAL}, unsigned{EPERM}}) {
    test::Forked confined([refusal] {
      if (!refuse_from_now_on(SYS_io_uring_register, refusal)) return 1;
      const auto refused = IoRing::create(1);
      if (refused || refused.error().code != Errc::not_supported) return 2;
      if (refused.error().call != "io_uring_register") return 3;
      return refused.error().text.find("Linux 6.0") != std::string::npos ? 0 : 4;
    });
    EXPECT_EQ(confined.wait(), 0);
  }
}

TEST_F(IoRingTest, WhatHasEndedIsNotLostWhereTheKernelTakesNothingMore) {
  test::Forked confined([] {
    auto ring = must(IoRing::create(2));
    const PipeEnds pipe;
    must(ring.write(pipe.out, bytes_of("first"), IoRing::at_its_offset, 1));
    must(ring.submit());
    pollfd until_done{.fd = pipe.in.get(), .events = POLLIN, .revents = 0};
    if (::poll(&until_done, 1, 60'000) != 1) return 1;
    must(ring.timeout(Deadline::immediate(), 2));
    if (!refuse_from_now_on(SYS_io_uring_enter, EAGAIN)) return 2;
    if (must(ring.wait(test::soon())).size() != 1) return 3;
    return ring.submit().error().code == Errc::would_block ? 0 : 4;
  });
  EXPECT_EQ(confined.wait(), 0);
}

}  // namespace
}  // namespace signalbox::os
