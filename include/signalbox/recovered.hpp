// recovered.hpp: a lock that was taken, and whether what it guards was left half changed.
//
//   Threads  a value; it belongs to the thread that took the lock
//   Crash    the lock is given back, and the next owner is told
//   Fork     a child's copy holds nothing
//   Limits   none
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

namespace signalbox {

// What taking a lock answers. The guard comes out only by saying what is to be done if the last
// owner died while he held it; a lock that is dropped instead stays marked for the next.
//
//   auto held = mutex.lock(Deadline::after(1s));
//   if (!held) return report(held.error());
//   const auto guard = std::move(*held).after([&] { table.rebuild(); });
template <class Guard>
class [[nodiscard]] Recovered {
 public:
  explicit Recovered(Guard&& guard) noexcept : guard_(std::move(guard)) {}

  // Did the last owner die, or give it back unrepaired? Told to one owner only, the next.
  bool owner_died() const noexcept { return guard_.is_unrepaired(); }

  // The guard. If the owner died `repair` runs first, under the lock. A repair that answers false
  // has failed: the lock is given back still marked, and the guard is empty. So it is if we die in
  // the middle of it, or if it throws.
  template <std::invocable Repair>
  Guard after(Repair repair) && {
    if (guard_.is_unrepaired()) {
      if constexpr (std::is_same_v<std::invoke_result_t<Repair>, bool>) {
        if (!repair()) {
          Guard given_back(std::move(guard_));
          return Guard();
        }
      } else {
        repair();
      }
      guard_.repaired();
    }
    return std::move(guard_);
  }

  // As the guard's own, for who keeps this until another thread releases it.
  void let_any_thread_release() noexcept { guard_.let_any_thread_release(); }

  // The guard, where it does not matter: what the lock guards cannot be left half changed.
  Guard regardless() && noexcept {
    guard_.repaired();
    return std::move(guard_);
  }

 private:
  Guard guard_;
};

}  // namespace signalbox
