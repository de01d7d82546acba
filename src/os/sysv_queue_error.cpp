#include "os/sysv_queue_error.hpp"

#include <array>
#include <cerrno>
#include <cstdio>

#include "os/failure.hpp"
#include "os/kernel_setting.hpp"

namespace signalbox::os {

namespace {

std::string name_of(SysvKey key) {
  if (key.is_private()) return "a private message queue";
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), "0x%x", static_cast<unsigned>(key.value()));
  return "message queue " + std::string(digits.data());
}

Error gone(int id, int sys_errno, std::string_view call, std::string tried) {
  if (id < 0) {
    return failure(sys_errno, call, std::move(tried), Errc::closed,
                   "This handle is empty: it was moved from.");
  }
  return failure(sys_errno, call, std::move(tried), Errc::removed,
                 "The queue is gone: somebody removed it. Open or create it again.");
}

// What sending and receiving have in common.
Error wait_failure(int id, int sys_errno, std::string_view call, std::string tried) {
  switch (sys_errno) {
    case EIDRM:
    case EINVAL:
      return gone(id, sys_errno, call, std::move(tried));
    case EAGAIN:
      return failure(sys_errno, call, std::move(tried), Errc::timed_out,
                     "The deadline passed and the queue had no room; nothing was queued.");
    case ENOMSG:
      return failure(sys_errno, call, std::move(tried), Errc::timed_out,
                     "The deadline passed and no message came that the filter lets through.");
    case EINTR:
      return failure(sys_errno, call, std::move(tried), Errc::interrupted,
                     "A signal handler ran and the caller asked to be told; nothing changed.");
    case EACCES:
      return failure(sys_errno, call, std::move(tried), Errc::permission_denied,
                     "To send needs the right to write, to receive that to read: see `ipcs -q`.");
    case ENOSYS:
      return failure(sys_errno, call, std::move(tried), Errc::not_supported,
                     "This kernel was built without CONFIG_CHECKPOINT_RESTORE and copies none.");
    default:
      return failure(sys_errno, call, std::move(tried));
  }
}

}  // namespace

Error queue_open_error(int sys_errno, SysvKey key) noexcept {
  return detail::explained(code_of(sys_errno), [&] {
    std::string tried = "open " + name_of(key);
    const std::string_view call = "msgget";
    switch (sys_errno) {
      case ENOSPC:
        return failure(sys_errno, call, std::move(tried), Errc::no_space,
                       "The limit MSGMNI (/proc/sys/kernel/msgmni) allows " +
                           said(kernel_setting("/proc/sys/kernel/msgmni")) +
                           " queues and all exist: `ipcs -q` lists them, `ipcrm` removes one, "
                           "`sysctl kernel.msgmni` raises the limit.");
      case ENOENT:
        return failure(sys_errno, call, std::move(tried), Errc::not_found,
                       "Nobody has created it in this interprocess name space, or it was removed.");
      case EEXIST:
        return failure(sys_errno, call, std::move(tried), Errc::already_exists,
                       "Open it instead, or remove() it first; `ipcs -q` lists the queues.");
      case EACCES:
        return failure(sys_errno, call, std::move(tried), Errc::permission_denied,
                       "Its owner has not given you these rights: see `ipcs -q`.");
      default:
        return failure(sys_errno, call, std::move(tried));
    }
  });
}

Error private_queue_error() noexcept {
  return detail::explained(Errc::bad_argument, [] {
    return Error{Errc::bad_argument,
                 0,
                 {},
                 "cannot open a private message queue: it has no key. Create it, tell its id() to "
                 "those who share it, and let them attach() to it."};
  });
}

Error no_queue_error(int id) noexcept {
  return detail::explained(Errc::not_found, [&] {
    return Error{Errc::not_found,
                 0,
                 {},
                 "cannot attach to message queue " + std::to_string(id) + ": an id is 0 or more."};
  });
}

Error queue_send_error(int sys_errno, int id, long type, std::size_t bytes) noexcept {
  return detail::explained(code_of(sys_errno), [&] {
    std::string tried =
        "send " + std::to_string(bytes) + " bytes to message queue " + std::to_string(id);
    if (sys_errno == EINVAL && type < 1) {
      return failure(sys_errno, "msgsnd", std::move(tried), Errc::bad_argument,
                     "Its type is " + std::to_string(type) + "; use 1 or more.");
    }
    const long most = kernel_setting("/proc/sys/kernel/msgmax");
    if (sys_errno == EINVAL && most >= 0 && bytes > static_cast<std::size_t>(most)) {
      return failure(sys_errno, "msgsnd", std::move(tried), Errc::too_large,
                     "The limit MSGMAX (/proc/sys/kernel/msgmax) allows " + said(most) +
                         " bytes in a message: send less, or raise it with `sysctl "
                         "kernel.msgmax`.");
    }
    return wait_failure(id, sys_errno, "msgsnd", std::move(tried));
  });
}

Error queue_receive_error(int sys_errno, int id, std::size_t room) noexcept {
  return detail::explained(code_of(sys_errno), [&] {
    std::string tried = "receive from message queue " + std::to_string(id);
    if (sys_errno == E2BIG) {
      return failure(sys_errno, "msgrcv", std::move(tried), Errc::too_large,
                     "The next message is longer than the buffer of " + std::to_string(room) +
                         " bytes and stays in the queue: give more room, or TooLong::cut_off.");
    }
    return wait_failure(id, sys_errno, "msgrcv", std::move(tried));
  });
}

Error queue_filter_error(long type) noexcept {
  return detail::explained(Errc::bad_argument, [&] {
    return Error{
        Errc::bad_argument,
        0,
        {},
        "cannot receive messages of type " + std::to_string(type) + ": types are 1 and above."};
  });
}

Error queue_control_error(int sys_errno, int id, std::string_view tried_of) noexcept {
  return detail::explained(code_of(sys_errno), [&] {
    std::string tried = std::string(tried_of) + " of message queue " + std::to_string(id);
    switch (sys_errno) {
      case EIDRM:
      case EINVAL:
        return gone(id, sys_errno, "msgctl", std::move(tried));
      case EACCES:
      case EPERM:
        return failure(sys_errno, "msgctl", std::move(tried), Errc::permission_denied,
                       "Looking needs the right to read the queue; it is changed and removed by "
                       "its owner and creator only.");
      default:
        return failure(sys_errno, "msgctl", std::move(tried));
    }
  });
}

}  // namespace signalbox::os
