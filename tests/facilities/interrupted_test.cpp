// Goal: a signal handler that runs a thousand times a second, installed with and without
// SA_RESTART, changes nothing but what was asked for. A wait that goes on keeps its deadline,
// neither early nor late; one that was asked to give up ends with `interrupted`; what the wait did
// not get is still there; and what comes meanwhile is got.
// Method: each wait of *_waits.cpp, the facilities' and our own, runs under such a storm. How late
// it may be is compared with a plain sleep to the same moment in a thread that gets no signals, so
// that a busy machine fails nothing.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

#include "../proof_counts.hpp"
#include "deadline_kept.hpp"
#include "joined.hpp"
#include "os/signal_storm.hpp"
#include "own_waits.hpp"

namespace {

using namespace std::chrono_literals;
using facilities::Ground;
using facilities::Wait;
using facilities::Waiting;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::os::OnSignal;
using signalbox::os::test::SignalStorm;

std::uint64_t rounds() { return proof::long_form() ? 50 : 1; }

class Interrupted : public testing::TestWithParam<std::tuple<Wait, int>> {
 protected:
  const Wait& wait() const { return std::get<0>(GetParam()); }
  int flags() const { return std::get<1>(GetParam()); }
  // A wait that never ends is a failed test and not a run that never ends.
  void SetUp() override {
    ::alarm(120);
    ::setenv("SIGNALBOX_DIR", ground.folder().c_str(), 1);
  }
  void TearDown() override { ::alarm(0); }
  Ground ground;
};

TEST_P(Interrupted, GoesOnUntilItsDeadline) {
  for (std::uint64_t round = 0; round < rounds(); ++round) {
    const Waiting waiting = wait().prepare(ground);
    const SignalStorm storm(flags());
    ASSERT_TRUE(storm.made());
    facilities::expect_deadline_kept(waiting);
    // On a machine with much else to do there are few in 60 ms.
    EXPECT_GE(SignalStorm::handled().load(), 1) << "no handler ran";
  }
  proof::count({{"tries", rounds()}, {"lost", HasFailure() ? 1U : 0U}});
}

TEST_P(Interrupted, GivesUpWhereItWasAskedTo) {
  if (!wait().may_give_up) GTEST_SKIP() << "it never gives up";
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
    EXPECT_TRUE(facilities::is_unchanged(waiting));
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

std::vector<Wait> all_waits() {
  facilities::enter_own_name_spaces();
  return facilities::joined<Wait>({facilities::event_waits(), facilities::lock_waits(),
                                   facilities::queue_waits(), facilities::socket_waits(),
                                   facilities::stream_waits(), facilities::own_waits()});
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
