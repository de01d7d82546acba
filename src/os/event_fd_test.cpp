// Goal: a counter in the kernel adds, is taken, tells its overflow, wakes sleepers in both modes.
// Method: real eventfds; sleepers are threads and children.
#include "signalbox/os/event_fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>

#include "os/signal_storm.hpp"
#include "os/test_process.hpp"

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;
using Mode = EventFd::Mode;

TEST(EventFd, ACounterIsTakenWhole) {
  const auto event = must(EventFd::create(Mode::counter, 3));
  must(event.add(4));
  EXPECT_EQ(event.try_take(), 7U);
  EXPECT_EQ(event.try_take(), 0U);
}

TEST(EventFd, ASemaphoreIsTakenOneByOne) {
  const auto event = must(EventFd::create(Mode::semaphore, 2));
  must(event.add(1));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(must(event.take(Deadline::never())), 1U);
  EXPECT_EQ(event.take(Deadline::immediate()).error().code, Errc::timed_out);
}

TEST(EventFd, LargeFirstCountsAreKept) {
  const std::uint64_t large = std::uint64_t{1} << 40;
  EXPECT_EQ(must(EventFd::create(Mode::counter, large)).try_take(), large);
  EXPECT_EQ(must(EventFd::create(Mode::counter, EventFd::count_max)).try_take(),
            EventFd::count_max);
  EXPECT_EQ(EventFd::create(Mode::counter, UINT64_MAX).error().code, Errc::out_of_range);
}

TEST(EventFd, OverflowIsToldAndNothingIsAdded) {
  const auto event = must(EventFd::create(Mode::counter, EventFd::count_max - 1));
  const auto refused = event.add(2).error();
  EXPECT_EQ(refused.code, Errc::out_of_range);
  EXPECT_EQ(refused.sys_errno, EAGAIN);
  EXPECT_EQ(event.add(UINT64_MAX).error().sys_errno, EINVAL);
  must(event.add(1));
  EXPECT_EQ(event.add(1, Deadline::immediate()).error().code, Errc::timed_out);
  EXPECT_EQ(event.try_take(), EventFd::count_max);
  must(event.add(2));
}

TEST(EventFd, WhoAddsWaitsForRoom) {
  for (const std::uint64_t count : {1U, 5U}) {
    const auto event = must(EventFd::create(Mode::counter, EventFd::count_max));
    std::thread adder([&] { must(event.add(count, Deadline::never())); });
    EXPECT_EQ(must(event.take(Deadline::never())), EventFd::count_max);
    EXPECT_EQ(must(event.take(Deadline::never())), count);
    adder.join();
  }
}

TEST(EventFd, AChildWakesItsParent) {
  const auto event = must(EventFd::create(Mode::counter));
  test::Forked child([&] { return event.add(9) ? 0 : 1; });
  EXPECT_EQ(must(event.take(Deadline::never())), 9U);
  EXPECT_EQ(child.wait(), 0);
}

TEST(EventFd, ASignalEndsTheWaitWhereAskedAndElseTheRemainingTimeIsWaited) {
  const auto event = must(EventFd::create(Mode::counter));
  test::expect_given_up(0,
                        [&](Deadline deadline) { return event.take(deadline, OnSignal::give_up); });
  test::expect_deadline_kept(0, [&](Deadline deadline) { return event.take(deadline); });
}

TEST(EventFd, AdoptsEventfdsOnly) {
  auto event = must(EventFd::create(Mode::counter, 1));
  const auto copy = must(EventFd::adopt(Fd(::fcntl(event.fd().get(), F_DUPFD_CLOEXEC, 0))));
  EXPECT_EQ(copy.try_take(), 1U);
  EXPECT_EQ(EventFd::adopt(Fd(::open("/dev/null", O_RDWR | O_CLOEXEC))).error().code,
            Errc::bad_argument);
  EXPECT_EQ(EventFd::adopt(Fd()).error().code, Errc::bad_argument);
}

TEST(EventFd, TheLimitOfDescriptorsIsNamed) {
  test::Forked poor([] {
    const rlimit none{3, 3};
    ::setrlimit(RLIMIT_NOFILE, &none);
    const auto refused = EventFd::create(Mode::counter).error();
    if (refused.code != Errc::limit_reached || refused.sys_errno != EMFILE) return 1;
    return refused.text.find("RLIMIT_NOFILE is 3") != std::string::npos ? 0 : 2;
  });
  EXPECT_EQ(poor.wait(), 0);
}

}  // namespace
}  // namespace signalbox::os
