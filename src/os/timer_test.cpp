// Goal: timers of both clocks go off once or again and again, and tell how long they still take.
// Method: real timers; a wait is bounded by a watchdog only.
#include "signalbox/os/timer.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "os/readiness.hpp"
#include "os/test_process.hpp"

#include <poll.h>

namespace signalbox::os {
namespace {

using namespace std::chrono_literals;

std::uint64_t wait_and_take(Timer& timer) {
  const Readiness end =
      wait_until_ready(timer.fd().get(), POLLIN, Deadline::after(60s), OnSignal::go_on);
  EXPECT_EQ(end, Readiness::ready);
  return timer.take();
}

TEST(Timer, GoesOffOnceAndThenTellsThatItIsOff) {
  auto timer = must(Timer::once(Deadline::after(1ms)));
  EXPECT_EQ(wait_and_take(timer), 1U);
  EXPECT_EQ(timer.take(), 0U);
  EXPECT_FALSE(timer.remaining());
}

TEST(Timer, TellsHowLongItStillTakes) {
  auto timer = must(Timer::once(Deadline::after(1h)));
  const auto rest = timer.remaining();
  ASSERT_TRUE(rest);
  EXPECT_GT(*rest, 0ns);
  EXPECT_LE(*rest, 1h);
  must(timer.set_every(1min));
  EXPECT_LE(timer.remaining().value(), 1min);
  must(timer.set_once(Deadline::never()));
  EXPECT_FALSE(timer.remaining());
}

TEST(Timer, OfTheWallClockGoesOffAtItsTime) {
  const auto now = std::chrono::system_clock::now();
  auto timer = must(Timer::at(now + 2ms));
  EXPECT_EQ(wait_and_take(timer), 1U);
  EXPECT_GE(std::chrono::system_clock::now(), now + 2ms);
  auto passed = must(Timer::at(now - 1h));
  EXPECT_EQ(wait_and_take(passed), 1U);
  auto later = must(Timer::at(now + 2h));
  EXPECT_GT(later.remaining().value(), 1h);
}

TEST(Timer, OfTheWallClockIsNotSetToADeadline) {
  auto timer = must(Timer::at(std::chrono::system_clock::now() + 1h));
  EXPECT_EQ(timer.set_once(Deadline::after(1ms)).error().code, Errc::bad_argument);
  must(timer.set_every(1ms));
  EXPECT_GE(wait_and_take(timer), 1U);
}

}  // namespace
}  // namespace signalbox::os
