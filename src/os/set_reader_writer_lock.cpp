#include "signalbox/os/set_reader_writer_lock.hpp"

#include <array>

namespace signalbox::os {

namespace {

constexpr std::uint16_t kPlaces = 0;
constexpr std::uint16_t kTurn = 1;
constexpr std::uint16_t kReadersMax = 32767;

// Passes only while nobody has the turn, and leaves it where it is.
constexpr std::array kEnterToRead{take(kTurn), give(kTurn), undo_on_exit(take(kPlaces))};
constexpr std::array kLeaveReading{undo_on_exit(give(kPlaces))};

constexpr std::array<SemOp, 2> enter_to_write(std::int16_t places) noexcept {
  return {undo_on_exit(take(kTurn)), undo_on_exit(take(kPlaces, places))};
}
// Places first or turn first makes no difference: it is one step.
constexpr std::array<SemOp, 2> leave_writing(std::int16_t places) noexcept {
  return {undo_on_exit(give(kPlaces, places)), undo_on_exit(give(kTurn))};
}

Error other_lock(std::string found) noexcept {
  return detail::explained(Errc::bad_argument, [&] {
    return Error{Errc::bad_argument,
                 0,
                 {},
                 "cannot open a reader/writer lock: " + found +
                     " All who share it give the same number of readers, 1 to 32767."};
  });
}

// A writer gives its turn back when it could not have the places.
Error given_back(SemaphoreSet& set, Error error) noexcept {
  (void)set.apply({undo_on_exit(give(kTurn))}, Deadline::never());
  return error;
}

}  // namespace

Result<SetReaderWriterLock> SetReaderWriterLock::open_or_create(SysvKey key,
                                                                std::uint16_t readers_max,
                                                                Deadline deadline,
                                                                SemaphoreSetOptions options) {
  if (readers_max == 0 || readers_max > kReadersMax) {
    return std::unexpected(other_lock(std::to_string(readers_max) + " readers were asked for."));
  }
  const std::array<std::uint16_t, 2> initial{readers_max, 1};
  auto set = SemaphoreSet::open_or_create(key, initial, deadline, options);
  if (!set) return std::unexpected(std::move(set.error()));
  const auto counts = set->values();
  if (!counts) return std::unexpected(counts.error());
  // Of a lock that is held this sees only that it is too large; free places show it exactly.
  if (counts->size() != 2 || counts->at(kPlaces) > readers_max || counts->at(kTurn) > 1) {
    return std::unexpected(other_lock("a set of " + std::to_string(counts->size()) +
                                      " semaphores, the first at " +
                                      std::to_string(counts->front()) + ", is no lock for " +
                                      std::to_string(readers_max) + " readers."));
  }
  return SetReaderWriterLock(std::move(*set), readers_max);
}

Result<SemaphoreGuard> SetReaderWriterLock::lock_shared(Deadline deadline, OnSignal on_signal) {
  auto entered = set_.apply(kEnterToRead, deadline, on_signal);
  if (!entered) return std::unexpected(std::move(entered.error()));
  return SemaphoreGuard(set_.id(), kLeaveReading);
}

Result<SemaphoreGuard> SetReaderWriterLock::try_lock_shared() {
  auto entered = set_.try_apply(kEnterToRead);
  if (!entered) return std::unexpected(std::move(entered.error()));
  if (!*entered) return SemaphoreGuard();
  return SemaphoreGuard(set_.id(), kLeaveReading);
}

Result<SemaphoreGuard> SetReaderWriterLock::lock_exclusive(Deadline deadline, OnSignal on_signal) {
  const auto ops = enter_to_write(readers_max_);
  auto turn = set_.apply(std::span(ops).first(1), deadline, on_signal);
  if (!turn) return std::unexpected(std::move(turn.error()));
  auto places = set_.apply(std::span(ops).last(1), deadline, on_signal);
  if (!places) return std::unexpected(given_back(set_, std::move(places.error())));
  return SemaphoreGuard(set_.id(), leave_writing(readers_max_));
}

Result<SemaphoreGuard> SetReaderWriterLock::try_lock_exclusive() {
  auto entered = set_.try_apply(enter_to_write(readers_max_));
  if (!entered) return std::unexpected(std::move(entered.error()));
  if (!*entered) return SemaphoreGuard();
  return SemaphoreGuard(set_.id(), leave_writing(readers_max_));
}

}  // namespace signalbox::os
