// Goal: no wait of the library ends early or late because somebody sets the wall clock. Method:
// each call that sleeps, of the kernel's facilities and of ours, waits for what does not come,
// while the clock is set forward and back, and back and forward. Everybody on the machine sees
// that, so it happens only where SIGNALBOX_CLOCK_JUMP_S says by how much: run_in_machine.py does,
// in a machine of its own.
#include <gtest/gtest.h>
#include <time.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "../facilities/deadline_kept.hpp"
#include "../facilities/joined.hpp"
#include "../facilities/own_waits.hpp"
#include "../proof_counts.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using namespace std::chrono_literals;
using facilities::Wait;
using facilities::Waiting;

std::uint64_t rounds() { return proof::long_form() ? 50 : 1; }

std::int64_t jump_s() {
  return static_cast<std::int64_t>(proof::number_from_environment("SIGNALBOX_CLOCK_JUMP_S", 0));
}

void move_wall_clock(std::int64_t seconds) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  now.tv_sec += seconds;
  EXPECT_EQ(::clock_settime(CLOCK_REALTIME, &now), 0) << "it may not be set here";
}

void move_there_and_back(std::int64_t seconds) {
  move_wall_clock(seconds);
  std::this_thread::sleep_for(20ms);  // so that the wait is asleep while the clock is wrong
  move_wall_clock(-seconds);
}

class WallClock : public testing::TestWithParam<Wait> {
 protected:
  void SetUp() override {
    ASSERT_NE(jump_s(), 0) << "sets the machine's clock: name the jump in SIGNALBOX_CLOCK_JUMP_S";
    ::alarm(120);  // a wait that never ends is a failed test
  }
  void TearDown() override { ::alarm(0); }
  facilities::Ground ground;
  signalbox::ScratchDomain domain;
};

TEST_P(WallClock, EndsNoWaitEarlyOrLate) {
  for (std::uint64_t round = 0; round < rounds(); ++round) {
    for (const std::int64_t way : {jump_s(), -jump_s()}) {
      const Waiting waiting = GetParam().prepare(ground);
      facilities::expect_deadline_kept(waiting, [&] { move_there_and_back(way); });
    }
  }
  proof::count({{"tries", 2 * rounds()}, {"lost", HasFailure() ? 1U : 0U}});
}

std::vector<Wait> facilities_waits() {
  facilities::enter_own_name_spaces();
  return facilities::joined<Wait>({facilities::event_waits(), facilities::lock_waits(),
                                   facilities::queue_waits(), facilities::socket_waits(),
                                   facilities::stream_waits()});
}

const auto name_of = [](const auto& which) { return std::string(which.param.name); };
INSTANTIATE_TEST_SUITE_P(Os, WallClock, testing::ValuesIn(facilities_waits()), name_of);
INSTANTIATE_TEST_SUITE_P(Own, WallClock, testing::ValuesIn(facilities::own_waits()), name_of);

}  // namespace
