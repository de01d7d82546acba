#include "os/event_descriptor.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

Result<void> add_readable(const Fd& epoll, const Fd& fd, std::uint64_t mark) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = mark;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) != 0) {
    return std::unexpected(failure(errno, "epoll_ctl", "watch a descriptor"));
  }
  return {};
}

constexpr std::uint64_t kFifo = 1;
constexpr std::uint64_t kTimer = 2;
constexpr std::uint64_t kProcess = 3;
constexpr long kLookEveryNs = 100'000'000;
// Deaths are looked for at every so many signals, or one who signals without end would hide them.
constexpr std::uint32_t kSignalsBetweenLooks = 16;

// True if there was anything.
bool read_all(const Fd& fd) noexcept {
  char bytes[256];
  const auto whole = static_cast<ssize_t>(sizeof(bytes));
  ssize_t got = ::read(fd.get(), bytes, sizeof(bytes));
  const bool any = got > 0;
  while (got == whole) got = ::read(fd.get(), bytes, sizeof(bytes));
  return any;
}

}  // namespace

Result<EventDescriptor> EventDescriptor::create(const Fd& directory, const std::string& fifo_name,
                                                const Rights& rights) {
  auto made = open_over_new_fifo(directory, fifo_name, rights);
  // The name is the caller's alone, so a pipe that no descriptor came of is in the way of the next
  // attempt and of nobody else.
  if (!made) unlink_file(directory, fifo_name);
  return made;
}

Result<EventDescriptor> EventDescriptor::open_over_new_fifo(const Fd& directory,
                                                            const std::string& fifo_name,
                                                            const Rights& rights) {
  if (auto made = make_fifo(directory, fifo_name, rights); !made) {
    return std::unexpected(std::move(made.error()));
  }
  auto fifo = open_signal(directory, fifo_name);
  if (!fifo) return std::unexpected(std::move(fifo.error()));
  EventDescriptor made;
  made.fifo_ = std::move(*fifo);
  made.epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!made.epoll_.is_open()) {
    return std::unexpected(failure(errno, "epoll_create1", "make a descriptor to wait on"));
  }
  if (auto added = add_readable(made.epoll_, made.fifo_, kFifo); !added) {
    return std::unexpected(std::move(added.error()));
  }
  return made;
}

Result<void> EventDescriptor::watch_process(const Fd& pidfd) {
  return add_readable(epoll_, pidfd, kProcess);
}

Result<void> EventDescriptor::watch_clock() {
  if (timer_.is_open()) return {};
  Fd timer(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  itimerspec every{};
  every.it_interval.tv_nsec = every.it_value.tv_nsec = kLookEveryNs;
  if (!timer.is_open() || ::timerfd_settime(timer.get(), 0, &every, nullptr) != 0) {
    return std::unexpected(failure(errno, "timerfd", "make a timer"));
  }
  if (auto added = add_readable(epoll_, timer, kTimer); !added) return added;
  timer_ = std::move(timer);
  return {};
}

EventDescriptor::Fired EventDescriptor::drain() noexcept {
  // A signal is what fires nearly always, so it is asked for first and alone. Whatever else fired
  // keeps the descriptor readable and is found by the next call.
  const bool was_signalled = read_all(fifo_);
  if (was_signalled && ++signals_ % kSignalsBetweenLooks != 0) return Fired::rung;
  epoll_event events[8];
  const int ready = ::epoll_wait(epoll_.get(), events, 8, 0);
  Fired fired = was_signalled || ready > 0 ? Fired::rung : Fired::nothing;
  for (int i = 0; i < ready; ++i) {
    if (events[i].data.u64 == kFifo) {
      read_all(fifo_);
      continue;
    }
    fired = Fired::other;
    if (events[i].data.u64 == kTimer) read_all(timer_);
  }
  return fired;
}

void EventDescriptor::signal_self() noexcept { send_signal(fifo_); }

Result<Fd> open_signal(const Fd& directory, const std::string& fifo_name) {
  const int fd = retried([&] {
    return ::openat(directory.get(), fifo_name.c_str(),
                    O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
  });
  if (fd < 0) return std::unexpected(failure(errno, "openat", "open named pipe " + fifo_name));
  return Fd(fd);
}

void send_signal(const Fd& fifo) noexcept {
  const char byte = 1;
  // EAGAIN means the pipe is full, and then its reader will wake anyway.
  while (::write(fifo.get(), &byte, 1) < 0 && errno == EINTR) {
  }
}

bool is_readable(const Fd& fd) noexcept {
  pollfd one{.fd = fd.get(), .events = POLLIN, .revents = 0};
  return ::poll(&one, 1, 0) > 0;
}

}  // namespace signalbox::os
