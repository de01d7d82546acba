#include "sync/meeting_core.hpp"

#include <string>

#include "base/empty_handle.hpp"
#include "sync/mutex_core.hpp"

namespace signalbox::sync {

using shm::Turn;
using shm::Wants;

// ---- the condition

// Other threads may have places there: of the same object, opened anew while this one goes.
ConditionCore::~ConditionCore() {
  if (token() != 0) shm::leave(line_, our_place_);
}

Result<Recovered<MutexGuard>> ConditionCore::wait(MutexGuard guard, Deadline deadline,
                                                  os::OnSignal on_signal) {
  constexpr char tried[] = "wait for";
  if (token() == 0) return std::unexpected(wrong_process(tried));
  if (is_lost()) return std::unexpected(failed(Turn::lost, tried));
  if (!guard) {
    return std::unexpected(failed_because(
        Errc::bad_argument, tried, "the guard is empty: it holds no mutex. Lock the mutex first."));
  }
  MutexCore& mutex = *guard.core_;
  const auto rest_there = [&](std::uint32_t place) {
    return is_lost() ? Turn::lost : rest(&line_.places[place], deadline, on_signal);
  };
  static_cast<void>(
      shm::wait_for_call(line_, stand(Wants::turn), [&] { guard.release(); }, rest_there));
  if (guard) return std::unexpected(is_full(tried));
  return mutex.take(Deadline::never(), os::OnSignal::go_on);
}

Error ConditionCore::is_full(const char* tried) const noexcept {
  return failed_because(Errc::limit_reached, tried,
                        "256 wait for it or have it open, the most that can.");
}

void ConditionCore::notify_one() noexcept {
  if (token() != 0) shm::notify_one(line_, waker());
}

void ConditionCore::notify_all() noexcept {
  if (token() != 0) shm::notify_all(line_, waker());
}

void ConditionCore::recover(RollCall& roll) noexcept {
  const auto is_dead = [&](std::uint64_t who) { return roll.is_dead(who); };
  shm::recover_waiters(line_, token(), is_dead, waker());
}

// ---- the barrier

Result<void> BarrierCore::arrive_and_wait(Deadline deadline, os::OnSignal on_signal) {
  constexpr char tried[] = "meet at";
  if (token() == 0) return std::unexpected(wrong_process(tried));
  bool may_sleep = true;
  const auto rest_there = [&](std::uint32_t place) {
    const Turn rested = rest(&meeting_.line.places[place], deadline, on_signal);
    may_sleep = rested != Turn::refused;
    return rested;
  };
  const Turn turn = shm::meet(meeting_, terms().capacity, stand(Wants::turn), rest_there, waker());
  if (turn == Turn::taken) return {};
  if (turn == Turn::taken_after_death) {
    return std::unexpected(failed_because(
        Errc::abandoned, tried, "one of those who waited died. Meet again when it was replaced."));
  }
  if (turn == Turn::refused && may_sleep) {
    return std::unexpected(
        failed_because(Errc::limit_reached, tried, "256 wait there already, the most that can."));
  }
  return std::unexpected(failed(turn, tried));
}

void BarrierCore::recover(RollCall& roll) noexcept {
  shm::recover(meeting_, token(), [&](std::uint64_t who) { return roll.is_dead(who); }, waker());
}

}  // namespace signalbox::sync

namespace signalbox {

Result<Condition> Condition::open(std::string_view name, std::string_view domain) {
  auto core = sync::share_as<sync::ConditionCore>(name, domain, {.kind = sync::Kind::condition});
  if (!core) return std::unexpected(std::move(core.error()));
  if (!(*core)->attends()) return std::unexpected((*core)->is_full("open"));
  return Condition(std::move(*core));
}

Result<Recovered<MutexGuard>> Condition::wait(MutexGuard guard, Deadline deadline,
                                              os::OnSignal on_signal) {
  if (core_ == nullptr) return std::unexpected(empty_handle("wait for a condition"));
  return core_->wait(std::move(guard), deadline, on_signal);
}

void Condition::notify_one() noexcept {
  if (core_ != nullptr) core_->notify_one();
}
void Condition::notify_all() noexcept {
  if (core_ != nullptr) core_->notify_all();
}

Result<Barrier> Barrier::open(std::string_view name, std::uint32_t parties,
                              std::string_view domain) {
  if (parties == 0 || parties > shm::line_places) {
    return std::unexpected(detail::explained(Errc::bad_argument, [&]() -> Error {
      return {Errc::bad_argument,
              0,
              {},
              "cannot open a barrier of " + std::to_string(parties) + " parties: it has 1 to " +
                  std::to_string(shm::line_places) + "."};
    }));
  }
  auto core = sync::share_as<sync::BarrierCore>(name, domain,
                                                {.kind = sync::Kind::barrier, .capacity = parties});
  if (!core) return std::unexpected(std::move(core.error()));
  return Barrier(std::move(*core));
}

Result<void> Barrier::arrive_and_wait(Deadline deadline, os::OnSignal on_signal) {
  if (core_ == nullptr) return std::unexpected(empty_handle("meet at a barrier"));
  return core_->arrive_and_wait(deadline, on_signal);
}

}  // namespace signalbox
