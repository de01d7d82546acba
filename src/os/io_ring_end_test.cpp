// Goal: requests are cancelled by their key, and at the end of the ring nothing of them goes on: no
// buffer is touched, nothing is taken from anybody, no accepted connection stays open.
// Method: requests of each kind that never end by themselves, on real pipes and sockets; skipped,
// with the reason, where the kernel has no io_uring.
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "os/io_ring_fixture.hpp"
#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

using test::bytes_of;
using test::IoRingTest;
using test::Listener;
using test::PipeEnds;

// One request of each kind, and none of them ends by itself.
class Endless {
 public:
  static constexpr std::uint32_t kinds = 7;
  Endless() {
    const std::vector<std::byte> page(4096);
    EXPECT_EQ(::fcntl(full_.out.get(), F_SETPIPE_SZ, 4096), 4096);
    EXPECT_EQ(::write(full_.out.get(), page.data(), page.size()), 4096);
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    near_ = Fd(ends[0]);
    far_ = Fd(ends[1]);
    while (::send(near_.get(), page.data(), page.size(), MSG_DONTWAIT) > 0) {
    }
    sent_ = waiting_in(far_);
    EXPECT_GT(sent_, 4096);
  }
  void ask_each(IoRing& ring, IoRing::Key key) {
    must(ring.read(empty_.in, room_, IoRing::at_its_offset, key));
    must(ring.write(full_.out, bytes_of("x"), IoRing::at_its_offset, key));
    must(ring.accept(listener_.fd, key));
    must(ring.send(near_, bytes_of("x"), key));
    must(ring.receive(near_, room_, key));
    must(ring.poll(empty_.in, Events::readable, key));
    must(ring.timeout(Deadline::never(), key));
  }
  // Whoever still reads, accepts or receives would take these, and whoever writes would add.
  void expect_untouched() const {
    EXPECT_EQ(::write(empty_.out.get(), "a", 1), 1);
    EXPECT_EQ(::send(far_.get(), "b", 1, 0), 1);
    const Fd client = listener_.connected();
    EXPECT_EQ(waiting_in(empty_.in), 1);
    EXPECT_EQ(waiting_in(near_), 1);
    EXPECT_EQ(::fcntl(listener_.fd.get(), F_SETFL, O_NONBLOCK), 0);
    EXPECT_TRUE(Fd(::accept(listener_.fd.get(), nullptr, nullptr)).is_open());
    std::vector<std::byte> page(4096);
    EXPECT_EQ(::read(full_.in.get(), page.data(), page.size()), 4096);
    EXPECT_EQ(waiting_in(full_.in), 0);
    EXPECT_EQ(waiting_in(far_), sent_);
    EXPECT_EQ(room_, (std::array<std::byte, 8>{}));
  }

 private:
  static int waiting_in(const Fd& fd) {
    int bytes = -1;
    EXPECT_EQ(::ioctl(fd.get(), FIONREAD, &bytes), 0);
    return bytes;
  }
  PipeEnds empty_;
  PipeEnds full_;
  Listener listener_;
  Fd near_;
  Fd far_;
  int sent_ = 0;
  std::array<std::byte, 8> room_{};
};

// What has been cancelled meanwhile, by call and key.
std::multiset<std::pair<std::string, IoRing::Key>> cancelled_in(IoRing& ring, std::size_t count) {
  std::multiset<std::pair<std::string, IoRing::Key>> cancelled;
  while (cancelled.size() < count) {
    const auto ended = must(ring.wait(test::soon()));
    if (ended.empty()) break;
    for (const auto& done : ended) {
      EXPECT_EQ(done.result(), -ECANCELED) << done.call();
      EXPECT_EQ(done.error().code, Errc::interrupted);
      cancelled.emplace(done.call(), done.key());
    }
  }
  return cancelled;
}

TEST_F(IoRingTest, CancelsAllRequestsOfAKeyAndNoOther) {
  Endless endless;
  auto ring = must(IoRing::create(4 * Endless::kinds));
  endless.ask_each(ring, 1);
  endless.ask_each(ring, 2);
  must(ring.submit());
  endless.ask_each(ring, 1);  // and these are handed over by the cancellation
  std::multiset<std::pair<std::string, IoRing::Key>> ones;
  std::multiset<std::pair<std::string, IoRing::Key>> twos;
  for (const char* call : {"read", "write", "accept", "send", "recv", "poll", "timeout"}) {
    ones.insert({{call, 1}, {call, 1}});
    twos.emplace(call, 2);
  }
  must(ring.cancel(3));
  EXPECT_TRUE(must(ring.take()).empty());
  must(ring.cancel(1));
  EXPECT_EQ(cancelled_in(ring, ones.size()), ones);
  EXPECT_EQ(ring.in_flight(), Endless::kinds);
  EXPECT_TRUE(must(ring.wait(Deadline::immediate())).empty()) << "a cancellation has no completion";
  must(ring.cancel(2));
  EXPECT_EQ(cancelled_in(ring, twos.size()), twos);
  EXPECT_EQ(ring.in_flight(), 0U);
  endless.expect_untouched();
}

TEST_F(IoRingTest, ARequestThatHasEndedIsNotCancelled) {
  auto ring = must(IoRing::create(1));
  const PipeEnds pipe;
  must(ring.write(pipe.out, bytes_of("x"), IoRing::at_its_offset, 1));
  must(ring.submit());
  pollfd until_written{.fd = pipe.in.get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&until_written, 1, 60'000), 1);
  must(ring.cancel(1));
  EXPECT_EQ(test::results_of(ring, 1).at(1), 1);
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

// A child keeps the descriptor, so that closing it is not what ends them.
TEST_F(IoRingTest, AtItsEndManyOfEachKindAreUnderWay) {
  Endless endless;
  const test::Milestone ended;
  std::optional<test::Forked> child;
  {
    auto ring = must(IoRing::create(300 * Endless::kinds));
    for (int times = 0; times < 200; ++times) endless.ask_each(ring, 1);
    must(ring.submit());
    for (int times = 0; times < 100; ++times) endless.ask_each(ring, 2);
    child.emplace([&] { return ended.wait() ? 0 : 1; });
  }
  endless.expect_untouched();
  EXPECT_TRUE(ended.reach());
  EXPECT_EQ(child->wait(), 0);
}

TEST_F(IoRingTest, ARingThatIsMovedOntoEndsItsOwnRequests) {
  Endless endless;
  auto ring = must(IoRing::create(Endless::kinds));
  endless.ask_each(ring, 1);
  must(ring.submit());
  ring = must(IoRing::create(2));
  endless.expect_untouched();
  must(ring.timeout(Deadline::immediate(), 2));
  EXPECT_EQ(test::results_of(ring, 1).at(2), 0);
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

// Those that were taken stay open, also where others that ended with them are in the next piece.
TEST_F(IoRingTest, AnAcceptedConnectionThatNobodyTookIsClosed) {
  const Listener listener;
  const Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  const std::size_t before = open_descriptors();
  for (IoRing::Key already = 0; already < 8; ++already) {
    std::vector<Fd> taken;
    {
      auto ring = must(IoRing::create(3));
      for (IoRing::Key key = 0; key < already; ++key) {
        must(ring.write(nowhere, bytes_of("x"), 0, key));
        ASSERT_EQ(must(ring.wait(test::soon())).size(), 1U);
      }
      const std::array others{listener.connected(), listener.connected(), listener.connected()};
      for (IoRing::Key key = 0; key < 3; ++key) must(ring.accept(listener.fd, key));
      if (already % 2 == 0) {
        for (const auto& done : must(ring.wait(test::soon()))) taken.emplace_back(done.result());
      }
      must(ring.submit());
    }
    EXPECT_EQ(open_descriptors(), before + taken.size());
  }
}

}  // namespace
}  // namespace signalbox::os
