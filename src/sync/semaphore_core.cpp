#include "sync/semaphore_core.hpp"

#include <string>

#include "sync/level_source.hpp"
#include "sync/spin.hpp"

namespace signalbox::sync {

SemaphoreCore::SemaphoreCore(OpenObject&& opened)
    : SharedObject(std::move(opened)),
      units_{.state = state<shm::UnitsState<Atomics>>(),
             .words = reinterpret_cast<std::atomic<std::uint64_t>*>(
                 &state<std::byte>() + sizeof(shm::UnitsState<Atomics>)),
             .count = terms().capacity},
      hint_(static_cast<std::uint32_t>((token() >> 32) % terms().capacity)) {}

std::uint32_t SemaphoreCore::take_if_free(Next next) noexcept {
  if (token() == 0 || !shm::is_our_turn(units_, terms().fairness, shm::no_place)) {
    return shm::no_unit;
  }
  return shm::take_unit(units_, word_for(next), hint_.load());
}

shm::Turn SemaphoreCore::attempt(Next next, std::uint32_t place, std::uint32_t& unit) noexcept {
  if (!shm::is_our_turn(units_, terms().fairness, place)) return shm::Turn::not_yet;
  unit = shm::take_unit(units_, word_for(next), hint_.load());
  if (unit != shm::no_unit) return shm::Turn::taken;
  return units_.words[0].load() == 0 ? shm::Turn::lost : shm::Turn::not_yet;
}

Result<std::uint32_t> SemaphoreCore::take(Next next, Deadline deadline, os::OnSignal on_signal) {
  const std::uint32_t unit = take_if_free(next);
  if (unit != shm::no_unit) [[likely]]
    return unit;
  return take_slowly(next, deadline, on_signal);
}

// A look that finds no unit free is no proof: one may have been given back behind it and another
// taken before it. Once we have announced ourselves whoever gives one back calls us, so a second
// look without a call is one.
Result<std::uint32_t> SemaphoreCore::try_take(Next next) {
  const std::uint32_t unit = take_if_free(next);
  if (unit != shm::no_unit) return unit;
  if (is_foreign()) return std::unexpected(wrong_process("take a unit of"));
  look_for_the_dead();
  auto taken = take_slowly(next, Deadline::immediate(), os::OnSignal::go_on);
  if (!taken && taken.error().code == Errc::timed_out) {
    return std::unexpected(failed_because(Errc::would_block, "take a unit of", "none is free."));
  }
  return taken;
}

Result<std::uint32_t> SemaphoreCore::take_slowly(Next next, Deadline deadline,
                                                 os::OnSignal on_signal) {
  if (is_foreign()) return std::unexpected(wrong_process("take a unit of"));
  std::uint32_t unit = shm::no_unit;
  const bool waits = !deadline.passed();
  if (waits && spin([&] { return attempt(next, shm::no_place, unit) != shm::Turn::not_yet; }) &&
      unit != shm::no_unit) {
    return unit;
  }
  const auto place_at = [this](std::uint32_t index) {
    return index == shm::no_place ? nullptr : &units_.state.line.places[index];
  };
  const auto rest_at = [&](std::uint32_t place) {
    const bool is_called = place != shm::no_place && place_at(place)->call.load() != 0;
    return !waits && is_called ? shm::Turn::not_yet : rest(place_at(place), deadline, on_signal);
  };
  const shm::Turn turn = shm::stand_in_line(
      units_.state.line, stand(shm::Wants::turn),
      [&](std::uint32_t place) { return attempt(next, place, unit); },
      [&] { shm::announce_waiting(units_); }, rest_at);
  shm::pass_on(units_, waker());
  if (shm::is_taken(turn)) return unit;
  return std::unexpected(failed(turn, "take a unit of"));
}

Result<void> SemaphoreCore::post() {
  if (is_foreign()) return std::unexpected(wrong_process("post"));
  const std::uint32_t unit = shm::add_unit(units_);
  if (unit == shm::no_unit) {
    if (units_.words[0].load() == 0) return std::unexpected(failed(shm::Turn::lost, "post"));
    return std::unexpected(failed_because(
        Errc::out_of_range, "post",
        "no unit is absent: units_max of them are free or held. Open it with a larger units_max."));
  }
  hint_.store(unit);
  shm::call_for_unit(units_, waker());
  return {};
}

void SemaphoreCore::give_back(std::uint32_t unit) noexcept {
  if (token() == 0) return;  // a child's copy of a permit holds nothing
  if (!shm::give_back(units_, unit, token())) return;
  if (units_.state.waiting.load() != 0) shm::call_for_unit(units_, waker());
}

void SemaphoreCore::use_up(std::uint32_t unit) noexcept {
  if (token() != 0) shm::give_back(units_, unit, token(), shm::unit_absent);
}

void SemaphoreCore::recover(RollCall& roll) noexcept {
  shm::recover(units_, token(), [&](std::uint64_t who) { return roll.is_dead(who); }, waker());
}

bool SemaphoreCore::is_free() const noexcept {
  return shm::free_units(units_) != 0 && shm::is_our_turn(units_, terms().fairness, shm::no_place);
}

bool SemaphoreCore::is_held_here() const noexcept {
  for (std::uint32_t i = 0; i < units_.count; ++i) {
    if (shm::unit_holder(units_.words[i].load()) == token()) return true;
  }
  return false;
}

}  // namespace signalbox::sync

namespace signalbox {

void Permit::give_back() noexcept { std::exchange(core_, nullptr)->give_back(unit_); }

void Permit::use_up() noexcept {
  if (core_ != nullptr) std::exchange(core_, nullptr)->use_up(unit_);
}

Result<Semaphore> Semaphore::open(std::string_view name, const SemaphoreOptions& options) {
  const std::uint32_t most = options.units_max;
  if (most == 0 || most > shm::units_limit || options.units.value_or(most) > most) {
    return std::unexpected(detail::explained(Errc::bad_argument, [&]() -> Error {
      return {Errc::bad_argument,
              0,
              {},
              "cannot open a semaphore of " + std::to_string(most) + " units, " +
                  std::to_string(options.units.value_or(most)) + " of them free: it has 1 to " +
                  std::to_string(shm::units_limit) + ", and no more can be free."};
    }));
  }
  auto core = sync::share_as<sync::SemaphoreCore>(
      name, options.domain,
      {.kind = sync::Kind::semaphore,
       .fairness = options.first_come_first_served ? shm::Fairness::first_come_first_served
                                                   : shm::Fairness::newcomers_may_overtake,
       .capacity = most},
      options.units.value_or(most));
  if (!core) return std::unexpected(std::move(core.error()));
  return Semaphore(std::move(*core));
}

using Next = sync::SemaphoreCore::Next;

Result<Permit> Semaphore::acquire(Deadline deadline, os::OnSignal on_signal) {
  auto unit = core_->take(Next::held, deadline, on_signal);
  if (!unit) [[unlikely]]
    return std::unexpected(std::move(unit.error()));
  return Permit(core_.get(), *unit);
}

Result<Permit> Semaphore::try_acquire() {
  auto unit = core_->try_take(Next::held);
  if (!unit) return std::unexpected(std::move(unit.error()));
  return Permit(core_.get(), *unit);
}

Result<void> Semaphore::consume(Deadline deadline, os::OnSignal on_signal) {
  if (auto unit = core_->take(Next::absent, deadline, on_signal); !unit) {
    return std::unexpected(std::move(unit.error()));
  }
  return {};
}

Result<void> Semaphore::try_consume() {
  if (auto unit = core_->try_take(Next::absent); !unit) {
    return std::unexpected(std::move(unit.error()));
  }
  return {};
}

Waitable Semaphore::waitable() const noexcept {
  return WaitSource::waitable([this] { return std::make_shared<sync::LevelSource>(core_); });
}

Result<void> Semaphore::post() { return core_->post(); }

std::uint32_t Semaphore::value() const noexcept { return core_->value(); }

}  // namespace signalbox
