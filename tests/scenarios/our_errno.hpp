// our_errno.hpp: how errors of ours are held against the kernel's: the one place where a rule of
// ours that differs on purpose is translated. The others are values: "false: it would have had to
// wait", "empty: there is none", the end of a file, which actors answer as the kernel does.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <cerrno>
#include <stdexcept>

#include "signalbox/error.hpp"

namespace signalbox::scenarios {

// The errno that an error tells. Where no call was to blame, because ours saw it coming, the one
// that the kernel would have answered.
inline int errno_of(const Error& error) {
  // A wait of ours that sleeps in poll() tells what its last try was answered, EAGAIN. Calls of the
  // kernel's that take a deadline say ETIMEDOUT, but for this one, which says EAGAIN itself.
  if (error.code == Errc::timed_out && error.call != "semtimedop") return ETIMEDOUT;
  if (error.sys_errno != 0) return error.sys_errno;
  switch (error.code) {
    case Errc::would_block:
      return EAGAIN;
    case Errc::timed_out:
      return ETIMEDOUT;
    case Errc::interrupted:
      return EINTR;
    case Errc::bad_argument:
    case Errc::bad_name:
      return EINVAL;
    case Errc::not_found:
      return ENOENT;
    case Errc::already_exists:
      return EEXIST;
    case Errc::closed:
      return EPIPE;
    case Errc::removed:
      return EIDRM;
    case Errc::would_deadlock:
      return EDEADLK;
    default:
      throw std::runtime_error("an error without errno: " + error.text);
  }
}

}  // namespace signalbox::scenarios
