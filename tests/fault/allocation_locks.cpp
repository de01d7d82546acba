// The plays of locks: each kind opened, taken, refused, watched, taken over from the dead, closed.
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "allocation_window.hpp"
#include "signalbox/barrier.hpp"
#include "signalbox/condition.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/read_write_lock.hpp"
#include "signalbox/semaphore.hpp"
#include "signalbox/wait_set.hpp"

namespace allocation {

namespace {

using namespace std::chrono_literals;
using signalbox::Barrier;
using signalbox::Condition;
using signalbox::Deadline;
using signalbox::Mutex;
using signalbox::ReadWriteLock;
using signalbox::Semaphore;
using signalbox::WaitSet;

// A watchdog: memory that is refused where the dead are looked for must not make anybody hang.
Deadline soon() { return Deadline::after(10s); }

// Somebody takes it and ends as if killed.
template <class Take>
void somebody_dies_with_it(Take take) {
  const pid_t child = ::fork();
  if (child == 0) {
    take();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
}

template <class Lock>
void watch(bool& was_refused, Lock& lock) {
  auto set = insist(was_refused, [] { return WaitSet::create(1); });
  auto watch = insist(was_refused, [&] { return set->watch(lock.waitable(), 1); });
  const auto ready = insist(was_refused, [&] { return set->wait(Deadline::immediate()); });
  if (ready->size() != 1) std::_Exit(second_try_failed);
}

int mutex() {
  bool was_refused = false;
  const auto open = [] { return Mutex::open("lock"); };
  auto lock = insist(was_refused, open);
  watch(was_refused, *lock);
  somebody_dies_with_it([&] {
    auto theirs = open();
    auto guard = theirs->lock(Deadline::never());
    ::_exit(0);
  });
  auto taken = insist(was_refused, [&] { return lock->lock(soon()); });
  if (!taken->owner_died()) return second_try_failed;
  auto guard = std::move(*taken).regardless();
  expect_refusal(Errc::would_deadlock, [&] { return lock->try_lock(); });
  expect_refusal(Errc::type_mismatch, [] { return Semaphore::open("lock", {.units_max = 1}); });
  close(std::move(*lock));  // held: kept for its guard
  lock = insist(was_refused, open);
  guard.release();
  guard = std::move(*insist(was_refused, [&] { return lock->try_lock(); })).regardless();
  close(std::move(guard));
  close(std::move(*lock));
  return was_refused ? refused : succeeded;
}

int semaphore() {
  bool was_refused = false;
  const auto open = [] { return Semaphore::open("units", {.units_max = 2, .units = 1}); };
  auto units = insist(was_refused, open);
  watch(was_refused, *units);
  somebody_dies_with_it([&] {
    auto theirs = open();
    auto permit = theirs->acquire(Deadline::never());
    ::_exit(0);
  });
  auto permit = insist(was_refused, [&] { return units->acquire(soon()); });
  expect_refusal(Errc::would_block, [&] { return units->try_acquire(); });
  expect_refusal(Errc::timed_out, [&] { return units->consume(Deadline::after(1ms)); });
  if (!insist(was_refused, [&] { return units->post(); })) return second_try_failed;
  expect_refusal(Errc::out_of_range, [&] { return units->post(); });
  expect_refusal(Errc::bad_argument, [] { return Semaphore::open("units", {.units_max = 0}); });
  close(std::move(*permit));
  close(std::move(*units));
  return was_refused ? refused : succeeded;
}

int read_write_lock() {
  bool was_refused = false;
  const auto open = [] { return ReadWriteLock::open("book"); };
  auto book = insist(was_refused, open);
  somebody_dies_with_it([&] {
    auto theirs = open();
    auto guard = theirs->lock_to_write(Deadline::never());
    ::_exit(0);
  });
  auto guard =
      std::move(*insist(was_refused, [&] { return book->lock_to_write(soon()); })).regardless();
  expect_refusal(Errc::would_deadlock, [&] { return book->try_lock_to_read(); });
  guard.release();
  auto reading = insist(was_refused, [&] { return book->lock_to_read(soon()); });
  expect_refusal(Errc::would_deadlock, [&] { return book->try_lock_to_write(); });
  close(std::move(*reading));
  close(std::move(*book));
  return was_refused ? refused : succeeded;
}

int condition() {
  bool was_refused = false;
  auto lock = insist(was_refused, [] { return Mutex::open("lock"); });
  auto news = insist(was_refused, [] { return Condition::open("news"); });
  const auto wait = [&] {
    auto guard = std::move(*lock->lock(soon())).regardless();
    return news->wait(std::move(guard), Deadline::after(1ms));
  };
  auto guard = std::move(*insist(was_refused, wait)).regardless();
  of_library([&] { return news->notify_one(), news->notify_all(), 0; });
  guard.release();
  close(std::move(*news));
  close(std::move(*lock));
  return was_refused ? refused : succeeded;
}

int barrier() {
  bool was_refused = false;
  auto alone = insist(was_refused, [] { return Barrier::open("alone", 1); });
  static_cast<void>(insist(was_refused, [&] { return alone->arrive_and_wait(soon()); }));
  auto both = insist(was_refused, [] { return Barrier::open("both", 2); });
  expect_refusal(Errc::timed_out, [&] { return both->arrive_and_wait(Deadline::after(1ms)); });
  expect_refusal(Errc::bad_argument, [] { return Barrier::open("both", 0); });
  close(std::move(*both));
  close(std::move(*alone));
  return was_refused ? refused : succeeded;
}

}  // namespace

std::vector<Play> lock_plays() {
  return {{"Mutex", mutex},
          {"Semaphore", semaphore},
          {"ReadWriteLock", read_write_lock},
          {"Condition", condition},
          {"Barrier", barrier}};
}

}  // namespace allocation
