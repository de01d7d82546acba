#include "signalbox/os/pidfd.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "os/failure.hpp"
#include "os/readiness.hpp"

namespace signalbox::os {

namespace {

Error not_opened(int refused, std::uint32_t pid) {
  const std::string tried = "watch process " + std::to_string(pid);
  if (refused == ESRCH) {
    return failure(refused, "pidfd_open", tried, Errc::not_found,
                   "It has ended and was waited for, or is not visible in this pid name space.");
  }
  // Linux 6.15 calls a thread that leads no process ENOENT, earlier ones EINVAL.
  if (refused == EINVAL || refused == ENOENT) {
    return failure(refused, "pidfd_open", tried, Errc::not_found,
                   "No process has that number; it may be a thread's. A process is named by its "
                   "first thread.");
  }
  return failure(refused, "pidfd_open", tried);
}

Error signal_failure(int refused, int signal) {
  const std::string tried = "send signal " + std::to_string(signal) + " to a process";
  constexpr std::string_view call = "pidfd_send_signal";
  if (refused == ESRCH) {
    return failure(refused, call, tried, Errc::not_found, "It has ended.");
  }
  if (refused == EPERM) {
    return failure(refused, call, tried, Errc::permission_denied,
                   "It belongs to another user: see kill(2) for who may.");
  }
  if (refused == EINVAL || refused == EBADF) {
    return failure(refused, call, tried, Errc::bad_argument,
                   "There is no such signal, or the Pidfd is empty.");
  }
  return failure(refused, call, tried);
}

}  // namespace

Result<Pidfd> Pidfd::open(std::uint32_t pid) {
  const int fd = static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0));
  if (fd >= 0) return Pidfd(Fd(fd));
  return std::unexpected(not_opened(errno, pid));
}

Result<void> Pidfd::not_signalled(long refused, int signal) {
  return std::unexpected(signal_failure(static_cast<int>(-refused), signal));
}

bool Pidfd::is_alive() const noexcept {
  return wait_until_ready(fd_.get(), POLLIN, Deadline::immediate(), OnSignal::go_on) ==
         Readiness::timed_out;
}

Result<void> Pidfd::wait_until_ended(Deadline deadline, OnSignal on_signal) const {
  const Readiness end = wait_until_ready(fd_.get(), POLLIN, deadline, on_signal);
  if (end == Readiness::ready) return {};
  return std::unexpected(ended_wait(end, "ppoll", "wait for the end of a process"));
}

}  // namespace signalbox::os
