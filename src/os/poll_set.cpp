#include "os/poll_set.hpp"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "os/failure.hpp"
#include "os/monotonic.hpp"

namespace signalbox::os {

namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

std::uint32_t asked_of_kernel(Events events) noexcept {
  std::uint32_t asked = 0;
  if (any_of(events, Events::readable)) asked |= EPOLLIN | EPOLLRDHUP;
  if (any_of(events, Events::writable)) asked |= EPOLLOUT;
  return asked;
}

Events told_by_kernel(std::uint32_t told) noexcept {
  Events events = Events::none;
  if ((told & EPOLLIN) != 0) events = events | Events::readable;
  if ((told & EPOLLOUT) != 0) events = events | Events::writable;
  if ((told & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) events = events | Events::hung_up;
  return events;
}

// Kernels before 5.11 count in milliseconds; rounding up there keeps a wait from ending early.
int epoll_until(int epoll, epoll_event* events, int events_max, Deadline deadline) noexcept {
  if (deadline == Deadline::immediate()) return ::epoll_wait(epoll, events, events_max, 0);
  const std::int64_t left = remaining_ns(deadline);
  const timespec span = timespec_of(left);
  const int ready =
      ::epoll_pwait2(epoll, events, events_max, deadline.is_never() ? nullptr : &span, nullptr);
  if (ready >= 0 || errno != ENOSYS) return ready;
  const std::int64_t ms =
      deadline.is_never() ? -1 : std::min<std::int64_t>((left + kNsPerMs - 1) / kNsPerMs, INT_MAX);
  return ::epoll_wait(epoll, events, events_max, static_cast<int>(ms));
}

}  // namespace

OpenFile open_file_of(int fd) noexcept {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return {};
  return {.device = st.st_dev, .inode = st.st_ino};
}

Result<PollSet> PollSet::create(std::size_t events_max) {
  PollSet made;
  made.wake_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!made.wake_.is_open()) {
    return std::unexpected(failure(errno, "eventfd", "make a wait set"));
  }
  made.raw_.resize(events_max + 1);
  made.events_.resize(events_max + 1);
  if (auto begun = made.start_over(); !begun) return std::unexpected(std::move(begun.error()));
  return made;
}

Result<void> PollSet::start_over() {
  Fd fresh(::epoll_create1(EPOLL_CLOEXEC));
  if (!fresh.is_open()) return std::unexpected(failure(errno, "epoll_create1", "make a wait set"));
  epoll_ = std::move(fresh);
  return add(wake_.get(), Events::readable, wake_mark);
}

Result<void> PollSet::add(int fd, Events events, std::uint64_t mark) {
  epoll_event event{};
  event.events = asked_of_kernel(events);
  event.data.u64 = mark;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return {};
  Error error = failure(errno, "epoll_ctl", "watch descriptor " + std::to_string(fd));
  if (error.sys_errno == EPERM) {
    error.code = Errc::not_supported;
    error.text =
        "cannot watch descriptor " + std::to_string(fd) +
        ": it cannot be polled (a regular file never makes anybody wait); read it instead.";
  } else if (error.sys_errno == EBADF) {
    error.code = Errc::bad_argument;
    error.text = "cannot watch descriptor " + std::to_string(fd) + ": it is not open.";
  }
  return std::unexpected(std::move(error));
}

void PollSet::remove(int fd) noexcept { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

Result<std::span<const PollEvent>> PollSet::wait(Deadline deadline) {
  const int ready = epoll_until(epoll_.get(), raw_.data(), static_cast<int>(raw_.size()), deadline);
  if (ready < 0 && errno != EINTR) {
    return std::unexpected(failure(errno, "epoll_pwait2", "sleep until a source is ready"));
  }
  std::size_t count = 0;
  for (int i = 0; i < ready; ++i) {
    const epoll_event& event = raw_[static_cast<std::size_t>(i)];
    if (event.data.u64 != wake_mark) {
      events_[count++] = {event.data.u64, told_by_kernel(event.events)};
      continue;
    }
    eventfd_t value = 0;
    static_cast<void>(::eventfd_read(wake_.get(), &value));
  }
  return std::span<const PollEvent>(events_.data(), count);
}

void PollSet::wake() const noexcept {
  const int before = errno;  // a signal handler must leave it as it was
  static_cast<void>(::eventfd_write(wake_.get(), 1));
  errno = before;
}

}  // namespace signalbox::os
