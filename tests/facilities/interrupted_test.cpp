// Goal: a signal handler that runs a thousand times a second, installed with and without
// SA_RESTART, changes nothing but what was asked for. A wait that goes on keeps its deadline,
// neither early nor late; one that was asked to give up ends with `interrupted`; what the wait did
// not get is still there; and what comes meanwhile is got. Setting the wall clock changes nothing.
// Method: each wait of *_waits.cpp runs under such a storm. How late it may be is compared with a
// plain sleep to the same moment in a thread that gets no signals, so that a busy machine fails
// nothing. SIGNALBOX_CLOCK_JUMP_S=3600 also sets the clock forward and back during each wait:
// everybody on the machine sees that.
#include <gtest/gtest.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>

#include "../proof_counts.hpp"
#include "joined.hpp"
#include "os/signal_storm.hpp"
#include "waits.hpp"

namespace {

using namespace std::chrono_literals;
using facilities::Ground;
using facilities::Wait;
using facilities::Waiting;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::os::OnSignal;
using signalbox::os::test::SignalStorm;

constexpr std::int64_t kLateMax_ns = 50'000'000;

std::uint64_t rounds() { return proof::long_form() ? 50 : 1; }

bool is_unchanged(const Waiting& waiting) {
  return !waiting.is_unchanged || waiting.is_unchanged();
}

// How much later than a plain sleep in another thread it ends, in the best of five attempts: a wait
// that starts anew after each signal never ends while they come.
void expect_deadline_kept(const Waiting& waiting, const std::function<void()>& meanwhile = {}) {
  std::int64_t later_ns = INT64_MAX;
  for (int attempt = 0; attempt < 5 && later_ns > kLateMax_ns; ++attempt) {
    const Deadline deadline = Deadline::after(60ms);
    std::int64_t control_ns = 0;
    std::jthread control([&] {
      const timespec until{.tv_sec = deadline.monotonic_ns() / 1'000'000'000,
                           .tv_nsec = deadline.monotonic_ns() % 1'000'000'000};
      ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
      control_ns = signalbox::monotonic_now_ns();
    });
    std::jthread other([&] {
      if (meanwhile) meanwhile();
    });
    const auto ended = waiting.wait(deadline, OnSignal::go_on);
    const std::int64_t now = signalbox::monotonic_now_ns();
    control.join();
    ASSERT_FALSE(ended.has_value()) << "it got what is not there";
    ASSERT_EQ(ended.error().code, Errc::timed_out) << ended.error().text;
    ASSERT_GE(now, deadline.monotonic_ns()) << "it ended early";
    ASSERT_TRUE(is_unchanged(waiting)) << "after a deadline";
    later_ns = now - control_ns;
  }
  EXPECT_LE(later_ns, kLateMax_ns) << "later than a sleep without signals, five times";
}

class Interrupted : public testing::TestWithParam<std::tuple<Wait, int>> {
 protected:
  const Wait& wait() const { return std::get<0>(GetParam()); }
  int flags() const { return std::get<1>(GetParam()); }
  // A wait that never ends is a failed test and not a run that never ends.
  void SetUp() override { ::alarm(120); }
  void TearDown() override { ::alarm(0); }
  Ground ground;
};

TEST_P(Interrupted, GoesOnUntilItsDeadline) {
  for (std::uint64_t round = 0; round < rounds(); ++round) {
    const Waiting waiting = wait().prepare(ground);
    const SignalStorm storm(flags());
    ASSERT_TRUE(storm.made());
    expect_deadline_kept(waiting);
    EXPECT_GE(SignalStorm::handled().load(), 3) << "hardly a handler ran";
  }
  proof::count({{"tries", rounds()}, {"lost", HasFailure() ? 1U : 0U}});
}

TEST_P(Interrupted, GivesUpWhereItWasAskedTo) {
  if (!wait().may_give_up) GTEST_SKIP() << "the C library's own wait: it never gives up";
  for (std::uint64_t round = 0; round < rounds(); ++round) {
    const Waiting waiting = wait().prepare(ground);
    {
      const SignalStorm storm(flags());
      ASSERT_TRUE(storm.made());
      const bool restarts = wait().kernel_restarts && flags() != 0;
      const Deadline deadline = restarts ? Deadline::after(60ms) : Deadline::after(30s);
      const auto ended = waiting.wait(deadline, OnSignal::give_up);
      ASSERT_FALSE(ended.has_value()) << "it got what is not there";
      const Errc how = restarts ? Errc::timed_out : Errc::interrupted;
      ASSERT_EQ(ended.error().code, how) << ended.error().text;
    }
    EXPECT_TRUE(is_unchanged(waiting));
    // And what comes afterwards is got: the wait that gave up has left nothing behind.
    std::jthread other([&] { waiting.satisfy(); });
    const auto then = waiting.wait(Deadline::after(30s), OnSignal::go_on);
    EXPECT_TRUE(then.has_value()) << then.error().text;
  }
  proof::count({{"tries", rounds()}, {"lost", HasFailure() ? 1U : 0U}});
}

TEST_P(Interrupted, GetsWhatComes) {
  for (std::uint64_t round = 0; round < rounds(); ++round) {
    const Waiting waiting = wait().prepare(ground);
    const SignalStorm storm(flags());
    ASSERT_TRUE(storm.made());
    std::jthread other([&] {
      const Deadline watchdog = Deadline::after(30s);
      while (SignalStorm::handled() < 5 && !watchdog.passed()) std::this_thread::yield();
      waiting.satisfy();
    });
    const auto ended = waiting.wait(Deadline::after(60s), OnSignal::go_on);
    EXPECT_TRUE(ended.has_value()) << ended.error().text;
    EXPECT_GE(SignalStorm::handled().load(), 5) << "it did not wait";
  }
  proof::count({{"tries", rounds()}, {"lost", HasFailure() ? 1U : 0U}});
}

void set_wall_clock(std::int64_t seconds) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec += seconds;
  EXPECT_EQ(::clock_settime(CLOCK_REALTIME, &now), 0);
}

TEST_P(Interrupted, KeepsItsDeadlineWhenTheClockIsSet) {
  const auto jump_s =
      static_cast<std::int64_t>(proof::number_from_environment("SIGNALBOX_CLOCK_JUMP_S", 0));
  if (jump_s == 0 || flags() != 0) {
    GTEST_SKIP() << "sets the machine's wall clock and back: name the jump in seconds in "
                    "SIGNALBOX_CLOCK_JUMP_S to run it";
  }
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (::clock_settime(CLOCK_REALTIME, &now) != 0) GTEST_SKIP() << "the clock may not be set here";
  for (const std::int64_t way : {jump_s, -jump_s}) {
    const Waiting waiting = wait().prepare(ground);
    expect_deadline_kept(waiting, [&] {
      set_wall_clock(way);
      const timespec a_while{.tv_sec = 0, .tv_nsec = 20'000'000};
      ::clock_nanosleep(CLOCK_MONOTONIC, 0, &a_while, nullptr);
      set_wall_clock(-way);
    });
  }
  proof::count({{"tries", 2}, {"lost", HasFailure() ? 1U : 0U}});
}

std::vector<Wait> all_waits() {
  facilities::enter_own_name_spaces();
  return facilities::joined<Wait>({facilities::event_waits(), facilities::lock_waits(),
                                   facilities::queue_waits(), facilities::stream_waits()});
}

INSTANTIATE_TEST_SUITE_P(Os, Interrupted,
                         testing::Combine(testing::ValuesIn(all_waits()),
                                          testing::Values(0, SA_RESTART)),
                         [](const auto& which) {
                           const bool restarts = std::get<1>(which.param) != 0;
                           return std::string(std::get<0>(which.param).name) +
                                  (restarts ? "Restarting" : "");
                         });

}  // namespace
