// signal_facts.hpp: what the kernel tells of a signal, as a Signal.
//
//   Threads  any, also in a handler     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <csignal>

#include "signalbox/os/signals.hpp"

namespace signalbox::os {

inline Signal signal_from(const siginfo_t& info) noexcept {
  const bool has_sender = info.si_code == SI_USER || info.si_code == SI_QUEUE ||
                          info.si_code == SI_TKILL || info.si_code == SI_MESGQ ||
                          info.si_signo == SIGCHLD;
  const bool has_value = info.si_code == SI_QUEUE || info.si_code == SI_MESGQ ||
                         info.si_code == SI_TIMER || info.si_code == SI_ASYNCIO;
  return {.number = info.si_signo,
          .pid = has_sender ? static_cast<std::uint32_t>(info.si_pid) : 0,
          .uid = has_sender ? info.si_uid : 0,
          .has_value = has_value,
          .value = has_value ? info.si_value.sival_int : 0};
}

}  // namespace signalbox::os
