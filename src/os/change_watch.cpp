#include "os/change_watch.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <memory>
#include <new>
#include <optional>
#include <utility>

#include "os/failure.hpp"
#include "os/monotonic.hpp"

namespace signalbox::os {

namespace {

constexpr std::int64_t kFirstLookNs = 1'000'000;
constexpr std::int64_t kLastLookNs = kFirstLookNs * 32 * 32 * 32;

Result<void> add_readable(const Fd& epoll, const Fd& fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd.get(), &event) == 0) return {};
  return std::unexpected(failure(errno, "epoll_ctl", "watch for changes"));
}

struct Kept {
  LifeFd inotify;
  unsigned generation = fork_generation();
};
std::atomic<Kept*> the_kept{nullptr};

std::optional<LifeFd> take_kept() noexcept {
  const std::unique_ptr<Kept> kept(the_kept.exchange(nullptr));
  // The parent's was closed in the child.
  if (kept == nullptr || kept->generation != fork_generation()) return std::nullopt;
  return std::move(kept->inotify);
}

}  // namespace

void ChangeWatch::keep_for_the_next(int directory) noexcept {
  unwatch_directory(directory);
  drain();  // whoever is next is not told of what was here
  auto* const kept = new (std::nothrow) Kept{.inotify = std::move(inotify_)};
  Kept* none = nullptr;
  if (kept != nullptr && !the_kept.compare_exchange_strong(none, kept)) delete kept;
}

Result<ChangeWatch> ChangeWatch::create() {
  ChangeWatch made;
  made.epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!made.epoll_.is_open()) {
    return std::unexpected(failure(errno, "epoll_create1", "watch for changes"));
  }
  if (auto kept = take_kept()) {
    made.inotify_ = std::move(*kept);
  } else {
    Fd fresh(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!fresh.is_open()) {
      return std::unexpected(failure(errno, "inotify_init1", "watch for changes"));
    }
    made.inotify_ = LifeFd(std::move(fresh));
  }
  made.pending_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!made.pending_.is_open()) {
    return std::unexpected(failure(errno, "eventfd", "watch for changes"));
  }
  made.timer_ = Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!made.timer_.is_open()) {
    return std::unexpected(failure(errno, "timerfd_create", "watch for changes"));
  }
  auto added = add_readable(made.epoll_, made.inotify_.fd());
  if (added) added = add_readable(made.epoll_, made.pending_);
  if (added) added = add_readable(made.epoll_, made.timer_);
  if (!added) return std::unexpected(std::move(added.error()));
  return made;
}

Result<int> ChangeWatch::watch_directory(const std::string& path) {
  constexpr std::uint32_t asked = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO |
                                  IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF |
                                  IN_ONLYDIR | IN_DONT_FOLLOW;
  const int number = ::inotify_add_watch(inotify_.fd().get(), path.c_str(), asked);
  if (number >= 0) return number;
  Error error = failure(errno, "inotify_add_watch", "watch directory " + path);
  // The kernel says ENOSPC of its own table, not of any file system.
  if (error.sys_errno == ENOSPC) {
    error.code = Errc::limit_reached;
    error.text = "cannot watch directory " + path +
                 ": this user has as many inotify watches as are allowed. Raise "
                 "/proc/sys/fs/inotify/max_user_watches.";
  }
  return std::unexpected(std::move(error));
}

void ChangeWatch::unwatch_directory(int number) noexcept {
  ::inotify_rm_watch(inotify_.fd().get(), number);
}

void ChangeWatch::set_pending(bool pending) noexcept {
  if (pending == is_pending_) return;
  is_pending_ = pending;
  eventfd_t value = 1;
  static_cast<void>(pending ? ::eventfd_write(pending_.get(), value)
                            : ::eventfd_read(pending_.get(), &value));
}

void ChangeWatch::look_again_after(std::int64_t ns) noexcept {
  look_again_after_ns_ = ns;
  itimerspec once{};
  once.it_value = {.tv_sec = ns / 1'000'000'000, .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
  ::timerfd_settime(timer_.get(), 0, &once, nullptr);
}

bool ChangeWatch::drain() noexcept {
  std::uint64_t times = 0;
  const bool is_time = ::read(timer_.get(), &times, sizeof(times)) > 0;
  bool changed = false;
  alignas(inotify_event) char bytes[4096];
  // A bounded number of reads: whoever makes changes faster than we read them must not hold us.
  for (int i = 0; i < 64 && ::read(inotify_.fd().get(), bytes, sizeof(bytes)) > 0; ++i)
    changed = true;
  if (changed) {
    look_again_after(kFirstLookNs);
  } else if (is_time && look_again_after_ns_ < kLastLookNs) {
    look_again_after(look_again_after_ns_ * 32);
  }
  return changed || is_time;
}

Result<ChangeWatch::End> ChangeWatch::wait(Deadline deadline) {
  const timespec span = remaining(deadline);
  pollfd one{.fd = epoll_.get(), .events = POLLIN, .revents = 0};
  const int ready = ::ppoll(&one, 1, deadline.is_never() ? nullptr : &span, nullptr);
  if (ready > 0) return End::ready;
  if (ready == 0) return End::timed_out;
  if (errno == EINTR) return End::interrupted;
  return std::unexpected(failure(errno, "ppoll", "wait for changes"));
}

}  // namespace signalbox::os
