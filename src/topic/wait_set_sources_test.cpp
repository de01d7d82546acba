// Goal: what a wait set can watch beside topics, who is told first, and what it refuses.
// Method: real timers, signals, children and pipes; the numbers of descriptors are closed and given
// out again on purpose.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "signalbox/os/child.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/os/signals.hpp"
#include "signalbox/os/timer.hpp"
#include "topic/ticket_sleep.hpp"
#include "topic/wait_set_fixture.hpp"

namespace signalbox {
namespace {

using test::Number;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using ::testing::UnorderedElementsAreArray;
using namespace std::chrono_literals;

class WaitSetAlone : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

TEST_F(WaitSetAlone, OneSleepForEverything) {
  enum Source : WaitSet::Key { first, second, event, timer, signal, child };
  Topic one("one");
  Topic two("two");
  const Event plain;
  auto clock = must(os::Timer::once(Deadline::never()));
  auto signals = must(os::Signals::block({SIGTERM, SIGUSR2}));
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) ::pause();
  }
  auto process = must(os::Child::watch(pid));
  EXPECT_FALSE(must(process.take()));

  auto set = must(WaitSet::create(6));
  const Watch watches[] = {
      must(set.watch(one.in->waitable(), first)),  must(set.watch(two.in->waitable(), second)),
      must(set.watch(plain.waitable(), event)),    must(set.watch(clock.waitable(), timer)),
      must(set.watch(signals.waitable(), signal)), must(set.watch(process.waitable(), child))};
  EXPECT_THAT(ready_now(set), IsEmpty());
  const auto told_after = [&](auto&& act) {
    const std::jthread actor(act);
    return keys_of(must(set.wait(soon())));
  };
  EXPECT_THAT(told_after([&] { must(two.out.send({2})); }), UnorderedElementsAre(second));
  EXPECT_TRUE(two.in->take());
  EXPECT_THAT(told_after([&] { plain.signal(); }), UnorderedElementsAre(event));
  plain.drain();
  EXPECT_THAT(told_after([&] { must(clock.set_once(Deadline::after(1ms))); }),
              UnorderedElementsAre(timer));
  EXPECT_EQ(clock.take(), 1U);
  EXPECT_THAT(told_after([] { ::kill(::getpid(), SIGUSR2); }), UnorderedElementsAre(signal));
  const auto taken = signals.take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->number, SIGUSR2);
  EXPECT_EQ(taken->pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_FALSE(signals.take());
  EXPECT_THAT(told_after([&] { ::kill(pid, SIGKILL); }), UnorderedElementsAre(child));
  const auto end = must(process.take());
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->by_signal);
  EXPECT_EQ(end->status, SIGKILL);
  EXPECT_EQ(process.take().error().code, Errc::not_found);

  must(one.out.send({1}));
  plain.signal();
  EXPECT_THAT(ready_now(set), UnorderedElementsAre(first, event, child));
}

TEST_F(WaitSetAlone, PeriodicTimersCountWhatWasNotTaken) {
  auto clock = must(os::Timer::every(1ms));
  auto set = must(WaitSet::create(1));
  const Watch watch = must(set.watch(clock.waitable(), 1));
  std::uint64_t times = 0;
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(keys_of(must(set.wait(soon()))), UnorderedElementsAre(1));
    times += clock.take();
  }
  EXPECT_GE(times, 5U);
  EXPECT_EQ(os::Timer::every(0ms).error().code, Errc::bad_argument);
  EXPECT_EQ(os::Signals::block({1000}).error().code, Errc::bad_argument);
  EXPECT_EQ(os::Child::watch(0).error().code, Errc::not_found);
}

TEST_F(WaitSetAlone, DescriptorsTellWritableAndHungUp) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const os::Fd reader(ends[0]);
  os::Fd writer(ends[1]);
  auto set = must(WaitSet::create(2));
  const Watch reads = must(set.watch(Waitable::descriptor(reader.get()), 1));
  Watch writes = must(set.watch(Waitable::descriptor(writer.get()), 2, Events::writable));
  EXPECT_EQ(must(set.wait(soon()))[0].events, Events::writable);
  writes.end();
  EXPECT_FALSE(writes);
  EXPECT_THAT(ready_now(set), IsEmpty());
  writer.reset();
  const auto ready = must(set.wait(soon()));
  ASSERT_EQ(keys_of(ready), Keys{1});
  EXPECT_TRUE(any_of(ready[0].events, Events::hung_up));
}

TEST_F(WaitSetAlone, EverybodyIsToldAndEverybodyIsFirstInTurn) {
  constexpr std::size_t kEach = 32;
  std::vector<std::unique_ptr<Topic>> topics;
  std::vector<Event> events(kEach);
  auto set = must(WaitSet::create(2 * kEach));
  std::vector<Watch> watches;
  Keys all;
  for (std::size_t i = 0; i < kEach; ++i) {
    topics.push_back(std::make_unique<Topic>("topic/" + std::to_string(i)));
    watches.push_back(must(set.watch(topics[i]->in->waitable(), i)));
    must(topics[i]->out.send({i}));
    all.push_back(i);
  }
  std::vector<bool> was_first(2 * kEach);
  // On words; or in the epoll, where each stays in front for two turns.
  const std::size_t turns = os::can_wait_on_several() ? kEach : 2 * kEach;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    const auto ready = keys_of(must(set.wait(soon())));
    EXPECT_THAT(ready, UnorderedElementsAreArray(all));
    was_first[ready.front()] = true;
  }
  EXPECT_EQ(std::ranges::count(was_first, true), std::ptrdiff_t{kEach});
  was_first.assign(2 * kEach, false);
  for (std::size_t i = 0; i < kEach; ++i) {
    watches.push_back(must(set.watch(events[i].waitable(), kEach + i)));
    events[i].signal();
    all.push_back(kEach + i);
  }
  for (std::size_t turn = 0; turn < 2 * kEach; ++turn) {  // in the epoll
    const auto ready = keys_of(must(set.wait(soon())));
    EXPECT_THAT(ready, UnorderedElementsAreArray(all));
    was_first[ready.front()] = true;
  }
  EXPECT_EQ(std::ranges::count(was_first, true), std::ptrdiff_t{2 * kEach});
}

TEST_F(WaitSetAlone, MoreTopicsThanTheKernelSleepsOnAtOnce) {
  constexpr std::size_t kTopics = 140;
  std::vector<std::unique_ptr<Topic>> topics;
  std::vector<Watch> watches;
  auto set = must(WaitSet::create(kTopics));
  for (std::size_t i = 0; i < kTopics; ++i) {
    topics.push_back(std::make_unique<Topic>("topic/" + std::to_string(i)));
    watches.push_back(must(set.watch(topics[i]->in->waitable(), i)));
    const std::jthread writer([&] { must(topics[i]->out.send({i})); });
    EXPECT_EQ(keys_of(must(set.wait(soon()))), Keys{i});
    EXPECT_TRUE(topics[i]->in->take());
  }
  while (topics.size() > 1) {
    topics.pop_back();
    const std::jthread writer([&] { must(topics.front()->out.send({1})); });
    EXPECT_EQ(keys_of(must(set.wait(soon()))), Keys{0});
    EXPECT_TRUE(topics.front()->in->take());
  }
}

TEST_F(WaitSetAlone, ADescriptorsNumberMayBeGivenOutAgain) {
  auto set = must(WaitSet::create(4));
  Event one;
  const int number = one.fd.get();
  Watch old = must(set.watch(one.waitable(), 1));
  one.fd.reset();
  Event two;
  ASSERT_EQ(two.fd.get(), number) << "the lowest free number is taken";
  const Watch fresh = must(set.watch(two.waitable(), 2));
  two.signal();
  EXPECT_THAT(ready_now(set), UnorderedElementsAre(2));
  old.end();
  EXPECT_THAT(ready_now(set), UnorderedElementsAre(2));
}

TEST_F(WaitSetAlone, ACopyThatStaysOpenDoesNotKeepTheSetAwake) {
  auto set = must(WaitSet::create(4));
  Event one;
  const Event other;
  const os::Fd copy(::dup(one.fd.get()));
  Watch watch = must(set.watch(one.waitable(), 1));
  const Watch stays = must(set.watch(other.waitable(), 2));
  one.signal();
  one.fd.reset();
  watch.end();
  rusage before{};
  rusage after{};
  ::getrusage(RUSAGE_THREAD, &before);
  EXPECT_THAT(ready_now(set), IsEmpty());
  EXPECT_THAT(keys_of(must(set.wait(Deadline::after(200ms)))), IsEmpty());
  ::getrusage(RUSAGE_THREAD, &after);
  EXPECT_GE(after.ru_nvcsw, before.ru_nvcsw + 1) << "it slept";
  other.signal();
  EXPECT_THAT(ready_now(set), UnorderedElementsAre(2));
}

TEST_F(WaitSetAlone, WrongUseIsRefused) {
  EXPECT_EQ(WaitSet::create(0).error().code, Errc::bad_argument);
  EXPECT_EQ(WaitSet::create(watches_limit + 1).error().code, Errc::bad_argument);
  auto set = must(WaitSet::create(2));
  auto other_set = must(WaitSet::create(2));
  Topic one("one");
  const Event event;
  const os::Fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const auto refused = [&](const Waitable& source, Events events) {
    return set.watch(source, 0, events).error().code;
  };
  EXPECT_EQ(refused(one.in->waitable(), Events::writable), Errc::bad_argument);
  EXPECT_EQ(refused(event.waitable(), Events::none), Errc::bad_argument);
  EXPECT_EQ(refused(event.waitable(), Events::hung_up), Errc::bad_argument);
  EXPECT_EQ(refused(Waitable::descriptor(-1), Events::readable), Errc::bad_argument);
  EXPECT_EQ(refused(Waitable::descriptor(file.get()), Events::readable), Errc::not_supported);
  EXPECT_EQ(set.watch_every(event.waitable(), 0, 0ns).error().code, Errc::bad_argument);
  EXPECT_EQ(set.watch_every(event.waitable(), 0, -1s).error().code, Errc::bad_argument);
  const Watch topic = must(set.watch(one.in->waitable(), 1));
  EXPECT_EQ(refused(one.in->waitable(), Events::readable), Errc::already_exists);
  EXPECT_EQ(other_set.watch(one.in->waitable(), 1).error().code, Errc::already_exists);
  Watch plain = must(set.watch(event.waitable(), 1));
  EXPECT_EQ(refused(event.waitable(), Events::readable), Errc::limit_reached);
  plain = {};
  plain = must(set.watch(event.waitable(), 1));
}

TEST(AdaptiveSpin, LooksNotAtAllWhenItsLimitIsZero) {
  int looks = 0;
  const auto never = [&looks] {
    ++looks;
    return false;
  };
  AdaptiveSpin none(0);
  EXPECT_FALSE(none.until(Deadline::never(), never));
  EXPECT_EQ(looks, 0);
  none.limit(1'000);
  EXPECT_FALSE(none.until(Deadline::never(), never));
  EXPECT_GT(looks, 0);
  AdaptiveSpin some(30'000);
  EXPECT_TRUE(some.until(Deadline::never(), [] { return true; }));
}

TEST_F(WaitSetAlone, ASubscriberThatMustNotSpinStillWakes) {
  auto out = must(Publisher<Number>::open("one"));
  auto in = must(Subscriber<Number>::open("one", {.start = Start::next, .spin_max = 0ns}));
  for (std::uint64_t i = 0; i < 100; ++i) {
    const std::jthread writer([&] { must(out.send({i})); });
    ASSERT_EQ(must(in.wait(soon())), Wake::ready);
    EXPECT_EQ(in.take()->value, i);
  }
}

}  // namespace
}  // namespace signalbox
