// readiness.hpp: sleeps until one descriptor is ready, and the loop of every wrapper that tries a
// call once and sleeps only where it must.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <poll.h>

#include <cerrno>
#include <span>
#include <string_view>
#include <utility>

#include "os/failure.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox::os {

enum class Readiness { ready, timed_out, interrupted, failed };

// `events` as for poll(2). An error or a hang-up counts as ready: the call tried next tells which.
Readiness wait_until_ready(int fd, short events, Deadline deadline, OnSignal on_signal) noexcept;

// Sleeps until one of them is readable (or its peer is gone), or the deadline passes.
struct Readable {
  int fd;
  bool is_ready = false;
};
void wait_readable(std::span<Readable> entries, Deadline deadline);

// Every refusal of a call that was asked not to wait. The text lies in the string itself, so a
// program that asks again and again pays for no memory.
inline Error not_ready(std::string_view call) noexcept {
  return {Errc::would_block, EAGAIN, call, "not ready yet"};
}

// What a wait that did not end with `ready` answers.
[[gnu::cold]] Error ended_wait(Readiness end, std::string_view call, std::string_view tried);

// As try_until(), after the call was made once, with this answer and errno.
template <class Call>
auto go_on_until(decltype(std::declval<Call>()()) answer, int fd, short events, Deadline deadline,
                 OnSignal on_signal, std::string_view name, std::string_view tried, Call call)
    -> Result<decltype(call())> {
  for (;;) {
    if (answer >= 0 || errno != EAGAIN) [[likely]]
      return answer;
    const Readiness end = wait_until_ready(fd, events, deadline, on_signal);
    if (end != Readiness::ready) return std::unexpected(ended_wait(end, name, tried));
    answer = retried(call);
  }
}

// Tries `call` once, and sleeps and tries again while it is refused for want of readiness. `call`
// answers as the kernel does. What is left after this is its answer, or -1 and errno where it
// failed for another reason, or an Error of the wait.
template <class Call>
auto try_until(int fd, short events, Deadline deadline, OnSignal on_signal, std::string_view name,
               std::string_view tried, Call call) -> Result<decltype(call())> {
  return go_on_until(retried(call), fd, events, deadline, on_signal, name, tried, call);
}

}  // namespace signalbox::os
