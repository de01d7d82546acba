// os/signal_handler.hpp: a function that interrupts the program when a signal comes.
//
// It runs between any two instructions of any thread that does not block the signal. So it may call
// only what signal-safety(7) lists, touch only lock-free atomics, and must not throw: no memory, no
// locks, no printing. What is safe here says so: SelfPipe::notify(), EventFd::add(),
// WaitSet::wake(). Taking signals as messages (os/signals.hpp) has none of these limits, and is
// better for all but faults and interrupted waits.
//
//   Lives     until its object is destroyed, which installs what was there before
//   Threads   one handler a signal for the whole process; install and destroy from one thread at a
//             time, and in the opposite order where several are for one signal
//   Crash     nothing to lose
//   Fork      a child has it too; exec brings the default back
//   Limits    none
//   Pollable  no: os/self_pipe.hpp makes it so
//   Manual    sigaction(2) signal-safety(7)
#pragma once

#include <span>
#include <utility>

#include "signalbox/error.hpp"
#include "signalbox/os/signals.hpp"

namespace signalbox::os {

struct HandlerOptions {
  // Calls that the signal interrupts go on where the kernel can (signal(7) lists them); otherwise
  // they answer EINTR.
  bool restarts_calls = true;
  bool is_once = false;                   // the default is back when it runs
  bool on_alternate_stack = false;        // where the thread has one: sigaltstack(2)
  bool ignores_stopped_children = false;  // for SIGCHLD: only ends are told
  bool may_nest = false;                  // the signal may interrupt its own handler
  std::span<const int> blocked{};         // besides itself, while it runs
};

class SignalHandler {
 public:
  using Function = void (*)(const Signal& signal) noexcept;

  // Errors: bad_argument (no such signal, or one that cannot be handled: SIGKILL, SIGSTOP).
  static Result<SignalHandler> install(int number, Function function,
                                       const HandlerOptions& options);
  static Result<SignalHandler> install(int number, Function function) {
    return install(number, function, HandlerOptions{});
  }
  // The signal is ignored while the object lives, also by programs that are started meanwhile.
  static Result<SignalHandler> ignore(int number);

  SignalHandler(SignalHandler&& other) noexcept : before_(std::exchange(other.before_, nullptr)) {}
  SignalHandler& operator=(SignalHandler&& other) noexcept {
    SignalHandler old(std::move(*this));
    before_ = std::exchange(other.before_, nullptr);
    return *this;
  }
  ~SignalHandler();

 private:
  struct Before;
  explicit SignalHandler(Before* before) noexcept : before_(before) {}
  static Result<SignalHandler> put(int number, Function function, const HandlerOptions& options);
  Before* before_;
};

}  // namespace signalbox::os
