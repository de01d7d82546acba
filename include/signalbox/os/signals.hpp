// os/signals.hpp: signals as messages that are taken, instead of handlers that interrupt; and
// sending them, with a number if you like.
//
// A program that is told to read its settings anew (SIGHUP), to open its log anew after somebody
// has renamed it (SIGUSR1), and to end (SIGTERM, SIGINT) blocks these four first of all and takes
// them in its loop, where everything may be done that no handler may do:
//
//   auto signals = Signals::block({SIGHUP, SIGUSR1, SIGTERM, SIGINT}).value();
//   auto watch = set.watch(signals.waitable(), signals_came);
//   ... in the loop: while (auto signal = signals.take()) switch (signal->number) ...
//
// Where there is no loop, os/signal_thread.hpp calls a function. Handlers are
// os/signal_handler.hpp.
//
//   Lives     until it is destroyed; the signals stay blocked then, because one that arrived late
//             would end the process at that moment
//   Threads   block() changes the calling thread and those it starts later: call it in main()
//             before others start. take() by one thread at a time
//   Crash     nothing to lose
//   Fork      a child inherits the blocked signals, also through exec; there this object takes the
//             child's own
//   Limits    RLIMIT_NOFILE; of several equal standard signals that are pending only one is kept;
//             those from SIGRTMIN to SIGRTMAX queue, RLIMIT_SIGPENDING at most of this user
//   Pollable  yes
//   Manual    signalfd(2) signal(7) sigprocmask(2) sigqueue(3)
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

struct Signal {
  int number;              // SIGTERM, SIGINT, ...
  std::uint32_t pid;       // who sent it; 0: the kernel, or a process of another pid name space
  std::uint32_t uid;       // whose process that was
  bool has_value = false;  // it was sent with a value: queue_signal(), sigqueue(3)
  int value = 0;
};

class Signals {
 public:
  // From now on these signals wait to be taken here. SIGKILL and SIGSTOP cannot be, and are
  // ignored. Errors: bad_argument (no such signal), limit_reached (descriptors), system.
  static Result<Signals> block(std::initializer_list<int> numbers);

  // The next signal that came; empty: none. The lowest number comes first, and equal ones in the
  // order they were sent. Enters the kernel.
  std::optional<Signal> take() noexcept {
    kernel::SignalRecord got;
    const auto into = std::as_writable_bytes(std::span(&got, 1));
    if (kernel::read_once(fd_.get(), into) != sizeof(got)) return std::nullopt;
    const bool has_value = got.code >= -4 && got.code <= -1;  // SI_ASYNCIO to SI_QUEUE
    return Signal{.number = static_cast<int>(got.number),
                  .pid = got.pid,
                  .uid = got.uid,
                  .has_value = has_value,
                  .value = has_value ? got.value : 0};
  }
  // Sleeps until one comes. Errors: timed_out, interrupted (by the handler of another signal),
  // system.
  Result<Signal> take(Deadline deadline, OnSignal on_signal = OnSignal::go_on);

  // Ready while take() would find one.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  const Fd& fd() const noexcept { return fd_; }

 private:
  Fd fd_;
};

namespace kernel {
// The error of a signal that was refused with this negated errno.
[[gnu::cold]] Result<void> not_sent(long refused, int pid, int number);
}  // namespace kernel

// Sends a signal to a process. A number may be another process's by now: a child of yours is safer
// (os/child.hpp). Errors: not_found, permission_denied, bad_argument (no such signal, or a pid that
// would mean a group of processes), system. Enters the kernel.
inline Result<void> send_signal(int pid, int number) {
  long answer = kernel::not_made;
  if (pid > 0) [[likely]]
    answer = kernel::enter(kernel::KernelCall::kill, pid, number);
  if (answer == 0) [[likely]]
    return {};
  return kernel::not_sent(answer, pid, number);
}

// Sends it with a value. One from SIGRTMIN on comes as often as it was sent, in order. A standard
// one that is pending already swallows it, value and all. Error besides: limit_reached
// (RLIMIT_SIGPENDING: the receiver must take some first).
Result<void> queue_signal(int pid, int number, int value);

}  // namespace signalbox::os
