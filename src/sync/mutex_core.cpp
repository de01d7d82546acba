#include "sync/mutex_core.hpp"

#include "sync/level_source.hpp"
#include "sync/spin.hpp"

namespace signalbox::sync {

// Whatever would need a call is left to the long way, so that the short one saves no registers.
bool MutexCore::take_if_free() noexcept {
  const std::uint64_t ours = token();
  const std::uint32_t thread = os::thread_number_if_known();
  Lock& lock = lock_;
  if (ours == 0 || thread == 0 || !shm::take_if_free(lock.word, ours)) return false;
  lock.thread.store(thread, shm::unordered);
  return true;
}

Result<Recovered<MutexGuard>> MutexCore::take(Deadline deadline, os::OnSignal on_signal) {
  if (take_if_free()) [[likely]]
    return Recovered(MutexGuard(this, false));
  return take_slowly(deadline, on_signal);
}

// Only this thread writes its number there, and takes it away before it releases.
bool MutexCore::is_held_by_this_thread() const noexcept {
  return shm::lock_owner(lock_.word.load()) == token() &&
         lock_.thread.load() == os::thread_number();
}

Result<Recovered<MutexGuard>> MutexCore::try_take() {
  if (take_if_free()) return Recovered(MutexGuard(this, false));
  if (is_foreign()) return std::unexpected(wrong_process("lock"));
  shm::Turn turn = shm::take(lock_, token(), terms().fairness, shm::no_place);
  if (turn == shm::Turn::not_yet && !is_held_by_this_thread()) {
    look_for_the_dead();
    turn = shm::take(lock_, token(), terms().fairness, shm::no_place);
  }
  return answer(turn);
}

Result<Recovered<MutexGuard>> MutexCore::take_slowly(Deadline deadline, os::OnSignal on_signal) {
  if (is_foreign()) return std::unexpected(wrong_process("lock"));
  if (deadline.passed()) {
    auto taken = try_take();
    if (!taken && taken.error().code == Errc::would_block) return answer(shm::Turn::timed_out);
    return taken;
  }
  const auto fairness = terms().fairness;
  shm::Turn turn = shm::take(lock_, token(), fairness, shm::no_place);
  if (turn == shm::Turn::not_yet && is_held_by_this_thread()) return answer(turn);
  // A short critical section ends before a sleeper could be woken.
  if (turn == shm::Turn::not_yet && spin([&] { return shm::lock_owner(lock_.word.load()) == 0; })) {
    turn = shm::take(lock_, token(), fairness, shm::no_place);
  }
  if (turn == shm::Turn::not_yet) turn = wait_in_line(deadline, on_signal);
  return answer(turn);
}

shm::Turn MutexCore::wait_in_line(Deadline deadline, os::OnSignal on_signal) noexcept {
  const auto place_at = [this](std::uint32_t index) {
    return index == shm::no_place ? nullptr : &lock_.line.places[index];
  };
  const shm::Turn turn = shm::stand_in_line(
      lock_.line, stand(shm::Wants::turn),
      [&](std::uint32_t place) { return shm::take(lock_, token(), terms().fairness, place); },
      [&] { shm::announce_line(lock_.word); },
      [&](std::uint32_t place) { return rest(place_at(place), deadline, on_signal); });
  // We may have been called, and somebody behind us sleeps on.
  if (!shm::is_taken(turn)) shm::call_next(lock_, waker());
  return turn;
}

Result<Recovered<MutexGuard>> MutexCore::answer(shm::Turn turn) noexcept {
  if (shm::is_taken(turn)) {
    lock_.thread.store(os::thread_number(), shm::unordered);
    return Recovered(MutexGuard(this, turn == shm::Turn::taken_after_death));
  }
  if (turn != shm::Turn::not_yet) return std::unexpected(failed(turn, "lock"));
  const bool is_ours = is_held_by_this_thread();
  return std::unexpected(failed_because(
      is_ours ? Errc::would_deadlock : Errc::would_block, "lock",
      is_ours ? "this thread holds it already; release it first." : "somebody else holds it."));
}

void MutexCore::give_back(bool unrepaired) noexcept {
  const std::uint64_t ours = token();
  if (ours == 0) return;  // a child's copy of a guard holds nothing
  Lock& lock = lock_;
  lock.thread.store(0, shm::unordered);
  if (!unrepaired && shm::release_if_alone(lock.word, ours)) [[likely]]
    return;
  if (shm::release(lock.word, lock.line, ours, unrepaired)) shm::call_next(lock, waker());
}

// What another thread reads there is compared with its own number only, and 0 is nobody's.
void MutexCore::forget_thread() noexcept {
  if (token() != 0) lock_.thread.store(0, shm::unordered);
}

void MutexCore::recover(RollCall& roll) noexcept {
  shm::recover(lock_, token(), [&](std::uint64_t who) { return roll.is_dead(who); }, waker());
}

bool MutexCore::is_free() const noexcept {
  const std::uint64_t word = lock_.word.load();
  return (word & shm::lock_valid) != 0 && shm::lock_owner(word) == 0 &&
         shm::is_turn_of(lock_.line, terms().fairness, shm::no_place);
}

bool MutexCore::is_held_here() const noexcept {
  return shm::lock_owner(lock_.word.load()) == token();
}

bool MutexCore::is_as_made() const noexcept {
  return (lock_.word.load() & ~shm::lock_in_line) == shm::lock_free;
}

}  // namespace signalbox::sync

namespace signalbox {

void MutexGuard::give_back(sync::MutexCore* core, bool unrepaired) noexcept {
  core->give_back(unrepaired);
}

void MutexGuard::let_any_thread_release() noexcept {
  if (core_ != nullptr) core_->forget_thread();
}

Result<Mutex> Mutex::open(std::string_view name, const LockOptions& options) {
  auto core = sync::share_as<sync::MutexCore>(
      name, options.domain,
      {.kind = sync::Kind::mutex,
       .fairness = options.first_come_first_served ? shm::Fairness::first_come_first_served
                                                   : shm::Fairness::newcomers_may_overtake});
  if (!core) return std::unexpected(std::move(core.error()));
  return Mutex(std::move(*core));
}

bool Mutex::take_if_free(sync::MutexCore* core) noexcept { return core->take_if_free(); }

Result<Recovered<MutexGuard>> Mutex::lock_slowly(Deadline deadline, os::OnSignal on_signal) {
  return core_->take_slowly(deadline, on_signal);
}

Waitable Mutex::waitable() const noexcept {
  return WaitSource::waitable([this] { return std::make_shared<sync::LevelSource>(core_); });
}

Result<Recovered<MutexGuard>> Mutex::try_lock() { return core_->try_take(); }

}  // namespace signalbox
