// condition.hpp: a condition between processes, to be waited for under a mutex of lock.hpp.
//
// Named and made as a mutex is. Use one condition with one mutex; look at what you wait for after
// each wait, because a wait may also end for nothing.
//
//   Lives     while anybody has it open
//   Threads   any: all threads of a process may share a handle
//   Crash     when a process that has it open dies all waiters wake and look again: nothing that
//             the dead one was told, or had still to tell, is lost
//   Fork      a child's copies of handles answer wrong_process
//   Limits    256 waiters and processes that have it open together; one descriptor and 17 KiB,
//             and what a process's first lock takes (lock.hpp)
//   Pollable  no: what it tells is only true under the mutex
//   Manual    futex(2)
#pragma once

#include <memory>
#include <string_view>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox {

namespace sync {
class ConditionCore;
}

// Move-only, false when moved from: wait() answers bad_argument then, and nobody is notified.
class Condition {
 public:
  explicit operator bool() const noexcept { return core_ != nullptr; }
  // The condition of that name, made if nobody has it open. Enters the kernel.
  // Errors: as Mutex::open(); limit_reached also if 256 wait for it or have it open.
  static Result<Condition> open(std::string_view name, std::string_view domain = {});

  // Gives the mutex back, sleeps until it is notified or the deadline passes, and takes the mutex
  // again, however long that lasts. Answers the guard, whichever it was: look at what you wait for.
  // An owner of the mutex may have died meanwhile, so it comes as Recovered. With an error the
  // guard is gone. Enters the kernel. Errors: bad_argument (the guard is empty), limit_reached
  // (256 wait or have it open: it did not wait), wrong_process, damaged.
  Result<Recovered<MutexGuard>> wait(MutexGuard guard, Deadline deadline,
                                     os::OnSignal on_signal = os::OnSignal::go_on);

  // Wakes the one who has waited longest, or all. Best under the mutex. Enters the kernel only if
  // somebody waits.
  void notify_one() noexcept;
  void notify_all() noexcept;

 private:
  explicit Condition(std::shared_ptr<sync::ConditionCore> core) noexcept : core_(std::move(core)) {}
  std::shared_ptr<sync::ConditionCore> core_;
};

}  // namespace signalbox
