// signal_storm.hpp: for tests: a signal handler that runs a thousand times a second in this thread,
// and a wait under it that must keep its deadline.
//
//   Threads  one storm at a time, in the thread that made it     Crash  nothing to lose
//   Fork     a child has no timer     Limits  none
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"

namespace signalbox::os::test {

class SignalStorm {
 public:
  // `flags`: SA_RESTART, or 0.
  explicit SignalStorm(int flags) {
    handled().store(0);
    struct sigaction action{};
    action.sa_handler = [](int) { handled().fetch_add(1); };
    action.sa_flags = flags;
    ::sigaction(SIGUSR1, &action, &before_);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGUSR1;
    event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
    made_ = ::timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
    const itimerspec every{.it_interval = {0, 1'000'000}, .it_value = {0, 1'000'000}};
    made_ = made_ && ::timer_settime(timer_, 0, &every, nullptr) == 0;
  }
  ~SignalStorm() {
    ::timer_delete(timer_);
    ::sigaction(SIGUSR1, &before_, nullptr);
  }
  SignalStorm(const SignalStorm&) = delete;
  SignalStorm& operator=(const SignalStorm&) = delete;

  bool made() const { return made_; }
  static std::atomic<int>& handled() {
    static std::atomic<int> count{0};
    return count;
  }

 private:
  timer_t timer_{};
  struct sigaction before_{};
  bool made_ = false;
};

// ThreadSanitizer lets the kernel interrupt a wait, and puts the handler itself off until a call
// that it knows.
constexpr int handlers_seen(int count) {
#if defined(__SANITIZE_THREAD__)
  return count * 0;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
  return count * 0;
#else
  return count;
#endif
#else
  return count;
#endif
}

// `wait`, which nobody will ever satisfy, must end with timed_out at its deadline and not before,
// however many handlers ran. How late it may be is judged by the best of five attempts.
template <class Wait>
void expect_deadline_kept(int flags, Wait wait) {
  std::int64_t late_ns = INT64_MAX;
  for (int attempt = 0; attempt < 5 && late_ns > 50'000'000; ++attempt) {
    const SignalStorm storm(flags);
    ASSERT_TRUE(storm.made());
    const Deadline deadline = Deadline::after(std::chrono::milliseconds(60));
    const auto ended = wait(deadline);
    const std::int64_t now = monotonic_now_ns();
    ASSERT_FALSE(ended.has_value());
    ASSERT_EQ(ended.error().code, Errc::timed_out) << ended.error().text;
    ASSERT_GE(now, deadline.monotonic_ns()) << "it ended early";
    // On a machine with much else to do there are few in 60 ms: signals that wait become one.
    ASSERT_GE(SignalStorm::handled().load(), handlers_seen(1));
    late_ns = now - deadline.monotonic_ns();
  }
  // Five times in a row is no load, it is a wait that starts anew after each signal.
  EXPECT_LE(late_ns, 50'000'000);
}

// `wait` was asked to give up: it ends with `interrupted` long before its deadline.
template <class Wait>
void expect_given_up(int flags, Wait wait) {
  const SignalStorm storm(flags);
  ASSERT_TRUE(storm.made());
  const Deadline watchdog = Deadline::after(std::chrono::seconds(20));
  const auto ended = wait(watchdog);
  ASSERT_FALSE(ended.has_value());
  EXPECT_EQ(ended.error().code, Errc::interrupted) << ended.error().text;
  EXPECT_EQ(ended.error().sys_errno, EINTR);
  EXPECT_GE(SignalStorm::handled().load(), handlers_seen(1));
}

}  // namespace signalbox::os::test
