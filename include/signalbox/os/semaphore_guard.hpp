// os/semaphore_guard.hpp: a critical section under a semaphore set, left at the end of the scope.
//
//   Lives     until it is left or destroyed, or the process ends
//   Threads   one thread at a time; may be entered by one and left by another
//   Crash     what was taken is given back when the process ends, even by SIGKILL
//   Fork      belongs to the process that entered; a child's copy gives nothing back
//   Limits    those of the set
//   Pollable  no
//   Manual    semop(2)
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "signalbox/os/semaphore_set.hpp"

namespace signalbox::os {

// Holds one unit of a semaphore that counts the free places of a section: 1 for one at a time, N
// for N at a time. The set's handle may be destroyed before.
class SemaphoreGuard {
 public:
  // Empty: holds nothing.
  SemaphoreGuard() = default;
  // Sleeps until there is a place. Errors: those of SemaphoreSet::apply(). One call.
  [[nodiscard]] static Result<SemaphoreGuard> enter(SemaphoreSet& set, std::uint16_t index,
                                                    Deadline deadline,
                                                    OnSignal on_signal = OnSignal::go_on);
  // Never sleeps; empty when there is no place. One call.
  [[nodiscard]] static Result<SemaphoreGuard> try_enter(SemaphoreSet& set, std::uint16_t index);

  SemaphoreGuard(SemaphoreGuard&& other) noexcept { take_over(other); }
  SemaphoreGuard& operator=(SemaphoreGuard&& other) noexcept {
    if (this == &other) return *this;
    (void)leave();
    take_over(other);
    return *this;
  }
  // Leaves; that the set is gone meanwhile is nobody's loss.
  ~SemaphoreGuard() {
    if (count_ != 0) (void)leave();
  }
  explicit operator bool() const noexcept { return count_ != 0; }

  // Gives back now and is empty then, whatever the answer; nothing to do where it is empty. Errors:
  // removed, wrong_process (in a forked child, whose parent still holds it). One call.
  Result<void> leave();

 private:
  friend class SetReaderWriterLock;
  // Gives these back, in one step, all of which must be marked undo_on_exit.
  SemaphoreGuard(int set_id, std::span<const SemOp> give_back) noexcept;
  void take_over(SemaphoreGuard& other) noexcept {
    set_id_ = other.set_id_;
    generation_ = other.generation_;
    give_back_ = other.give_back_;
    count_ = std::exchange(other.count_, 0U);
  }

  int set_id_ = -1;
  unsigned generation_ = 0;  // of forks
  unsigned count_ = 0;
  std::array<SemOp, 2> give_back_{};
};

}  // namespace signalbox::os
