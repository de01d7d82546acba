// barrier.hpp: a place between processes where so many must have arrived before any goes on.
//
// Named and made as a mutex is, and used again and again by the same number of parties. A party is
// one call that waits, of whatever thread and process.
//
//   Lives     while anybody has it open
//   Threads   any: all threads of a process may share a handle
//   Crash     when a party dies while it waits, all who wait with it are told, once each:
//             abandoned. They may meet again, once somebody has come in its place
//   Fork      a child's copies of handles answer wrong_process
//   Limits    256 parties; one descriptor and 17 KiB a barrier, and what a process's first lock
//             takes (lock.hpp)
//   Pollable  no
//   Manual    futex(2)
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox {

namespace sync {
class BarrierCore;
}

// Move-only, false when moved from: calls answer bad_argument then.
class Barrier {
 public:
  explicit operator bool() const noexcept { return core_ != nullptr; }
  // The barrier of that name, made if nobody has it open. Enters the kernel.
  // Errors: bad_argument (parties is 0 or above 256), else as Mutex::open().
  static Result<Barrier> open(std::string_view name, std::uint32_t parties,
                              std::string_view domain = {});

  // Arrives, and waits until all have. Errors: abandoned (one of those who waited died), timed_out
  // and interrupted (it is as if we had not come), wrong_process, damaged, limit_reached (far more
  // than `parties` wait). Enters the kernel.
  Result<void> arrive_and_wait(Deadline deadline, os::OnSignal on_signal = os::OnSignal::go_on);

 private:
  explicit Barrier(std::shared_ptr<sync::BarrierCore> core) noexcept : core_(std::move(core)) {}
  std::shared_ptr<sync::BarrierCore> core_;
};

}  // namespace signalbox
