// Goal: one WaitSet watches the kernel's pollable facilities beside a topic, each as a level.
// Method: each is made ready once, reported under its key until it is drained, and then no more.
#include <csignal>

#include "signalbox/os/event_fd.hpp"
#include "signalbox/os/io_ring.hpp"
#include "signalbox/os/self_pipe.hpp"
#include "signalbox/os/signals.hpp"
#include "signalbox/os/timer.hpp"
#include "topic/wait_set_fixture.hpp"

namespace signalbox {
namespace {

enum Source : WaitSet::Key { event, timer, signals, self_pipe, ring, topic };

TEST(WaitSetFacilities, EachIsReportedUnderItsKeyUntilItIsDrained) {
  const ScratchDomain domain;
  auto set = must(WaitSet::create(8));
  std::vector<Watch> watches;
  const auto watch = [&](const Waitable& waitable, Source key) {
    watches.push_back(must(set.watch(waitable, key)));
  };
  const auto counter = must(os::EventFd::create(os::EventFd::Mode::counter));
  watch(counter.waitable(), event);
  auto clock = must(os::Timer::once(Deadline::never()));
  watch(clock.waitable(), timer);
  auto blocked = must(os::Signals::block({SIGRTMIN + 3}));
  watch(blocked.waitable(), signals);
  const auto pipe = must(os::SelfPipe::create());
  watch(pipe.waitable(), self_pipe);
  auto requests = os::IoRing::create(2);
  if (requests) watch(requests->waitable(), ring);
  Topic numbers("wait_set/facilities");
  watch(numbers.in->waitable(), topic);
  EXPECT_EQ(ready_now(set), Keys{});

  const auto expect_only = [&](Source key) {
    EXPECT_EQ(keys_of(must(set.wait(soon()))), Keys{key});
    EXPECT_EQ(ready_now(set), Keys{key}) << "not drained, so ready still";
  };
  must(counter.add(1));
  expect_only(event);
  EXPECT_EQ(counter.try_take(), 1U);
  must(clock.set_once(Deadline::immediate()));
  expect_only(timer);
  EXPECT_EQ(clock.take(), 1U);
  // To this thread, because the program's others do not block it.
  ASSERT_EQ(::pthread_kill(::pthread_self(), SIGRTMIN + 3), 0);
  expect_only(signals);
  EXPECT_EQ(blocked.take()->number, SIGRTMIN + 3);
  pipe.notify(5);
  expect_only(self_pipe);
  EXPECT_EQ(pipe.take(), 5);
  if (requests) {
    must(requests->timeout(Deadline::immediate(), 1));
    must(requests->submit());
    expect_only(ring);
    EXPECT_EQ(must(requests->take()).size(), 1U);
  }
  EXPECT_EQ(ready_now(set), Keys{});
}

}  // namespace
}  // namespace signalbox
