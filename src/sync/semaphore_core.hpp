// semaphore_core.hpp: a semaphore as one process has it open.
//
//   Threads  any
//   Crash    recover() frees each unit of the dead
//   Fork     token() is 0 in a child
//   Limits   shared_object.hpp
#pragma once

#include "shm/units.hpp"
#include "signalbox/semaphore.hpp"
#include "sync/shared_object.hpp"

namespace signalbox::sync {

class SemaphoreCore final : public SharedObject {
 public:
  explicit SemaphoreCore(OpenObject&& opened);

  // Takes a unit for `next`: under our name, or for good.
  enum class Next { held, absent };
  Result<std::uint32_t> take(Next next, Deadline deadline, os::OnSignal on_signal);
  Result<std::uint32_t> try_take(Next next);
  Result<void> post();
  void give_back(std::uint32_t unit) noexcept;
  void use_up(std::uint32_t unit) noexcept;
  std::uint32_t value() const noexcept { return shm::free_units(units_); }

  void recover(RollCall& roll) noexcept override;
  shm::Line<Atomics>& line() noexcept override { return units_.state.line; }
  bool is_free() const noexcept override;
  void announce() noexcept override { shm::announce_waiting(units_); }
  bool is_held_here() const noexcept override;
  bool is_as_made() const noexcept override { return true; }

 private:
  std::uint64_t word_for(Next next) const noexcept {
    return next == Next::held ? shm::unit_held_by(token()) : shm::unit_absent;
  }
  std::uint32_t take_if_free(Next next) noexcept;
  shm::Turn attempt(Next next, std::uint32_t place, std::uint32_t& unit) noexcept;
  Result<std::uint32_t> take_slowly(Next next, Deadline deadline, os::OnSignal on_signal);

  shm::Units<Atomics> units_;
  // Where the last unit was found or given back: it is likely to be free.
  std::atomic<std::uint32_t> hint_;
};

}  // namespace signalbox::sync
