// os/signal_thread.hpp: a thread that waits for signals and calls your function with each.
//
// The function runs on an ordinary thread, so it may do everything that no signal handler may.
//
//   Lives     until its object is destroyed, which waits for the function that runs; the signals
//             stay blocked then
//   Threads   start() blocks the signals in the calling thread and those it starts later: call it
//             in main() before others start. The function runs on one thread, one signal after the
//             other
//   Crash     nothing to lose
//   Fork      a child inherits the blocked signals and not the thread; the object does nothing
//             there
//   Limits    RLIMIT_NOFILE (2), RLIMIT_NPROC; what is kept of pending signals: os/signals.hpp
//   Pollable  no: os/signals.hpp is the way for event loops
//   Manual    signal(7) pthread_sigmask(3)
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>

#include "signalbox/error.hpp"
#include "signalbox/os/signals.hpp"

namespace signalbox::os {

class SignalThread {
 public:
  // The function must not throw, and must not destroy this object.
  // Errors: as Signals::block(); limit_reached (threads).
  static Result<SignalThread> start(std::initializer_list<int> numbers,
                                    std::function<void(const Signal&)> function);
  SignalThread(SignalThread&&) noexcept;
  SignalThread& operator=(SignalThread&&) noexcept;
  ~SignalThread();

 private:
  struct Loop;
  explicit SignalThread(std::unique_ptr<Loop> loop) noexcept;
  std::unique_ptr<Loop> loop_;
};

}  // namespace signalbox::os
