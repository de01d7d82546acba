// watchdog.hpp: for tests: a deadline that only a hang reaches. Never a measure of speed.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <chrono>

#include "signalbox/deadline.hpp"

namespace signalbox {

inline Deadline watchdog() { return Deadline::after(std::chrono::seconds(30)); }

}  // namespace signalbox
