// meeting_core.hpp: a condition and a barrier as one process has them open.
//
//   Threads  any
//   Crash    recover() takes the dead out of the line, and tells those whom it concerns
//   Fork     token() is 0 in a child
//   Limits   shared_object.hpp
#pragma once

#include "shm/barrier_word.hpp"
#include "shm/condition.hpp"
#include "signalbox/barrier.hpp"
#include "signalbox/condition.hpp"
#include "sync/shared_object.hpp"

namespace signalbox::sync {

//  256 arrivals, used, barred | 320 places
using WaitingLine = shm::Line<Atomics>;
//  256 word (8) | 320 line
using Meeting = shm::BarrierState<Atomics>;

class ConditionCore final : public SharedObject {
 public:
  explicit ConditionCore(OpenObject&& opened)
      : SharedObject(std::move(opened)),
        line_(state<WaitingLine>()),
        our_place_(shm::attend(line_, token())) {}
  ~ConditionCore() override;
  ConditionCore(const ConditionCore&) = delete;
  ConditionCore& operator=(const ConditionCore&) = delete;

  // False: the line is full, and the death of this process would not be seen.
  bool attends() const noexcept { return our_place_ != shm::no_place; }
  Error is_full(const char* tried) const noexcept;
  Result<Recovered<MutexGuard>> wait(MutexGuard guard, Deadline deadline, os::OnSignal on_signal);
  void notify_one() noexcept;
  void notify_all() noexcept;

  void recover(RollCall& roll) noexcept override;
  shm::Line<Atomics>& line() noexcept override { return line_; }
  bool is_held_here() const noexcept override { return false; }
  bool is_as_made() const noexcept override { return true; }

 private:
  WaitingLine& line_;
  std::uint32_t our_place_;
};

class BarrierCore final : public SharedObject {
 public:
  explicit BarrierCore(OpenObject&& opened)
      : SharedObject(std::move(opened)), meeting_(state<Meeting>()) {}

  Result<void> arrive_and_wait(Deadline deadline, os::OnSignal on_signal);

  void recover(RollCall& roll) noexcept override;
  shm::Line<Atomics>& line() noexcept override { return meeting_.line; }
  bool is_held_here() const noexcept override { return false; }
  bool is_as_made() const noexcept override { return true; }

 private:
  Meeting& meeting_;
};

}  // namespace signalbox::sync
