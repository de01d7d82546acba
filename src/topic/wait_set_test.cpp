// Goal: what wait_set.hpp promises of both ways to sleep: on words, and in the epoll.
// Method: each test runs both ways, in a private domain; asked without waiting where an answer is
// due at once; everything that must end a sleep comes from another thread or process.
#include "signalbox/wait_set.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <optional>
#include <thread>

#include "topic/wait_set_fixture.hpp"

namespace signalbox {
namespace {

using test::Number;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

// Both ways to sleep: on words, and in the epoll because a descriptor that never fires is watched.
class WaitSetTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) quiet_watch_ = must(set_.watch(quiet_.waitable(), 99));
  }
  ScratchDomain domain_;
  Event quiet_;
  WaitSet set_ = must(WaitSet::create(16));
  Watch quiet_watch_;
};
INSTANTIATE_TEST_SUITE_P(OnWords, WaitSetTest, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(InThePoll, WaitSetTest, ::testing::Values(true));

TEST(WaitSetHandle, IsEmptyWhenMovedFromAndSaysSo) {
  WaitSet from = must(WaitSet::create(1));
  EXPECT_TRUE(from);
  const WaitSet to = std::move(from);
  const auto source = Waitable::descriptor(0);
  // NOLINTBEGIN(bugprone-use-after-move): that is what is looked at.
  EXPECT_FALSE(from);
  from.wake();
  EXPECT_EQ(from.wait(Deadline::immediate()).error().code, Errc::bad_argument);
  EXPECT_EQ(from.watch(source, 1).error().code, Errc::bad_argument);
  EXPECT_EQ(from.watch_every(source, 1, 1s).error().code, Errc::bad_argument);
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_TRUE(to);
}

TEST_P(WaitSetTest, ATopicIsReportedUntilItIsDrained) {
  Topic one("one");
  const Watch watch = must(set_.watch(one.in->waitable(), 7));
  EXPECT_TRUE(watch);
  for (std::uint64_t round = 0; round < 20; ++round) {
    EXPECT_THAT(ready_now(set_), IsEmpty());
    must(one.out.send({1}));
    must(one.out.send({2}));
    EXPECT_THAT(ready_now(set_), UnorderedElementsAre(7));
    EXPECT_TRUE(one.in->take());
    EXPECT_THAT(ready_now(set_), UnorderedElementsAre(7)) << "one is left";
    EXPECT_TRUE(one.in->take());
    EXPECT_THAT(ready_now(set_), IsEmpty()) << "nobody had to find it empty first";
    EXPECT_THAT(keys_of(must(set_.wait(Deadline::after(1ms)))), IsEmpty());
  }
}

TEST_P(WaitSetTest, AMessageEndsTheSleep) {
  Topic one("one");
  Topic two("two");
  const Watch first = must(set_.watch(one.in->waitable(), 1));
  const Watch second = must(set_.watch(two.in->waitable(), 2));
  std::atomic<std::uint64_t> taken = 0;
  std::jthread writer([&] {
    for (std::uint64_t i = 0; i < 2'000; ++i) {
      must((i % 3 == 0 ? two : one).out.send({i}));
      while (taken.load() <= i) std::this_thread::yield();
    }
  });
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    const auto ready = must(set_.wait(soon()));
    ASSERT_EQ(keys_of(ready), Keys{i % 3 == 0 ? 2U : 1U});
    EXPECT_EQ(ready[0].events, Events::readable);
    EXPECT_EQ((i % 3 == 0 ? two : one).in->take()->value, i);
    taken.store(i + 1);
  }
}

TEST_P(WaitSetTest, WakeIsRememberedAndEndsOneWait) {
  Topic one("one");
  const Watch watch = must(set_.watch(one.in->waitable(), 1));
  must(one.out.send({1}));
  set_.wake();
  set_.wake();
  EXPECT_THAT(keys_of(must(set_.wait(Deadline::never()))), IsEmpty());
  EXPECT_THAT(keys_of(must(set_.wait(Deadline::never()))), UnorderedElementsAre(1));
  EXPECT_TRUE(one.in->take());
  for (int i = 0; i < 100; ++i) {
    const std::jthread waker([&] { set_.wake(); });
    EXPECT_THAT(keys_of(must(set_.wait(Deadline::never()))), IsEmpty());
  }
}

TEST_P(WaitSetTest, WakeEndsASleepThatNothingBounds) {
  for (int i = 0; i < 200; ++i) {  // no topic is watched: a wake that is lost is never made good
    const std::jthread waker([&] {
      // Later each time; not by yielding, which beside busy neighbours takes a tick each.
      for (int turn = 0; turn < i * 2000; ++turn) asm volatile("" ::: "memory");
      set_.wake();
    });
    EXPECT_THAT(keys_of(must(set_.wait(Deadline::never()))), IsEmpty());
  }
}

const WaitSet* set_to_wake = nullptr;

TEST_P(WaitSetTest, WakeMayBeCalledByASignalHandler) {
  Topic one("one");
  const Watch watch = must(set_.watch(one.in->waitable(), 1));
  set_to_wake = &set_;
  struct sigaction act{};
  act.sa_handler = [](int) { set_to_wake->wake(); };
  ASSERT_EQ(::sigaction(SIGUSR1, &act, nullptr), 0);
  const pthread_t self = ::pthread_self();
  for (int i = 0; i < 100; ++i) {
    const std::jthread sender([&] { ::pthread_kill(self, SIGUSR1); });
    EXPECT_THAT(keys_of(must(set_.wait(Deadline::never()))), IsEmpty());
  }
}

TEST_P(WaitSetTest, SignalHandlersDoNotEndTheWait) {
  Topic one("one");
  const Watch watch = must(set_.watch(one.in->waitable(), 1));
  static std::atomic<int> handled = 0;
  handled = 0;
  struct sigaction act{};
  act.sa_handler = [](int) { handled.fetch_add(1); };
  ASSERT_EQ(::sigaction(SIGUSR1, &act, nullptr), 0);
  const pthread_t self = ::pthread_self();
  const std::jthread sender([&] {
    for (int i = 0; i < 50; ++i) {
      ::pthread_kill(self, SIGUSR1);
      while (handled.load() == i) std::this_thread::yield();
    }
    must(one.out.send({1}));
  });
  EXPECT_THAT(keys_of(must(set_.wait(Deadline::never()))), UnorderedElementsAre(1));
  EXPECT_EQ(handled.load(), 50);
}

TEST_P(WaitSetTest, ItMayAllDieInAnyOrder) {
  for (const int first : {0, 1, 2}) {
    for (const int second : {0, 1, 2}) {
      auto topic = std::make_unique<Topic>("one");
      auto event = std::make_unique<Event>();
      auto set = std::make_unique<WaitSet>(must(WaitSet::create(4)));
      std::vector<Watch> watches;
      watches.push_back(must(set->watch(topic->in->waitable(), 1)));
      watches.push_back(must(set->watch(event->waitable(), 2)));
      must(topic->out.send({1}));
      event->signal();
      for (const int dies : {first, second}) {
        if (dies == 0) topic.reset(), event.reset();
        if (dies == 1) watches.clear();
        if (dies == 2) set.reset();
        if (!set) continue;
        EXPECT_EQ(ready_now(*set).size(), topic && !watches.empty() ? 2U : 0U);
      }
    }
  }
}

TEST_P(WaitSetTest, AClosedSubscriberIsSilentAndMayBeReplaced) {
  Topic one("one");
  Topic two("two");
  const Watch first = must(set_.watch(one.in->waitable(), 1));
  Watch second = must(set_.watch(two.in->waitable(), 2));
  const Waitable gone = one.in->waitable();
  must(one.out.send({1}));
  one.in.reset();
  EXPECT_THAT(ready_now(set_), IsEmpty());
  EXPECT_EQ(set_.watch(gone, 1).error().code, Errc::closed);
  one.in = must(Subscriber<Number>::open("one", Start::next));
  const Watch again = must(set_.watch(one.in->waitable(), 3));
  must(one.out.send({2}));
  EXPECT_THAT(ready_now(set_), UnorderedElementsAre(3));
  Subscriber<Number> moved = std::move(*two.in);
  must(two.out.send({3}));
  EXPECT_THAT(ready_now(set_), UnorderedElementsAre(2, 3)) << "a subscriber may move";
  second = {};
  EXPECT_THAT(ready_now(set_), UnorderedElementsAre(3));
  EXPECT_TRUE(moved.take());
}

TEST_P(WaitSetTest, APublisherKilledWhileTheSetSleepsStopsNobody) {
  Topic other("other");
  auto in = must(Subscriber<Number>::open("mortal", Start::next));
  const Watch mortal = must(set_.watch(in.waitable(), 1));
  const Watch lives = must(set_.watch(other.in->waitable(), 2));
  for (int round = 0; round < 5; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      auto out = must(Publisher<Number>::open("mortal", {.depth = 64}));
      for (std::uint64_t i = 0;; ++i) must(out.send({i}));
    }
    for (int i = 0; i < 50; ++i) {
      EXPECT_THAT(keys_of(must(set_.wait(soon()))), UnorderedElementsAre(1));
      EXPECT_TRUE(in.take());
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    while (in.publisher_count() != 0) {
      if (must(set_.wait(Deadline::after(10ms))).empty()) continue;
      while (in.take()) {
      }
    }
    while (in.take()) {
    }
    std::jthread writer([&] { must(other.out.send({9})); });
    EXPECT_THAT(keys_of(must(set_.wait(soon()))), UnorderedElementsAre(2));
    EXPECT_EQ(other.in->take()->value, 9U);
  }
}

TEST_P(WaitSetTest, MissedPeriodsAreToldOnceEach) {
  Topic one("one");
  const Watch watch = must(set_.watch_every(one.in->waitable(), 1, 5ms));
  for (int missed = 0; missed < 5; ++missed) {
    const auto ready = must(set_.wait(soon()));
    ASSERT_EQ(ready.size(), 1U);
    EXPECT_EQ(ready[0].events, Events::deadline_missed);
  }
  must(one.out.send({1}));
  const auto ready = must(set_.wait(soon()));
  ASSERT_EQ(ready.size(), 1U);
  EXPECT_EQ(ready[0].events, Events::readable) << "a message that is there was not missed";
}

TEST_P(WaitSetTest, TheLongestPeriodIsNotMissedAtOnce) {
  Topic one("one");
  const Watch watch =
      must(set_.watch_every(one.in->waitable(), 1, std::chrono::nanoseconds::max()));
  EXPECT_TRUE(must(set_.wait(Deadline::immediate())).empty());
}

TEST_P(WaitSetTest, AMessageTakenBetweenTwoWaitsBeginsThePeriodAnew) {
  constexpr auto kPeriod = 300ms;
  Topic one("one");
  const Event silent;
  const Watch watch = must(set_.watch_every(one.in->waitable(), 1, kPeriod));
  const Watch quiet = must(set_.watch_every(silent.waitable(), 2, kPeriod));
  auto elsewhere = must(WaitSet::create(1));
  EXPECT_TRUE(must(elsewhere.wait(Deadline::after(kPeriod + 1ms))).empty());
  must(one.out.send({1}));
  EXPECT_TRUE(one.in->take());
  const auto ready = must(set_.wait(Deadline::immediate()));
  ASSERT_EQ(keys_of(ready), Keys{2}) << "descriptors have periods too";
  EXPECT_EQ(ready[0].events, Events::deadline_missed);
}

TEST_P(WaitSetTest, AMessageThatWakesNobodyIsFoundByTheNextLook) {
  auto out = must(Publisher<Number>::open("silent", {.wake = WakeSleepers::no}));
  auto in = must(Subscriber<Number>::open("silent", Start::next));
  Watch watch = must(set_.watch(in.waitable(), 1));
  for (std::uint64_t i = 0; i < 3; ++i) {
    const std::jthread writer([&] { must(out.send({i})); });
    EXPECT_THAT(keys_of(must(set_.wait(Deadline::never()))), UnorderedElementsAre(1));
    EXPECT_EQ(in.take()->value, i);
  }
  watch.end();
  std::jthread writer([&] { must(out.send({3})); });
  EXPECT_EQ(must(in.wait(Deadline::never())), Wake::ready);
  EXPECT_EQ(in.take()->value, 3U);
  writer.join();  // the publisher is ours again
  pollfd loop{.fd = must(in.descriptor()), .events = POLLIN, .revents = 0};
  must(out.send({4}));
  do {
    ASSERT_EQ(::poll(&loop, 1, 60'000), 1) << "also in an event loop of one's own";
  } while (!in.take());
}

TEST_P(WaitSetTest, ABlockedSetSleeps) {
  Topic one("one");
  const Watch watch = must(set_.watch(one.in->waitable(), 1));
  // Its descriptor fires, and nobody finds it empty before the set does.
  EXPECT_THAT(ready_now(set_), IsEmpty());
  must(one.out.send({1}));
  EXPECT_TRUE(one.in->take());
  rusage before{};
  rusage after{};
  ::getrusage(RUSAGE_THREAD, &before);
  EXPECT_THAT(keys_of(must(set_.wait(Deadline::after(400ms)))), IsEmpty());
  ::getrusage(RUSAGE_THREAD, &after);
  EXPECT_GE(after.ru_nvcsw - before.ru_nvcsw, 1) << "it did not sleep at all";
  // Four sleeps of 100 ms; a slower machine makes fewer. What else blocks a thread is a handful.
  EXPECT_LE(after.ru_nvcsw - before.ru_nvcsw, 10);
}

TEST_P(WaitSetTest, AForkedChildIsRefusedAndHarmsNobody) {
  Topic one("one");
  std::optional watch(must(set_.watch(one.in->waitable(), 1)));
  std::optional in(std::move(one.in));
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = set_.wait(Deadline::immediate()).error().code == Errc::wrong_process &&
                         set_.watch(quiet_.waitable(), 1).error().code == Errc::wrong_process;
    set_.wake();
    watch.reset();
    in.reset();
    quiet_watch_ = {};
    set_ = must(WaitSet::create(1));
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(ready_now(set_), IsEmpty());
  must(one.out.send({1}));
  EXPECT_THAT(ready_now(set_), UnorderedElementsAre(1));
  quiet_.signal();
  EXPECT_EQ(ready_now(set_).size(), GetParam() ? 2U : 1U);
}

TEST_P(WaitSetTest, NothingIsLostWhenTheWayToSleepChanges) {
  Topic one("one");
  Topic two("two");
  const Watch first = must(set_.watch(one.in->waitable(), 1));
  const Watch second = must(set_.watch(two.in->waitable(), 2));
  constexpr std::uint64_t kMessages = 20'000;
  std::atomic<std::uint64_t> taken = 0;
  std::jthread writer([&] {
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      must((i % 2 == 0 ? one : two).out.send({i}));
      while (i + 1 - taken.load() > 30) std::this_thread::yield();
    }
  });
  Event extra;
  std::optional<Watch> watch;
  for (std::uint64_t round = 0; taken.load() < kMessages; ++round) {
    if (round % 2 == 0) watch = must(set_.watch(extra.waitable(), 3));
    if (round % 2 == 1) watch.reset();
    const auto ready = must(set_.wait(soon()));
    ASSERT_FALSE(ready.empty()) << "after " << taken.load();
    // One message a report: what is left must be told again.
    for (const auto [key, events] : ready) {
      ASSERT_TRUE((key == 1 ? one : two).in->take());
      taken.fetch_add(1);
    }
  }
  EXPECT_EQ(one.in->lost_count() + two.in->lost_count(), 0U);
}

}  // namespace
}  // namespace signalbox
