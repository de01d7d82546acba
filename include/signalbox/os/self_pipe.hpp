// os/self_pipe.hpp: from a signal handler into the event loop: a byte in a pipe to oneself.
//
// For handlers that somebody else installs, or that must stay handlers. Programs that decide
// themselves take their signals by os/signals.hpp, which needs no handler.
//
//   Lives     until it is destroyed; no handler may use it then
//   Threads   notify() from any thread and from signal handlers, take() by one thread at a time
//   Crash     nothing to lose
//   Fork      a child shares it until it execs: what one takes, the other does not see
//   Limits    RLIMIT_NOFILE (2); bytes beyond the pipe's capacity, 65,536, are dropped: it is
//             readable all the same
//   Pollable  yes
//   Manual    pipe(7) signal-safety(7)
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

class SelfPipe {
 public:
  // Errors: limit_reached (descriptors), system.
  static Result<SelfPipe> create();

  // Makes it readable; `note` is yours, the signal's number, say. Never waits, keeps errno, and is
  // async-signal-safe. Enters the kernel.
  void notify(std::uint8_t note) const noexcept;

  // The next note; empty: none. Enters the kernel.
  std::optional<std::uint8_t> take() const noexcept;

  // Ready while take() would find one.
  Waitable waitable() const noexcept { return Waitable::descriptor(in_.get()); }

 private:
  SelfPipe(Fd in, Fd out) noexcept : in_(std::move(in)), out_(std::move(out)) {}
  Fd in_;
  Fd out_;
};

}  // namespace signalbox::os
