// Goal: the parts of a descriptor that never changes: pipes, pidfds, epolls inside epolls.
// Method: each in the state that matters, asked without waiting.
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "os/event_descriptor.hpp"
#include "os/process.hpp"
#include "probe.hpp"
#include "signalbox/os/pidfd.hpp"

namespace signalbox::kernel {
namespace {

using os::Fd;

Fd make_epoll() { return Fd(::epoll_create1(EPOLL_CLOEXEC)); }

void add(const Fd& epoll, const Fd& watched, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, watched.get(), &event), 0)
      << std::strerror(errno);
}

int ready_now(const Fd& epoll) {
  epoll_event events[4];
  return ::epoll_wait(epoll.get(), events, 4, 0);
}

TEST(EventFacts, OneEventfdInTwoEdgeTriggeredEpollsWakesBothAtEveryWrite) {
  const IfNot otherwise("a descriptor shared by several waiters would need one eventfd each");
  const Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const Fd first = make_epoll();
  const Fd second = make_epoll();
  add(first, event, EPOLLIN | EPOLLET);
  add(second, event, EPOLLIN | EPOLLET);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ready_now(first), 0);
    EXPECT_EQ(ready_now(second), 0);
    ASSERT_EQ(::eventfd_write(event.get(), 1), 0);
    EXPECT_EQ(ready_now(first), 1);
    EXPECT_EQ(ready_now(second), 1);
  }
}

TEST(EventFacts, AnEpollCanBePolledAndWatchedByAnother) {
  const IfNot otherwise(
      "descriptor() could not join a pipe and pidfds into one descriptor (decision 003)");
  const Fd event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const Fd inner = make_epoll();
  const Fd outer = make_epoll();
  add(inner, event, EPOLLIN);
  add(outer, inner, EPOLLIN);
  EXPECT_FALSE(os::is_readable(inner));
  EXPECT_EQ(ready_now(outer), 0);
  ASSERT_EQ(::eventfd_write(event.get(), 1), 0);
  EXPECT_TRUE(os::is_readable(inner));
  EXPECT_EQ(ready_now(outer), 1);
  EXPECT_EQ(ready_now(outer), 1) << "a level, not an edge";
  eventfd_t value = 0;
  ASSERT_EQ(::eventfd_read(event.get(), &value), 0);
  EXPECT_FALSE(os::is_readable(inner));
  EXPECT_EQ(ready_now(outer), 0);
}

struct PipeFacts : ::testing::Test {
  ScratchDirectory scratch;
  Fd open_both_ways() const {
    const std::string path = scratch.file("bell");
    EXPECT_TRUE(::mkfifo(path.c_str(), 0600) == 0 || errno == EEXIST) << std::strerror(errno);
    return Fd(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  }
};

TEST_F(PipeFacts, ANamedPipeOpenedBothWaysOutlivesItsReaderWithoutSigpipe) {
  const IfNot otherwise("publishers would have to block SIGPIPE around each signal");
  Fd reader = open_both_ways();
  const Fd writer = open_both_ways();
  ASSERT_TRUE(writer.is_open());
  reader.reset();
  EXPECT_EQ(::write(writer.get(), "x", 1), 1) << std::strerror(errno);
  pollfd poll_writer{.fd = writer.get(), .events = POLLIN | POLLOUT, .revents = 0};
  EXPECT_EQ(::poll(&poll_writer, 1, 0), 1);
  EXPECT_EQ(poll_writer.revents & (POLLHUP | POLLERR), 0);
}

TEST_F(PipeFacts, AFullNamedPipeAnswersInsteadOfBlocking) {
  const IfNot otherwise("a stopped subscriber could block its publishers");
  const Fd writer = open_both_ways();
  char bytes[4096] = {};
  while (::write(writer.get(), bytes, sizeof(bytes)) > 0) {
  }
  EXPECT_EQ(errno, EAGAIN);
}

TEST_F(PipeFacts, EpollOnANamedPipeIsALevelUntilDrained) {
  const IfNot otherwise("take() could not tell an armed descriptor from one that fired");
  const Fd reader = open_both_ways();
  const Fd writer = open_both_ways();
  const Fd epoll = make_epoll();
  add(epoll, reader, EPOLLIN);
  EXPECT_EQ(ready_now(epoll), 0);
  ASSERT_EQ(::write(writer.get(), "xy", 2), 2);
  EXPECT_EQ(ready_now(epoll), 1);
  EXPECT_EQ(ready_now(epoll), 1);
  char byte = 0;
  ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
  EXPECT_EQ(ready_now(epoll), 1);
  ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
  EXPECT_EQ(ready_now(epoll), 0);
}

TEST(EventFacts, APidfdIsReadableAtAZombie) {
  const IfNot otherwise("watch_death_of() falls back to a clock of ten ticks a second");
  Signpost go;
  Child child([&] { return go.wait() ? 0 : 1; });
  const auto pidfd = os::Pidfd::open(static_cast<std::uint32_t>(child.pid()));
  if (!pidfd) GTEST_SKIP() << pidfd.error().text << " Deaths are looked for by the clock here.";
  EXPECT_FALSE(os::is_readable(pidfd->fd()));
  ASSERT_TRUE(go.pass());
  child.wait_until_zombie();
  EXPECT_TRUE(os::is_readable(pidfd->fd()));
}

TEST(EventFacts, AClosedDescriptorStaysInAnEpollWhileAForkedChildHoldsACopy) {
  const IfNot otherwise("closing a pidfd would be enough to stop watching a process");
  const Fd epoll = make_epoll();
  Fd event(::eventfd(1, EFD_CLOEXEC));
  add(epoll, event, EPOLLIN);
  const Child holder([] {
    for (;;) ::pause();
    return 0;
  });
  event.reset();
  EXPECT_EQ(ready_now(epoll), 1) << "readable for ever, and nobody here can take it out any more";
}

TEST(EventFacts, ADescriptorTakenOutBeforeItIsClosedIsSilent) {
  const IfNot otherwise("a subscriber whose process forked would spin after a publisher's death");
  const Fd epoll = make_epoll();
  Fd event(::eventfd(1, EFD_CLOEXEC));
  add(epoll, event, EPOLLIN);
  const Child holder([] {
    for (;;) ::pause();
    return 0;
  });
  ASSERT_EQ(::epoll_ctl(epoll.get(), EPOLL_CTL_DEL, event.get(), nullptr), 0);
  event.reset();
  EXPECT_EQ(ready_now(epoll), 0);
}

}  // namespace
}  // namespace signalbox::kernel
