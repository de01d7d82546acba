#include "signalbox/os/child.hpp"

#include <sys/wait.h>

#include <cerrno>

#include "os/failure.hpp"
#include "os/process.hpp"

namespace signalbox::os {

namespace {

constexpr idtype_t kByPidfd = static_cast<idtype_t>(3);  // P_PIDFD: glibc names it since 2.36 only

}  // namespace

Result<Child> Child::watch(int pid) {
  if (pid <= 0) {
    return std::unexpected(
        Error{Errc::not_found,
              0,
              {},
              "cannot watch process " + std::to_string(pid) + ": a process has a number above 0."});
  }
  auto pidfd = open_pidfd(static_cast<std::uint32_t>(pid));
  if (!pidfd) {
    if (pidfd.error().sys_errno == ESRCH) pidfd.error().code = Errc::not_found;
    return std::unexpected(std::move(pidfd.error()));
  }
  Child made;
  made.fd_ = std::move(*pidfd);
  return made;
}

Result<std::optional<ChildEnd>> Child::take() {
  siginfo_t info{};
  if (::waitid(kByPidfd, static_cast<id_t>(fd_.get()), &info, WEXITED | WNOHANG) != 0) {
    Error error = failure(errno, "waitid", "learn how a child ended");
    if (error.sys_errno == ECHILD) error.code = Errc::not_found;
    return std::unexpected(std::move(error));
  }
  if (info.si_pid == 0) return std::optional<ChildEnd>();
  return ChildEnd{.by_signal = info.si_code != CLD_EXITED, .status = info.si_status};
}

}  // namespace signalbox::os
