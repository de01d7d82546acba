// mutex_core.hpp: a mutex as one process has it open.
//
//   Threads  any
//   Crash    recover() gives the word back in the dead owner's name
//   Fork     token() is 0 in a child
//   Limits   shared_object.hpp
#pragma once

#include "shm/lock_word.hpp"
#include "signalbox/lock.hpp"
#include "sync/shared_object.hpp"

namespace signalbox::sync {

class MutexCore final : public SharedObject {
 public:
  explicit MutexCore(OpenObject&& opened) : SharedObject(std::move(opened)), lock_(state<Lock>()) {}

  Result<Recovered<MutexGuard>> take(Deadline deadline, os::OnSignal on_signal);
  // The two halves of take(): the second only where the first did not.
  bool take_if_free() noexcept;
  Result<Recovered<MutexGuard>> take_slowly(Deadline deadline, os::OnSignal on_signal);
  Result<Recovered<MutexGuard>> try_take();
  void give_back(bool unrepaired) noexcept;
  void forget_thread() noexcept;

  void recover(RollCall& roll) noexcept override;
  shm::Line<Atomics>& line() noexcept override { return lock_.line; }
  bool is_free() const noexcept override;
  void announce() noexcept override { shm::announce_line(lock_.word); }
  bool is_held_here() const noexcept override;
  bool is_as_made() const noexcept override;

 private:
  shm::Turn wait_in_line(Deadline deadline, os::OnSignal on_signal) noexcept;
  Result<Recovered<MutexGuard>> answer(shm::Turn turn) noexcept;
  bool is_held_by_this_thread() const noexcept;

  Lock& lock_;
};

}  // namespace signalbox::sync
