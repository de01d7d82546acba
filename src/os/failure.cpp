#include "os/failure.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cstring>

#include "base/text.hpp"
#include "os/limit_text.hpp"

namespace signalbox::os {

Errc code_of(int sys_errno) noexcept {
  switch (sys_errno) {
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::permission_denied;
    case ENOENT:
    case ENOTDIR:
      return Errc::not_found;
    case EEXIST:
      return Errc::already_exists;
    case ENOSPC:
    case EDQUOT:
      return Errc::no_space;
    case EMFILE:
    case ENFILE:
      return Errc::limit_reached;
    case ENOMEM:
      return Errc::out_of_memory;
    case EOPNOTSUPP:
    case ENOSYS:
      return Errc::not_supported;
    case EINTR:
      return Errc::interrupted;
    case EFBIG:
      return Errc::too_large;
    case ENAMETOOLONG:
      return Errc::bad_name;
    case EBADF:
      return Errc::bad_argument;
    default:
      return Errc::system;
  }
}

std::string general_advice(int sys_errno) {
  switch (sys_errno) {
    case EACCES:
    case EPERM:
      return "Run as the user who owns the domain, or set SIGNALBOX_DIR to a directory of yours.";
    case EROFS:
      return "The file system is read-only: set SIGNALBOX_DIR to a writable tmpfs directory.";
    case ENOSPC:
    case EDQUOT:
      return "Free space there (df -h, df -i), ask for less depth or smaller frames, or enlarge "
             "the tmpfs.";
    case EMFILE:
      return "This process has too many open files: " +
             limit_text(RLIMIT_NOFILE, "RLIMIT_NOFILE", "ulimit -n") + "; close some or raise it.";
    case EFBIG:
      return "A file may not be as large: " +
             limit_text(RLIMIT_FSIZE, "RLIMIT_FSIZE", "ulimit -f") +
             ", its file system has a limit of its own, and none reaches 2^63 bytes.";
    case EBADF:
      return "It was closed, moved from or given away.";
    case ENFILE:
      return "The machine has too many open files: see /proc/sys/fs/file-max.";
    case ENOMEM:
      return "Memory or address space is used up: ask for less depth or smaller frames.";
    case EOPNOTSUPP:
      return "The file system lacks what Signalbox needs: set SIGNALBOX_DIR to a tmpfs directory.";
    case ENOLCK:
      return "The machine has too many file locks: see fcntl(2).";
    case ENOSYS:
      return "This kernel does not offer it to this process; Signalbox needs Linux 5.4 or later, "
             "and a sandbox must allow the call.";
    case ENOENT:
    case EEXIST:
    case ENOTEMPTY:
      return "Somebody else may be making or removing it: try again.";
    default:
      return "Try again; if it stays, look at the kernel's log (dmesg).";
  }
}

Error failure(int sys_errno, std::string_view call, std::string tried) {
  return failure(sys_errno, call, std::move(tried), code_of(sys_errno), general_advice(sys_errno));
}

Error failure(int sys_errno, std::string_view call, std::string tried, Errc code,
              std::string_view advice) {
  std::string text = "cannot " + std::move(tried) + ": " + std::string(call) + " says " +
                     std::strerror(sys_errno) + ".";
  text.append(" ").append(advice);
  return {code, sys_errno, call, std::move(text)};
}

Error none_could_wait(int waiting_max) {
  return {Errc::bad_argument,
          0,
          {},
          "cannot listen: waiting_max is " + std::to_string(waiting_max) +
              "; use 0 or more (the kernel allows what net.core.somaxconn says)."};
}

Error zero_inside(Errc code, std::string_view verb, std::string_view text) {
  return {code,
          0,
          {},
          "cannot " + std::string(verb) + " " + shown(cut_to(text, 300)) +
              ": it holds a zero byte, behind which the kernel would read nothing."};
}

}  // namespace signalbox::os
