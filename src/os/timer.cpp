#include "signalbox/os/timer.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

static_assert(TFD_TIMER_ABSTIME == 1);

kernel::TimerSetting::Time time_of(std::int64_t ns) noexcept {
  return {.seconds = ns / 1'000'000'000, .nanoseconds = ns % 1'000'000'000};
}

}  // namespace

Result<Timer> Timer::make(Clock clock) {
  Timer made;
  made.clock_ = clock;
  const int number = clock == Clock::wall ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  made.fd_ = Fd(::timerfd_create(number, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!made.fd_.is_open()) return std::unexpected(failure(errno, "timerfd_create", "make a timer"));
  return made;
}

Result<Timer> Timer::once(Deadline at) {
  auto made = make(Clock::monotonic);
  if (!made) return made;
  if (auto started = made->set_once(at); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return made;
}

Result<Timer> Timer::every(std::chrono::nanoseconds period) {
  auto made = make(Clock::monotonic);
  if (!made) return made;
  if (auto started = made->set_every(period); !started) {
    return std::unexpected(std::move(started.error()));
  }
  return made;
}

Result<Timer> Timer::at(std::chrono::system_clock::time_point when) {
  auto made = make(Clock::wall);
  if (!made) return made;
  const auto since = std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch());
  auto started =
      made->start(TFD_TIMER_ABSTIME,
                  {.period = {}, .first = time_of(std::max<std::int64_t>(1, since.count()))});
  if (!started) return std::unexpected(std::move(started.error()));
  return made;
}

Result<void> Timer::not_started(long refused) {
  return std::unexpected(failure(static_cast<int>(-refused), "timerfd_settime", "start a timer"));
}

Result<void> Timer::of_the_wall_clock() {
  return std::unexpected(Error{Errc::bad_argument,
                               0,
                               {},
                               "cannot start a timer of the wall clock at a deadline, which is of "
                               "the monotonic clock: make another one."});
}

Result<void> Timer::set_every(std::chrono::nanoseconds period) {
  if (period.count() <= 0) {
    return std::unexpected(Error{Errc::bad_argument,
                                 0,
                                 {},
                                 "cannot start a timer: its period is " +
                                     std::to_string(period.count()) + " ns; use more than 0."});
  }
  return start(0, {.period = time_of(period.count()), .first = time_of(period.count())});
}

std::optional<std::chrono::nanoseconds> Timer::remaining() const noexcept {
  itimerspec now{};
  if (::timerfd_gettime(fd_.get(), &now) != 0) return std::nullopt;
  const auto rest =
      std::chrono::seconds(now.it_value.tv_sec) + std::chrono::nanoseconds(now.it_value.tv_nsec);
  if (rest.count() == 0) return std::nullopt;
  return rest;
}

}  // namespace signalbox::os
