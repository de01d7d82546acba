#include "sync/read_write_core.hpp"

#include <utility>

namespace signalbox::sync {

using shm::Turn;
using shm::Wants;

namespace {

constexpr char kRead[] = "lock to read";
constexpr char kWrite[] = "lock to write";
constexpr char kHeldAlready[] = "this thread holds it already; release it first.";

}  // namespace

bool ReadWriteCore::writes_in_this_thread() const noexcept {
  return shm::lock_owner(rw_.lock.word.load()) == token() &&
         rw_.lock.thread.load() == os::thread_number();
}

bool ReadWriteCore::reads_in_this_thread() const noexcept {
  for (std::uint32_t i = 0; i < shm::slots_used(rw_); ++i) {
    const auto& slot = rw_.readers[i];
    if (slot.reader.load() == token() && slot.thread.load() == os::thread_number()) return true;
  }
  return false;
}

ReadGuard ReadWriteCore::reader(std::uint32_t slot) noexcept {
  rw_.readers[slot].thread.store(os::thread_number(), shm::unordered);
  return {this, slot};
}

// Threads begin at slots of their own, so that they do not take a line from each other.
Turn ReadWriteCore::attempt(Wants wants, std::uint32_t place, std::uint32_t& slot) noexcept {
  switch (wants) {
    case Wants::to_read:
      return shm::start_reading(rw_, token(), place, os::thread_number() % 16, slot, waker());
    case Wants::silence:
      return shm::nobody_reads(rw_) ? Turn::taken : Turn::not_yet;
    default:
      return shm::take(rw_.lock, token(), shm::Fairness::first_come_first_served, place);
  }
}

Turn ReadWriteCore::wait(Wants wants, Deadline deadline, os::OnSignal on_signal,
                         std::uint32_t& slot) noexcept {
  if (deadline.passed()) {
    look_for_the_dead();
    const Turn turn = attempt(wants, shm::no_place, slot);
    return turn == Turn::not_yet ? Turn::timed_out : turn;
  }
  const auto place_at = [this](std::uint32_t index) {
    return index == shm::no_place ? nullptr : &rw_.lock.line.places[index];
  };
  return shm::stand_in_line(
      rw_.lock.line, stand(wants), [&](std::uint32_t place) { return attempt(wants, place, slot); },
      [&] { shm::announce_line(rw_.lock.word); },
      [&](std::uint32_t place) { return rest(place_at(place), deadline, on_signal); });
}

Result<ReadGuard> ReadWriteCore::read(Deadline deadline, os::OnSignal on_signal) {
  if (token() == 0) return std::unexpected(wrong_process(kRead));
  std::uint32_t slot = shm::no_slot;
  Turn turn = attempt(Wants::to_read, shm::no_place, slot);
  if (turn == Turn::taken) return reader(slot);
  if (turn == Turn::not_yet) {
    if (writes_in_this_thread()) {
      return std::unexpected(failed_because(Errc::would_deadlock, kRead, kHeldAlready));
    }
    turn = wait(Wants::to_read, deadline, on_signal, slot);
    // Those behind us may go as well, or instead of us.
    if (shm::anybody(rw_.lock.line)) shm::call_next(rw_, waker());
  }
  if (turn == Turn::taken) return reader(slot);
  return std::unexpected(failed(turn, kRead));
}

Result<Recovered<WriteGuard>> ReadWriteCore::write(Deadline deadline, os::OnSignal on_signal) {
  if (token() == 0) return std::unexpected(wrong_process(kWrite));
  std::uint32_t slot = shm::no_slot;
  // Not by take_if_free(): its exchange is only an acquire, and the look at the slots could come
  // before it.
  Turn word = attempt(Wants::turn, shm::no_place, slot);
  if (word == Turn::not_yet) {
    if (writes_in_this_thread()) {
      return std::unexpected(failed_because(Errc::would_deadlock, kWrite, kHeldAlready));
    }
    word = wait(Wants::turn, deadline, on_signal, slot);
  }
  if (!shm::is_taken(word)) {
    shm::call_next(rw_, waker());
    return std::unexpected(failed(word, kWrite));
  }
  const bool unrepaired = word == Turn::taken_after_death;
  if (!shm::nobody_reads(rw_)) {
    const bool is_ours = reads_in_this_thread();
    const Turn silence = is_ours ? Turn::refused : wait(Wants::silence, deadline, on_signal, slot);
    if (silence != Turn::taken) {
      stop_writing(unrepaired);
      return std::unexpected(is_ours ? failed_because(Errc::would_deadlock, kWrite, kHeldAlready)
                                     : failed(silence, kWrite));
    }
  }
  rw_.lock.thread.store(os::thread_number(), shm::unordered);
  return Recovered(WriteGuard(this, unrepaired));
}

void ReadWriteCore::stop_reading(std::uint32_t slot) noexcept {
  if (token() == 0) return;
  rw_.readers[slot].thread.store(0, shm::unordered);
  shm::stop_reading(rw_, slot, waker());
}

void ReadWriteCore::stop_writing(bool unrepaired) noexcept {
  const std::uint64_t ours = token();
  if (ours == 0) return;
  rw_.lock.thread.store(0, shm::unordered);
  if (!unrepaired && shm::release_if_alone(rw_.lock.word, ours)) return;
  if (shm::release(rw_.lock.word, rw_.lock.line, ours, unrepaired)) shm::call_next(rw_, waker());
}

// Numbers are compared with a thread's own only, and 0 is nobody's.
void ReadWriteCore::forget_reader(std::uint32_t slot) noexcept {
  if (token() != 0) rw_.readers[slot].thread.store(0, shm::unordered);
}

void ReadWriteCore::forget_writer() noexcept {
  if (token() != 0) rw_.lock.thread.store(0, shm::unordered);
}

void ReadWriteCore::recover(RollCall& roll) noexcept {
  shm::recover(rw_, token(), [&](std::uint64_t who) { return roll.is_dead(who); }, waker());
}

bool ReadWriteCore::is_held_here() const noexcept {
  for (std::uint32_t i = 0; i < shm::slots_used(rw_); ++i) {
    if (rw_.readers[i].reader.load() == token()) return true;
  }
  return shm::lock_owner(rw_.lock.word.load()) == token();
}

bool ReadWriteCore::is_as_made() const noexcept {
  return (rw_.lock.word.load() & ~shm::lock_in_line) == shm::lock_free;
}

}  // namespace signalbox::sync

namespace signalbox {

namespace {

// What was not to be waited for did not time out.
template <class Taken>
Result<Taken> without_waiting(Result<Taken> taken) {
  if (!taken && taken.error().code == Errc::timed_out) taken.error().code = Errc::would_block;
  return taken;
}

}  // namespace

void ReadGuard::release() noexcept {
  if (core_ != nullptr) std::exchange(core_, nullptr)->stop_reading(slot_);
}

void WriteGuard::release() noexcept {
  if (core_ != nullptr) std::exchange(core_, nullptr)->stop_writing(unrepaired_);
}

void ReadGuard::let_any_thread_release() noexcept {
  if (core_ != nullptr) core_->forget_reader(slot_);
}

void WriteGuard::let_any_thread_release() noexcept {
  if (core_ != nullptr) core_->forget_writer();
}

Result<ReadWriteLock> ReadWriteLock::open(std::string_view name, std::string_view domain) {
  auto core = sync::share_as<sync::ReadWriteCore>(
      name, domain,
      {.kind = sync::Kind::read_write_lock, .fairness = shm::Fairness::first_come_first_served});
  if (!core) return std::unexpected(std::move(core.error()));
  return ReadWriteLock(std::move(*core));
}

Result<ReadGuard> ReadWriteLock::lock_to_read(Deadline deadline, os::OnSignal on_signal) {
  return core_->read(deadline, on_signal);
}
Result<Recovered<WriteGuard>> ReadWriteLock::lock_to_write(Deadline deadline,
                                                           os::OnSignal on_signal) {
  return core_->write(deadline, on_signal);
}
Result<ReadGuard> ReadWriteLock::try_lock_to_read() {
  return without_waiting(core_->read(Deadline::immediate(), os::OnSignal::go_on));
}
Result<Recovered<WriteGuard>> ReadWriteLock::try_lock_to_write() {
  return without_waiting(core_->write(Deadline::immediate(), os::OnSignal::go_on));
}

}  // namespace signalbox
