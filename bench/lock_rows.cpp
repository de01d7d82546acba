#include "bench/lock_rows.hpp"

#include <sys/resource.h>

#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include "bench/bystander.hpp"
#include "bench/lock_exchange.hpp"
#include "bench/windows.hpp"
#include "signalbox/barrier.hpp"
#include "signalbox/condition.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/read_write_lock.hpp"
#include "signalbox/semaphore.hpp"

namespace bench {

namespace {

using signalbox::Deadline;

// Which exchange is where in the list that is played.
enum Index : std::size_t {
  mutex,
  robust,
  posix,
  set,
  our_mutex,
  our_semaphore,
  futex,
  baton,
  post
};

std::vector<Case> cases() {
  constexpr double of_a_turn = 2.0 / turns_a_round;  // timings are halves of rounds
  return {
      {"mutex, alone", our_mutex, mutex, "glibc's shared mutex", 1.2, 30, of_a_turn},
      {"mutex, alone", our_mutex, robust, "glibc's robust mutex", 1.0, 30, of_a_turn},
      {"semaphore, alone", our_semaphore, mutex, "glibc's shared mutex", 1.2, 30, of_a_turn},
      {"semaphore, alone", our_semaphore, robust, "glibc's robust mutex", 1.0, 30, of_a_turn},
      {"semaphore, alone", our_semaphore, posix, "sem_t", 1.2, 30, of_a_turn},
      {"semaphore, alone", our_semaphore, set, "a System V set", 0.1, 10, of_a_turn},
      {"mutex, handed over", baton, futex, "raw futex hand-over", 1.1, 300},
      {"semaphore, handed over", post, futex, "raw futex hand-over", 1.1, 300},
  };
}

// Another process that holds a mutex and a read/write lock of that name.
Bystander holder_of(const std::string& name) {
  return {"the holder of " + name, [&name](const Bystander::Stay& stay) {
            auto mutex = signalbox::Mutex::open(name).value();
            auto lock = signalbox::ReadWriteLock::open(name + "/to-write").value();
            const auto held = mutex.lock(Deadline::never());
            const auto written = lock.lock_to_write(Deadline::never());
            if (held && written) stay();
          }};
}

// The sleep itself and its end by the deadline are one, which is not counted. Nor is a first, short
// wait, in which the library's own thread, begun a moment ago, goes to sleep.
template <class Wait>
Row idle(const std::string& name, double seconds, Wait wait) {
  const auto sleep = [&](double for_seconds) {
    const auto time = std::chrono::nanoseconds(static_cast<std::int64_t>(for_seconds * 1e9));
    if (wait(Deadline::after(time)) != signalbox::Errc::timed_out) {
      throw std::runtime_error(name + ": the wait did not end at its deadline");
    }
  };
  rusage before{};
  rusage after{};
  sleep(0.05);
  ::getrusage(RUSAGE_SELF, &before);
  sleep(seconds);
  ::getrusage(RUSAGE_SELF, &after);
  const auto woken = static_cast<double>(after.ru_nvcsw - before.ru_nvcsw - 1);
  return counted(name, woken / seconds, 0, 0, "none");
}

// A condition gives its mutex back in between, and answers with it at the deadline too.
signalbox::Errc wait_in_vain(signalbox::Mutex& mutex, signalbox::Condition& condition,
                             Deadline deadline) {
  auto guard = mutex.lock(Deadline::never()).value().regardless();
  while (!deadline.passed()) {
    guard = condition.wait(std::move(guard), deadline).value().regardless();
  }
  return signalbox::Errc::timed_out;
}

}  // namespace

std::vector<Row> lock_rows(const std::string& only, std::uint64_t windows,
                           std::uint64_t rounds_max) {
  std::vector<Case> chosen = cases();
  keep_like(only, chosen);
  std::vector<std::unique_ptr<Exchange>> all;
  for (auto* make : {glibc_mutex_alone, glibc_robust_alone, posix_semaphore_alone,
                     semaphore_set_alone, our_mutex_alone, our_semaphore_alone, futex_handed_over,
                     our_mutex_handed_over, our_semaphore_handed_over}) {
    all.push_back(make());
  }
  std::vector<Exchange*> exchanges;
  exchanges.reserve(all.size());
  for (const auto& one : all) exchanges.push_back(one.get());
  return play_cases(exchanges, chosen, windows, rounds_max);
}

std::vector<Row> idle_lock_rows(double seconds) {
  const std::string name = "bench/held";
  const Bystander holder = holder_of(name);
  auto held = signalbox::Mutex::open(name).value();
  auto empty = signalbox::Semaphore::open("bench/empty", {.units_max = 1, .units = 0}).value();
  auto written = signalbox::ReadWriteLock::open(name + "/to-write").value();
  auto mutex = signalbox::Mutex::open("bench/of-condition").value();
  auto condition = signalbox::Condition::open("bench/condition").value();
  auto barrier = signalbox::Barrier::open("bench/barrier", 2).value();
  return {
      idle("mutex, idle wake-ups a s", seconds,
           [&](Deadline deadline) { return held.lock(deadline).error().code; }),
      idle("semaphore, idle wake-ups a s", seconds,
           [&](Deadline deadline) { return empty.acquire(deadline).error().code; }),
      idle("read/write lock, idle wake-ups a s", seconds,
           [&](Deadline deadline) { return written.lock_to_read(deadline).error().code; }),
      idle("condition, idle wake-ups a s", seconds,
           [&](Deadline deadline) { return wait_in_vain(mutex, condition, deadline); }),
      idle("barrier, idle wake-ups a s", seconds,
           [&](Deadline deadline) { return barrier.arrive_and_wait(deadline).error().code; }),
  };
}

}  // namespace bench
