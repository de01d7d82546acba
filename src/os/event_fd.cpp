#include "signalbox/os/event_fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <span>
#include <string>

#include "os/failure.hpp"
#include "os/readiness.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

[[gnu::cold]] Error overflow(int refused, std::uint64_t count) {
  return {Errc::out_of_range, refused, "write",
          "cannot add " + std::to_string(count) +
              " to an eventfd: the sum would be above 2^64 - 2; somebody must take first."};
}

}  // namespace

Result<EventFd> EventFd::create(Mode mode, std::uint64_t count) {
  return or_out_of_memory([&]() -> Result<EventFd> {
    if (count > count_max) return std::unexpected(overflow(EINVAL, count));
    const int flags = EFD_CLOEXEC | EFD_NONBLOCK | (mode == Mode::semaphore ? EFD_SEMAPHORE : 0);
    const bool fits = count <= UINT_MAX;
    EventFd made(Fd(::eventfd(fits ? static_cast<unsigned>(count) : 0, flags)));
    if (!made.fd_.is_open()) {
      return std::unexpected(failure(errno, "eventfd", "create an eventfd"));
    }
    // The call takes 32 bits only.
    if (!fits) {
      if (auto added = made.add(count); !added) return std::unexpected(std::move(added.error()));
    }
    return made;
  });
}

Result<EventFd> EventFd::adopt(Fd fd) {
  return or_out_of_memory([&]() -> Result<EventFd> {
    char name[64] = {};
    const std::string self = "/proc/self/fd/" + std::to_string(fd.get());
    const ssize_t got = ::readlink(self.c_str(), name, sizeof(name) - 1);
    if (got < 0 || std::string_view(name) != "anon_inode:[eventfd]") {
      return std::unexpected(Error{Errc::bad_argument, got < 0 ? errno : 0, "readlink",
                                   "cannot use descriptor " + std::to_string(fd.get()) +
                                       " as an eventfd: it is " +
                                       (got < 0 ? "not open." : std::string(name) + ".")});
    }
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
      return std::unexpected(failure(errno, "fcntl(F_SETFL)", "make an eventfd non-blocking"));
    }
    return EventFd(std::move(fd));
  });
}

Result<void> EventFd::not_added(long answer, std::uint64_t count) {
  const int refused = static_cast<int>(-answer);
  return or_out_of_memory([&]() -> Result<void> {
    if (refused == EAGAIN || refused == EINVAL) return std::unexpected(overflow(refused, count));
    return std::unexpected(failure(refused, "write", "add to an eventfd"));
  });
}

Result<void> EventFd::add(std::uint64_t count, Deadline deadline, OnSignal on_signal) const {
  for (;;) {
    const long put = kernel::write_once(fd_.get(), std::as_bytes(std::span(&count, 1)));
    if (put == sizeof(count)) return {};
    if (put != -EAGAIN) return add(count);
    // Writable means that there is room for 1: with more, look again a little later.
    const Deadline until =
        count == 1 ? deadline : std::min(deadline, Deadline::after(std::chrono::milliseconds(1)));
    const short asked = count == 1 ? POLLOUT : 0;
    const Readiness end = wait_until_ready(fd_.get(), asked, until, on_signal);
    const bool looks_again = end == Readiness::timed_out && !deadline.passed();
    if (end != Readiness::ready && !looks_again) {
      return std::unexpected(ended_wait(end, "write", "add to an eventfd"));
    }
  }
}

Result<std::uint64_t> EventFd::take_after(long answer, Deadline deadline,
                                          OnSignal on_signal) const {
  std::uint64_t count = 0;
  for (; answer != sizeof(count); answer = take_into(count)) {
    const int refused = static_cast<int>(-answer);
    if (refused != EAGAIN) {
      return or_out_of_memory([&]() -> Result<std::uint64_t> {
        return std::unexpected(failure(refused, "read", "take from an eventfd"));
      });
    }
    const Readiness end = wait_until_ready(fd_.get(), POLLIN, deadline, on_signal);
    if (end != Readiness::ready) {
      return std::unexpected(ended_wait(end, "read", "take from an eventfd"));
    }
  }
  return count;
}

}  // namespace signalbox::os
