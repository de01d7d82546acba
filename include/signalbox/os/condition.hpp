// os/condition.hpp: wait in shared memory until somebody says that something has changed.
//
//   Lives     as its memory does, or until destroy()
//   Threads   any number at a time
//   Crash     one that dies while it waits may block those who notify: see signalbox/lock.hpp
//   Fork      a child may wait and notify as well
//   Limits    all who wait at a time use one mutex
//   Pollable  no
//   Manual    pthread_cond_init(3) pthread_cond_wait(3)
#pragma once

#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/library_entry.hpp"
#include "signalbox/os/placed_memory.hpp"
#include "signalbox/os/robust_mutex.hpp"

namespace signalbox::os {

// The C library's condition variable, on the monotonic clock. It has no owner that could be told
// dead; the mutex that goes with it has. No wait here ends for a signal.
class Condition {
 public:
  using Memory = PlacedMemory<Condition>;

  // Makes one in empty memory. Error: already_exists (the memory is not empty).
  static Result<Condition> create(Memory& memory);
  // Finds it there. Error: not_found (there is none, or it is not complete yet).
  static Result<Condition> open(Memory& memory);

  Condition(Condition&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  Condition& operator=(Condition&& other) noexcept {
    memory_ = std::exchange(other.memory_, nullptr);
    return *this;
  }
  explicit operator bool() const noexcept { return memory_ != nullptr; }

  // Unlocks, sleeps until notified, and locks again before it answers, in whatever way: look
  // whether what you wait for is true, it may wake for nothing. If the holder meanwhile died, the
  // answer is success, and held.owner_died() has to be handled.
  // Errors: timed_out, bad_argument (nothing held, or owner_died() not handled yet), closed, and
  // damaged, after which nothing is held. Enters the kernel.
  Result<void> wait(RobustMutex::Held& held, Deadline deadline);
  // The same until `ready()` is true, which it looks at first, or a holder died.
  template <class Ready>
  Result<void> wait(RobustMutex::Held& held, Deadline deadline, Ready ready) {
    while (!ready()) {
      auto waited = wait(held, deadline);
      if (held && (held.owner_died() || ready())) return {};
      if (!waited) return waited;
    }
    return {};
  }

  // Wakes one of those who wait, or all. Enters the kernel only where somebody waits.
  // Error: closed.
  Result<void> notify_one() {
    if (memory_ == nullptr) [[unlikely]]
      return empty();
    library::condition_signal(memory_->object);
    return {};
  }
  Result<void> notify_all() {
    if (memory_ == nullptr) [[unlikely]]
      return empty();
    library::condition_broadcast(memory_->object);
    return {};
  }

  // Empties the memory and the handle; waits for those that were notified to have left.
  Result<void> destroy();

 private:
  explicit Condition(Memory& memory) noexcept : memory_(&memory) {}
  [[gnu::cold]] static Result<void> empty();
  Memory* memory_;
};

}  // namespace signalbox::os
