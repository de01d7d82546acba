// os/set_reader_writer_lock.hpp: N readers or one writer, on a System V semaphore set of two.
//
//   Lives     until remove() or the machine restarts
//   Threads   any number at a time, each with a guard of its own
//   Crash     what the dead held is free again at once, even after SIGKILL
//   Fork      a child inherits the handle; its copies of guards hold nothing
//   Limits    32767 readers at a time; /proc/sys/kernel/sem
//   Pollable  no
//   Manual    semop(2)
#pragma once

#include <cstdint>
#include <utility>

#include "signalbox/os/semaphore_guard.hpp"
#include "signalbox/os/semaphore_set.hpp"

namespace signalbox::os {

// Count 0 of the set are the free places of readers, of which a writer takes all; count 1 is the
// turn: a writer takes it and keeps it while it waits for the readers before it to leave, and a
// reader needs it for the moment it enters. So readers that keep coming do not starve a writer.
class SetReaderWriterLock {
 public:
  // Opens the lock of this key, or creates it. All must give the same number of readers, 1 to
  // 32767. Errors: bad_argument (another number, or a set of another kind), and those of
  // SemaphoreSet::open_or_create().
  static Result<SetReaderWriterLock> open_or_create(SysvKey key, std::uint16_t readers_max,
                                                    Deadline deadline,
                                                    SemaphoreSetOptions options = {});

  // To read, together with at most readers_max - 1 others. One call.
  // Errors: those of SemaphoreSet::apply(). Taking it to write while holding it to read, or the
  // other way round, waits for oneself.
  [[nodiscard]] Result<SemaphoreGuard> lock_shared(Deadline deadline,
                                                   OnSignal on_signal = OnSignal::go_on);
  // To write, alone. Two calls; on an error the turn is given back.
  [[nodiscard]] Result<SemaphoreGuard> lock_exclusive(Deadline deadline,
                                                      OnSignal on_signal = OnSignal::go_on);
  // Never sleep; empty when somebody else is in the way. One call.
  [[nodiscard]] Result<SemaphoreGuard> try_lock_shared();
  [[nodiscard]] Result<SemaphoreGuard> try_lock_exclusive();

  // Removes the set: who sleeps on it wakes with `removed`.
  Result<void> remove() { return set_.remove(); }
  // For inspection: who waits, and how many places are free.
  const SemaphoreSet& set() const noexcept { return set_; }
  explicit operator bool() const noexcept { return static_cast<bool>(set_); }

 private:
  SetReaderWriterLock(SemaphoreSet set, std::uint16_t readers_max) noexcept
      : set_(std::move(set)), readers_max_(static_cast<std::int16_t>(readers_max)) {}
  SemaphoreSet set_;
  std::int16_t readers_max_;
};

}  // namespace signalbox::os
