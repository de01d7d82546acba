// wait_for.hpp: the sleep of a call with a deadline, on one descriptor (ppoll).
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox::os {

// Sleeps until the descriptor has one of the asked events (POLLIN, POLLOUT), or an error or
// hang-up. `tried` is the rest of the sentence "cannot ...". Errors: timed_out, interrupted,
// system.
Result<void> wait_for(const Fd& fd, short events, Deadline deadline, OnSignal on_signal,
                      const char* tried);

}  // namespace signalbox::os
