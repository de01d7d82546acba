// poll_set.hpp: one sleep on many descriptors (epoll), which can be ended from elsewhere (eventfd).
//
//   Threads  one at a time; wake() from any, and from a signal handler
//   Crash    nothing to lose
//   Fork     a child shares the kernel's object: it must not call anything but the destructor
//   Limits   RLIMIT_NOFILE (2), /proc/sys/fs/epoll/max_user_watches
//   Manual   epoll(7) eventfd(2)
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <vector>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

struct PollEvent {
  std::uint64_t mark;
  Events events;
};

// Which open file a number stands for, as far as the kernel tells: enough to see that a number was
// given out again for another kind of thing.
struct OpenFile {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool operator==(const OpenFile&) const noexcept = default;
};
OpenFile open_file_of(int fd) noexcept;

class PollSet {
 public:
  static constexpr std::uint64_t wake_mark = UINT64_MAX;

  // Room for so many events of one wait.
  static Result<PollSet> create(std::size_t events_max);
  // Errors: already_exists, bad_argument (not open), not_supported (cannot be polled), and the
  // kernel's.
  Result<void> add(int fd, Events events, std::uint64_t mark);
  // Of a number that is not in it: nothing.
  void remove(int fd) noexcept;
  // Empties the set, also of descriptors whose numbers were closed while a copy stayed open.
  Result<void> start_over();

  // Sleeps until something is readable or so. Empty: the deadline passed, a signal handler ran, or
  // wake() was called.
  Result<std::span<const PollEvent>> wait(Deadline deadline);
  void wake() const noexcept;

 private:
  Fd epoll_;
  Fd wake_;
  std::vector<epoll_event> raw_;
  std::vector<PollEvent> events_;
};

}  // namespace signalbox::os
