#include "file_descriptor.hpp"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace petcam {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;

Fd opened(int number, const char* call) {
  if (number < 0) throw std::system_error(errno, std::generic_category(), call);
  return Fd(number);
}

timespec to_timespec(std::int64_t ns) {
  return {static_cast<time_t>(ns / kSecondNs), static_cast<long>(ns % kSecondNs)};
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    close();
    number_ = other.release();
  }
  return *this;
}

void Fd::close() noexcept {
  if (is_open()) ::close(release());
}

Timer::Timer()
    : fd_(opened(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")) {}

void Timer::start(std::int64_t first_ns, std::chrono::nanoseconds period) {
  const itimerspec when{.it_interval = to_timespec(period.count()),
                        .it_value = to_timespec(first_ns)};
  timerfd_settime(descriptor(), TFD_TIMER_ABSTIME, &when, nullptr);
}

void Timer::start_once(std::chrono::nanoseconds from_now) {
  // A value of zero would stop the timer instead of firing it at once.
  const std::int64_t ns = std::max<std::int64_t>(1, from_now.count());
  const itimerspec when{.it_interval = {}, .it_value = to_timespec(ns)};
  timerfd_settime(descriptor(), 0, &when, nullptr);
}

void Timer::stop() {
  const itimerspec never{};
  timerfd_settime(descriptor(), 0, &never, nullptr);
}

std::uint64_t Timer::fired() {
  std::uint64_t count = 0;
  if (read(descriptor(), &count, sizeof(count)) != sizeof(count)) return 0;
  return count;
}

Poller::Poller() : fd_(opened(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

void Poller::add(int descriptor, std::uint64_t key) {
  epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = key}};
  if (epoll_ctl(fd_.number(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
}

void Poller::remove(int descriptor) { epoll_ctl(fd_.number(), EPOLL_CTL_DEL, descriptor, nullptr); }

std::span<const std::uint64_t> Poller::wait() { return poll(-1); }
std::span<const std::uint64_t> Poller::look() { return poll(0); }

std::span<const std::uint64_t> Poller::poll(int timeout_ms) {
  std::array<epoll_event, std::tuple_size_v<decltype(ready_)>> events{};
  const int count =
      epoll_wait(fd_.number(), events.data(), static_cast<int>(events.size()), timeout_ms);
  // Signals arrive through a descriptor here, so an interrupted sleep (a debugger attached, the
  // process was stopped and continued) is an empty wake-up and nothing more.
  const auto found = static_cast<std::size_t>(std::max(count, 0));
  for (std::size_t i = 0; i < found; ++i) ready_[i] = events[i].data.u64;
  return std::span(ready_).first(found);
}

Signals::Signals(std::initializer_list<int> wanted) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : wanted) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = opened(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd");
}

std::optional<int> Signals::take() {
  signalfd_siginfo info{};
  if (read(descriptor(), &info, sizeof(info)) != sizeof(info)) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

}  // namespace petcam
