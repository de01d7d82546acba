// change_watch.hpp: one descriptor that tells of changed directories.
//
//   Threads  one at a time
//   Crash    nothing to lose
//   Fork     a child shares the kernel's objects: it must call nothing but the destructor
//   Limits   four descriptors, /proc/sys/fs/inotify/max_user_instances and max_user_watches
//   Manual   inotify(7) epoll(7)
#pragma once

#include <string>

#include "os/file.hpp"
#include "os/process.hpp"
#include "signalbox/deadline.hpp"

namespace signalbox::os {

class ChangeWatch {
 public:
  static Result<ChangeWatch> create();

  // Readable while something was not drained yet, or while pending is set.
  int get() const noexcept { return epoll_.get(); }

  // Tells when a name comes or goes in this directory, when the last writer of a file in it is
  // gone, and when the directory itself goes. Answers its number, the same one each time. Errors:
  // not_found, permission_denied, limit_reached, system.
  Result<int> watch_directory(const std::string& path);
  void unwatch_directory(int number) noexcept;
  void set_pending(bool pending) noexcept;
  // Before the end of one that watches this directory alone: keeps the kernel's instance for the
  // next create() of this process. To end one the kernel waits 10 to 20 ms, on a busy machine up to
  // a second. One is kept; a forked child has none.
  void keep_for_the_next(int directory) noexcept;

  // Was there anything but `pending`? What exactly changed is not told, so an overflowing queue is
  // nothing special. The kernel tells that a writer is gone a few instructions before it drops the
  // writer's locks, and somebody may be interrupted there; so after each change it answers true
  // four times more, after 1 ms, 32 ms, 1 s and 32 s.
  bool drain() noexcept;
  enum class End { ready, timed_out, interrupted };
  Result<End> wait(Deadline deadline);

 private:
  void look_again_after(std::int64_t ns) noexcept;
  Fd epoll_;
  LifeFd inotify_;
  Fd pending_;
  Fd timer_;
  std::int64_t look_again_after_ns_ = 0;
  bool is_pending_ = false;
};

}  // namespace signalbox::os
