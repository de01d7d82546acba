// os/pidfd.hpp: a process that is meant and no other, however often its number is given out again.
//
//   Lives     as long as you keep it; it neither holds up nor ends the process
//   Threads   any
//   Crash     nothing to lose
//   Fork      a child shares it until it execs
//   Limits    RLIMIT_NOFILE; Linux 5.4; how it ended is told to its parent only: os/child.hpp
//   Pollable  yes
//   Manual    pidfd_open(2) pidfd_send_signal(2)
#pragma once

#include <cstdint>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

class Pidfd {
 public:
  Pidfd() = default;
  // Of the process that has this number now. It may be another than you mean, if that one has
  // ended: ask is_alive() of what you know about it afterwards, or use a child's own.
  // Errors: not_found (no such process, or only a thread's number), limit_reached (descriptors),
  // not_supported, system.
  static Result<Pidfd> open(std::uint32_t pid);
  // Takes over a pidfd that somebody has sent, or that a socket told (os/unix_socket.hpp).
  explicit Pidfd(Fd pidfd) noexcept : fd_(std::move(pidfd)) {}
  explicit operator bool() const noexcept { return fd_.is_open(); }

  // Signals this very process; 0 only asks whether that would be allowed.
  // Errors: not_found (it has ended and was waited for), permission_denied, bad_argument.
  Result<void> send_signal(int signal) const {
    const long sent = kernel::enter(kernel::KernelCall::pidfd_send_signal, fd_.get(), signal, 0, 0);
    if (sent == 0) [[likely]]
      return {};
    return not_signalled(sent, signal);
  }
  // False once it has ended, also while nobody has waited for it.
  bool is_alive() const noexcept;
  // Sleeps until it has ended. Errors: timed_out, interrupted, system.
  Result<void> wait_until_ended(Deadline deadline, OnSignal on_signal = OnSignal::go_on) const;

  // Ready once it has ended, for ever.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  const Fd& fd() const noexcept { return fd_; }
  Fd release() noexcept { return std::move(fd_); }

 private:
  [[gnu::cold]] static Result<void> not_signalled(long refused, int signal);
  Fd fd_;
};

}  // namespace signalbox::os
