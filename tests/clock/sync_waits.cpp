#include <memory>
#include <utility>

#include "../facilities/done.hpp"
#include "own_waits.hpp"
#include "signalbox/barrier.hpp"
#include "signalbox/condition.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/read_write_lock.hpp"
#include "signalbox/semaphore.hpp"

namespace wall_clock {

namespace {

using namespace signalbox;
using facilities::done;
using facilities::Ground;
using facilities::Wait;
using facilities::Waiting;
using os::OnSignal;

// A mutex that is held, by no thread: whoever asks for it waits.
struct HeldMutex {
  Mutex mutex;
  MutexGuard guard;
  explicit HeldMutex(bool is_fair)
      : mutex(Mutex::open("clock-mutex", {.first_come_first_served = is_fair}).value()),
        guard(std::move(mutex.lock(Deadline::never()).value()).regardless()) {
    guard.let_any_thread_release();
  }
};

template <bool kIsFair>
Waiting locking(const Ground&) {
  auto held = std::make_shared<HeldMutex>(kIsFair);
  return {
      [held](Deadline until, OnSignal how) { return done(held->mutex.lock(until, how)); }, {}, {}};
}

std::shared_ptr<Semaphore> empty_semaphore() {
  const SemaphoreOptions options{.units_max = 1, .units = 0};
  return std::make_shared<Semaphore>(Semaphore::open("clock-semaphore", options).value());
}

Waiting acquiring(const Ground&) {
  auto semaphore = empty_semaphore();
  return {
      [semaphore](Deadline until, OnSignal how) { return done(semaphore->acquire(until, how)); },
      {},
      {}};
}

Waiting consuming(const Ground&) {
  auto semaphore = empty_semaphore();
  return {
      [semaphore](Deadline until, OnSignal how) { return semaphore->consume(until, how); }, {}, {}};
}

struct HeldToWrite {
  ReadWriteLock lock = ReadWriteLock::open("clock-read-write").value();
  WriteGuard guard = std::move(lock.lock_to_write(Deadline::never()).value()).regardless();
  HeldToWrite() { guard.let_any_thread_release(); }
};

Waiting locking_to_read(const Ground&) {
  auto held = std::make_shared<HeldToWrite>();
  return {
      [held](Deadline until, OnSignal how) { return done(held->lock.lock_to_read(until, how)); },
      {},
      {}};
}

Waiting locking_to_write(const Ground&) {
  auto held = std::make_shared<HeldToWrite>();
  return {
      [held](Deadline until, OnSignal how) { return done(held->lock.lock_to_write(until, how)); },
      {},
      {}};
}

// A condition answers the guard whether it was notified or not; that the deadline has passed is
// what its caller looks at.
Waiting waiting_for_a_condition(const Ground&) {
  struct Guarded {
    Mutex mutex = Mutex::open("clock-mutex").value();
    Condition condition = Condition::open("clock-condition").value();
  };
  auto all = std::make_shared<Guarded>();
  return {[all](Deadline until, OnSignal how) -> Result<void> {
            auto held = all->mutex.lock(Deadline::never());
            if (!held) return done(std::move(held));
            auto again = all->condition.wait(std::move(*held).regardless(), until, how);
            if (!again || !until.passed()) return done(std::move(again));
            return facilities::passed_the_deadline();
          },
          {},
          {}};
}

Waiting meeting(const Ground&) {
  auto barrier = std::make_shared<Barrier>(Barrier::open("clock-barrier", 2).value());
  return {[barrier](Deadline until, OnSignal how) { return barrier->arrive_and_wait(until, how); },
          {},
          {}};
}

}  // namespace

std::vector<Wait> sync_waits() {
  return {{.name = "MutexLock", .prepare = locking<false>},
          {.name = "FairMutexLock", .prepare = locking<true>},
          {.name = "SemaphoreAcquire", .prepare = acquiring},
          {.name = "SemaphoreConsume", .prepare = consuming},
          {.name = "ReadWriteLockRead", .prepare = locking_to_read},
          {.name = "ReadWriteLockWrite", .prepare = locking_to_write},
          {.name = "ConditionWait", .prepare = waiting_for_a_condition},
          {.name = "BarrierArrive", .prepare = meeting}};
}

}  // namespace wall_clock
