#include "deadline_kept.hpp"

#include <gtest/gtest.h>
#include <time.h>

#include <chrono>
#include <thread>

namespace facilities {

namespace {

using namespace std::chrono_literals;
using signalbox::Deadline;
using signalbox::Errc;

constexpr std::int64_t kLateMax_ns = 50'000'000;

// When a plain sleep to that moment ends.
std::int64_t sleep_until(Deadline deadline) {
  const timespec until{.tv_sec = deadline.monotonic_ns() / 1'000'000'000,
                       .tv_nsec = deadline.monotonic_ns() % 1'000'000'000};
  ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
  return signalbox::monotonic_now_ns();
}

}  // namespace

bool is_unchanged(const Waiting& waiting) {
  return !waiting.is_unchanged || waiting.is_unchanged();
}

void expect_deadline_kept(const Waiting& waiting, const std::function<void()>& meanwhile) {
  std::int64_t later_ns = INT64_MAX;
  for (int attempt = 0; attempt < 5 && later_ns > kLateMax_ns; ++attempt) {
    const Deadline deadline = Deadline::after(60ms);
    std::int64_t control_ns = 0;
    std::jthread control([&] { control_ns = sleep_until(deadline); });
    std::jthread other([&] {
      if (meanwhile) meanwhile();
    });
    const auto ended = waiting.wait(deadline, signalbox::os::OnSignal::go_on);
    const std::int64_t now = signalbox::monotonic_now_ns();
    control.join();
    ASSERT_FALSE(ended.has_value()) << "it got what is not there";
    ASSERT_EQ(ended.error().code, Errc::timed_out) << ended.error().text;
    ASSERT_GE(now, deadline.monotonic_ns()) << "it ended early";
    ASSERT_TRUE(is_unchanged(waiting)) << "after a deadline";
    later_ns = now - control_ns;
  }
  EXPECT_LE(later_ns, kLateMax_ns) << "later than an undisturbed sleep, five times";
}

}  // namespace facilities
