// Goal: a deadline that has passed, however long ago, ends a wait at once. Method: each call that
// sleeps, of the kernel's facilities and of ours, waits for what does not come, with deadlines from
// a moment ago to the least number there is, from which no clock can be subtracted.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "../facilities/deadline_kept.hpp"
#include "../facilities/joined.hpp"
#include "../facilities/own_waits.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using facilities::Wait;
using facilities::Waiting;
using signalbox::Deadline;
using signalbox::Errc;

class PassedDeadline : public testing::TestWithParam<Wait> {
 protected:
  void SetUp() override { ::alarm(30); }  // a wait that never ends is a failed test
  void TearDown() override { ::alarm(0); }
  facilities::Ground ground;
  signalbox::ScratchDomain domain;
};

TEST_P(PassedDeadline, EndsTheWaitAtOnce) {
  const std::array<std::int64_t, 6> long_gone{
      signalbox::monotonic_now_ns(), 1, 0, -1, -1'500'000'000, INT64_MIN};
  const Waiting waiting = GetParam().prepare(ground);
  for (const std::int64_t ns : long_gone) {
    const auto ended = waiting.wait(Deadline::at_ns(ns), signalbox::os::OnSignal::go_on);
    ASSERT_FALSE(ended.has_value()) << "it got what is not there, until " << ns;
    // A publisher that was given no time at all has not begun to wait.
    const Errc code = ended.error().code;
    EXPECT_TRUE(code == Errc::timed_out || code == Errc::would_block)
        << ns << ": " << ended.error().text;
    EXPECT_TRUE(facilities::is_unchanged(waiting)) << "after " << ns;
  }
}

std::vector<Wait> facilities_waits() {
  facilities::enter_own_name_spaces();
  return facilities::joined<Wait>({facilities::event_waits(), facilities::lock_waits(),
                                   facilities::queue_waits(), facilities::socket_waits(),
                                   facilities::stream_waits()});
}

// A period is a span and no deadline, so that one has none that could have passed.
std::vector<Wait> own_waits() {
  auto all = facilities::own_waits();
  std::erase_if(all, [](const Wait& wait) { return std::string(wait.name) == "WaitSetPeriod"; });
  return all;
}

const auto name_of = [](const auto& which) { return std::string(which.param.name); };
INSTANTIATE_TEST_SUITE_P(Os, PassedDeadline, testing::ValuesIn(facilities_waits()), name_of);
INSTANTIATE_TEST_SUITE_P(Own, PassedDeadline, testing::ValuesIn(own_waits()), name_of);

}  // namespace
