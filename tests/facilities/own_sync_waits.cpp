#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "done.hpp"
#include "own_waits.hpp"
#include "signalbox/barrier.hpp"
#include "signalbox/condition.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/read_write_lock.hpp"
#include "signalbox/semaphore.hpp"

namespace facilities {

namespace {

using namespace signalbox;
using os::OnSignal;

// A mutex that is held, by no thread: whoever asks for it waits.
struct HeldMutex {
  Mutex mutex;
  MutexGuard guard;
  explicit HeldMutex(bool is_fair)
      : mutex(Mutex::open("held-mutex", {.first_come_first_served = is_fair}).value()),
        guard(std::move(mutex.lock(Deadline::never()).value()).regardless()) {
    guard.let_any_thread_release();
  }
};

template <bool kIsFair>
Waiting locking(const Ground&) {
  auto held = std::make_shared<HeldMutex>(kIsFair);
  return {[held](Deadline until, OnSignal how) { return done(held->mutex.lock(until, how)); },
          [held] { held->guard.release(); },
          [held] { return held->mutex.try_lock().error().code == Errc::would_block; }};
}

std::shared_ptr<Semaphore> empty_semaphore() {
  const SemaphoreOptions options{.units_max = 1, .units = 0};
  return std::make_shared<Semaphore>(Semaphore::open("empty-semaphore", options).value());
}

Waiting acquiring(const Ground&) {
  auto semaphore = empty_semaphore();
  return {
      [semaphore](Deadline until, OnSignal how) { return done(semaphore->acquire(until, how)); },
      [semaphore] { static_cast<void>(semaphore->post()); },
      [semaphore] { return semaphore->value() == 0; }};
}

Waiting consuming(const Ground&) {
  auto semaphore = empty_semaphore();
  return {[semaphore](Deadline until, OnSignal how) { return semaphore->consume(until, how); },
          [semaphore] { static_cast<void>(semaphore->post()); },
          [semaphore] { return semaphore->value() == 0; }};
}

struct HeldToWrite {
  ReadWriteLock lock = ReadWriteLock::open("held-to-write").value();
  WriteGuard guard = std::move(lock.lock_to_write(Deadline::never()).value()).regardless();
  HeldToWrite() { guard.let_any_thread_release(); }
};

Waiting locking_to_read(const Ground&) {
  auto held = std::make_shared<HeldToWrite>();
  return {
      [held](Deadline until, OnSignal how) { return done(held->lock.lock_to_read(until, how)); },
      [held] { held->guard.release(); }, [held] { return !held->lock.try_lock_to_read(); }};
}

Waiting locking_to_write(const Ground&) {
  auto held = std::make_shared<HeldToWrite>();
  return {
      [held](Deadline until, OnSignal how) { return done(held->lock.lock_to_write(until, how)); },
      [held] { held->guard.release(); }, [held] { return !held->lock.try_lock_to_write(); }};
}

struct Guarded {
  Mutex mutex = Mutex::open("guarding-mutex").value();
  Condition condition = Condition::open("told").value();
  std::atomic<bool> is_told = false;
};

void tell(Guarded& all) {
  const auto held = all.mutex.lock(Deadline::never());
  all.is_told = true;
  all.condition.notify_one();
}

// A condition answers the guard, whatever ended the wait: what its caller waits for, whether the
// deadline has passed and, where he asked to be told of signals, that one came is for him to see.
Waiting waiting_for_a_condition(const Ground&) {
  auto all = std::make_shared<Guarded>();
  return {[all](Deadline until, OnSignal how) -> Result<void> {
            auto held = all->mutex.lock(Deadline::never());
            while (held && !all->is_told) {
              held = all->condition.wait(std::move(*held).regardless(), until, how);
              if (!held || all->is_told) break;
              if (until.passed()) return passed_the_deadline();
              if (how == OnSignal::give_up) return was_interrupted();
            }
            return done(std::move(held));
          },
          [all] { tell(*all); },
          {}};
}

Waiting meeting(const Ground&) {
  auto barrier = std::make_shared<Barrier>(Barrier::open("meeting-of-two", 2).value());
  return {[barrier](Deadline until, OnSignal how) { return barrier->arrive_and_wait(until, how); },
          [barrier] {
            const Deadline watchdog = Deadline::after(std::chrono::seconds(60));
            static_cast<void>(barrier->arrive_and_wait(watchdog));
          },
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

}  // namespace facilities
