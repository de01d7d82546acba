// os/on_signal.hpp: what a wait does when a signal handler has run.
//
//   Threads  a value
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

namespace signalbox::os {

// The kernel's own rules differ from call to call: it never goes on with a wait for a System V
// semaphore, and goes on with one for a POSIX semaphore where the handler was installed with
// SA_RESTART. Here every wait has the same two ways.
enum class OnSignal {
  // The wait goes on with the time that remains until its deadline. Usual, because programs take
  // their signals as messages (os/signals.hpp) in a WaitSet.
  go_on,
  // The wait ends with the error `interrupted`, and nothing has changed. A handler installed with
  // SA_RESTART ends it only where the kernel does not restart the call; signal(7) lists which.
  give_up,
};

}  // namespace signalbox::os
