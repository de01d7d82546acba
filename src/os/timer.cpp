#include "signalbox/os/timer.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

timespec to_timespec(std::int64_t ns) noexcept {
  return {.tv_sec = ns / 1'000'000'000, .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
}

Result<void> start(const Fd& fd, int flags, const itimerspec& when) {
  if (::timerfd_settime(fd.get(), flags, &when, nullptr) == 0) return {};
  return std::unexpected(failure(errno, "timerfd_settime", "start a timer"));
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
  const itimerspec once{.it_interval = {},
                        .it_value = to_timespec(std::max<std::int64_t>(1, since.count()))};
  auto started = start(made->fd_, TFD_TIMER_ABSTIME, once);
  if (!started) return std::unexpected(std::move(started.error()));
  return made;
}

Result<void> Timer::set_once(Deadline at) {
  if (clock_ == Clock::wall) {
    return std::unexpected(
        Error{Errc::bad_argument,
              0,
              {},
              "cannot start a timer of the wall clock at a deadline, which is of "
              "the monotonic clock: make another one."});
  }
  itimerspec when{};
  // All zero would mean "never"; the first nanosecond after boot has passed just as well.
  if (!at.is_never()) when.it_value = to_timespec(std::max<std::int64_t>(1, at.monotonic_ns()));
  return start(fd_, TFD_TIMER_ABSTIME, when);
}

Result<void> Timer::set_every(std::chrono::nanoseconds period) {
  if (period.count() <= 0) {
    return std::unexpected(Error{Errc::bad_argument,
                                 0,
                                 {},
                                 "cannot start a timer: its period is " +
                                     std::to_string(period.count()) + " ns; use more than 0."});
  }
  const itimerspec when{.it_interval = to_timespec(period.count()),
                        .it_value = to_timespec(period.count())};
  return start(fd_, 0, when);
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
