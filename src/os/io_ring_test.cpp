// Goal: requests that the kernel does meanwhile come back with their keys; limits, cancelling, the
// end of the ring, a kernel that forbids it.
// Method: real files, pipes and sockets; skipped, with the reason, where the kernel has no
// io_uring.
#include "signalbox/os/io_ring.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "os/signal_storm.hpp"
#include "os/test_process.hpp"
#include "os/test_streams.hpp"

namespace signalbox::os {
namespace {

using test::bytes_of;

using namespace std::chrono_literals;

struct PipeEnds {
  Fd in;
  Fd out;
  PipeEnds() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    in = Fd(ends[0]);
    out = Fd(ends[1]);
  }
};

struct IoRingTest : ::testing::Test {
  void SetUp() override {
    const auto ring = IoRing::create(1);
    if (!ring && ring.error().code == Errc::not_supported) GTEST_SKIP() << ring.error().text;
  }
};

// Waits until so many have come to their end; their results by key.
std::map<IoRing::Key, int> results_of(IoRing& ring, std::size_t count) {
  std::map<IoRing::Key, int> results;
  while (results.size() < count) {
    for (const auto& done : must(ring.wait(Deadline::after(60s)))) results[done.key] = done.result;
  }
  return results;
}

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
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX,
                      .sun_path = {}};  // the kernel chooses an abstract name
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  socklen_t length = sizeof(address);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  must(ring.accept(listener, 1));
  must(ring.submit());
  Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
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
  EXPECT_EQ(done[0].key, 3U);
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
  EXPECT_EQ(done[0].key, 2U);
  EXPECT_EQ(done[0].result, -EBADF);
  EXPECT_EQ(done[0].call, "read");
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
      EXPECT_EQ(done.result, 1);
      ++times[done.key];
      ++came;
    }
  }
  EXPECT_EQ(std::count(times.begin(), times.end(), 1), static_cast<long>(count));
}

TEST_F(IoRingTest, AtItsEndNothingIsInFlightAnyMore) {
  const PipeEnds pipe;
  std::byte byte{42};
  {
    auto ring = must(IoRing::create(2));
    must(ring.read(pipe.in, {&byte, 1}, IoRing::at_its_offset, 1));
    must(ring.submit());
    must(ring.timeout(Deadline::never(), 2));  // was not even handed over
  }
  ASSERT_EQ(::write(pipe.out.get(), "x", 1), 1);
  char there = 0;
  EXPECT_EQ(::read(pipe.in.get(), &there, 1), 1) << "a request of the ring took it";
  EXPECT_EQ(byte, std::byte{42});
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

TEST_F(IoRingTest, AnAcceptedConnectionThatNobodyTookIsClosed) {
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  ASSERT_TRUE(listener.is_open());
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(sa_family_t)), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  socklen_t length = sizeof(address);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const std::size_t before = open_descriptors();
  {
    auto ring = must(IoRing::create(2));
    must(ring.accept(listener, 1));
    must(ring.submit());
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(IoRingTest, BelongsToTheProcessThatMadeIt) {
  auto ring = must(IoRing::create(2));
  const PipeEnds pipe;
  must(ring.poll(pipe.in, Events::readable, 1));
  must(ring.submit());
  test::Forked child([&] {
    if (ring.timeout(Deadline::never(), 1).error().code != Errc::wrong_process) return 1;
    if (ring.submit().error().code != Errc::wrong_process) return 2;
    if (ring.wait(Deadline::never()).error().code != Errc::wrong_process) return 3;
    const IoRing dies_here = std::move(ring);
    return 0;
  });
  EXPECT_EQ(child.wait(), 0);
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

TEST(IoRing, WhereASandboxForbidsItThatIsTold) {
  test::Forked confined([] {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{.len = 4, .filter = rules};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 1;
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 2;
    const auto refused = IoRing::create(1);
    if (refused || refused.error().code != Errc::not_supported) return 3;
    return refused.error().text.find("sandbox") != std::string::npos ? 0 : 4;
  });
  EXPECT_EQ(confined.wait(), 0);
}

}  // namespace
}  // namespace signalbox::os
