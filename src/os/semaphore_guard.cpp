#include "signalbox/os/semaphore_guard.hpp"

#include <algorithm>

#include "os/process.hpp"

namespace signalbox::os {

SemaphoreGuard::SemaphoreGuard(int set_id, std::span<const SemOp> give_back) noexcept
    : set_id_(set_id),
      generation_(fork_generation()),
      count_(static_cast<unsigned>(give_back.size())) {
  std::ranges::copy(give_back, give_back_.begin());
}

Result<SemaphoreGuard> SemaphoreGuard::enter(SemaphoreSet& set, std::uint16_t index,
                                             Deadline deadline, OnSignal on_signal) {
  auto entered = set.apply({undo_on_exit(take(index))}, deadline, on_signal);
  if (!entered) return std::unexpected(std::move(entered.error()));
  return SemaphoreGuard(set.id(), std::array{undo_on_exit(give(index))});
}

Result<SemaphoreGuard> SemaphoreGuard::try_enter(SemaphoreSet& set, std::uint16_t index) {
  auto entered = set.try_apply({undo_on_exit(take(index))});
  if (!entered) return std::unexpected(std::move(entered.error()));
  if (!*entered) return SemaphoreGuard();
  return SemaphoreGuard(set.id(), std::array{undo_on_exit(give(index))});
}

Result<void> SemaphoreGuard::leave() {
  const unsigned count = std::exchange(count_, 0U);
  if (count == 0) return {};
  if (generation_ != fork_generation()) {
    return std::unexpected(signalbox::detail::explained(Errc::wrong_process, [&] {
      return Error{Errc::wrong_process,
                   0,
                   {},
                   "cannot leave a section of semaphore set " + std::to_string(set_id_) +
                       ": it was entered before fork() and belongs to the parent, who leaves it."};
    }));
  }
  // Giving never sleeps.
  return SemaphoreSet(set_id_).apply(std::span(give_back_).first(count), Deadline::never());
}

}  // namespace signalbox::os
