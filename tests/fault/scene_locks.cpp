// The operations of locks: each kind opened, taken, waited for while another process holds it,
// given back, closed; the dead are met where it is opened and closed.
#include <unistd.h>

#include <chrono>
#include <utility>

#include "scene_parts.hpp"

namespace fault {

namespace {

using namespace std::chrono_literals;
using namespace signalbox;
using Here = OtherProcess::Here;

constexpr char kMutex[] = "fault/mutex";
constexpr char kSemaphore[] = "fault/semaphore";
constexpr char kReadWrite[] = "fault/read-write";
constexpr char kCondition[] = "fault/condition";
constexpr char kBarrier[] = "fault/barrier";
const SemaphoreOptions kOneUnit{.units_max = 1};

std::string open_mutex(Scene& s) { return open(s.mutex, kMutex); }
std::string open_semaphore(Scene& s) { return open(s.semaphore, kSemaphore, kOneUnit); }
std::string open_read_write(Scene& s) { return open(s.read_write, kReadWrite); }
std::string open_condition(Scene& s) { return open(s.condition, kCondition); }
std::string open_barrier(Scene& s) { return open(s.barrier, kBarrier, 2U); }

void a_mutex(Scene& s) { open_mutex(s); }
void a_semaphore(Scene& s) { open_semaphore(s); }
void a_read_write_lock(Scene& s) { open_read_write(s); }
void a_condition(Scene& s) {
  open_mutex(s);
  open_condition(s);
}
void a_barrier(Scene& s) { open_barrier(s); }

// What is taken stays with the process that took it, so the guards may go with it.
void take_mutex(Scene& s) {
  open_mutex(s);
  s.guard = std::move(*s.mutex->lock(Deadline::never())).regardless();
}
void take_unit(Scene& s) {
  open_semaphore(s);
  s.permit = std::move(*s.semaphore->acquire(Deadline::never()));
}
void take_to_write(Scene& s) {
  open_read_write(s);
  s.write_guard = std::move(*s.read_write->lock_to_write(Deadline::never())).regardless();
}

template <void (*take)(Scene&)>
void held_elsewhere(Scene& s) {
  s.holder.emplace([](const Here& here) {
    Scene theirs;
    take(theirs);
    here.say();
    here.wait_for_word();
  });
  s.holder->hear();
}
template <void (*take)(Scene&)>
void held_by_the_dead(Scene&) {
  const pid_t child = ::fork();
  if (child == 0) {
    Scene theirs;
    take(theirs);
    ::_exit(0);
  }
  expect_played(child);
}
template <void (*before)(Scene&), void (*then)(Scene&)>
void both(Scene& s) {
  before(s);
  then(s);
}
Deadline a_moment() { return Deadline::after(2ms); }
Deadline watchdog() { return Deadline::after(10s); }

std::string wait_for_mutex(Scene& s) { return waited(s.mutex->lock(a_moment())); }
std::string wait_for_unit(Scene& s) { return waited(s.semaphore->acquire(a_moment())); }
std::string wait_to_read(Scene& s) { return waited(s.read_write->lock_to_read(a_moment())); }
std::string wait_to_write(Scene& s) { return waited(s.read_write->lock_to_write(a_moment())); }
std::string wait_for_news(Scene& s) {
  auto held = s.mutex->lock(watchdog());
  if (!held) return outcome(held);
  return outcome(s.condition->wait(std::move(*held).regardless(), a_moment()));
}
std::string meet(Scene& s) { return waited(s.barrier->arrive_and_wait(a_moment())); }

std::string lock_mutex(Scene& s) { return outcome(s.mutex->lock(watchdog())); }
std::string unlock(Scene& s) {
  s.guard.release();
  return "ok";
}
std::string give_back(Scene& s) {
  s.permit.release();
  return "ok";
}

template <auto member>
std::string close(Scene& s) {
  (s.*member).reset();
  return "ok";
}

}  // namespace

std::string use_locks(Scene& s) {
  if (s.holder) s.holder->kill();
  s.guard.release();
  s.permit.release();
  s.write_guard.release();
  if (s.mutex) {
    auto held = s.mutex->lock(watchdog());
    if (!held) return held.error().text;
    std::move(*held).regardless().release();
  }
  if (s.semaphore) {
    if (const auto held = s.semaphore->acquire(watchdog()); !held) return held.error().text;
  }
  if (s.read_write) {
    auto held = s.read_write->lock_to_write(watchdog());
    if (!held) return held.error().text;
    std::move(*held).regardless().release();
  }
  if (s.barrier && s.barrier->arrive_and_wait(a_moment())) return "met nobody";
  return "";
}

std::vector<Operation> lock_operations() {
  return {
      {"OpenMutex", nothing, open_mutex},
      {"OpenSemaphore", nothing, open_semaphore},
      {"OpenReadWriteLock", nothing, open_read_write},
      {"OpenCondition", nothing, open_condition},
      {"OpenBarrier", nothing, open_barrier},
      {"OpenSemaphoreOfTheDead", held_by_the_dead<take_unit>, open_semaphore},
      {"LockMutex", a_mutex, lock_mutex},
      {"WaitForMutex", both<a_mutex, held_elsewhere<take_mutex>>, wait_for_mutex},
      {"WaitForUnit", both<a_semaphore, held_elsewhere<take_unit>>, wait_for_unit},
      {"WaitToRead", both<a_read_write_lock, held_elsewhere<take_to_write>>, wait_to_read},
      {"WaitToWrite", both<a_read_write_lock, held_elsewhere<take_to_write>>, wait_to_write},
      {"WaitForNews", a_condition, wait_for_news},
      {"Meet", a_barrier, meet},
      {"Unlock", take_mutex, unlock},
      {"GiveBack", take_unit, give_back},
      {"CloseMutex", a_mutex, close<&Scene::mutex>, true},
      {"CloseSemaphore", both<a_semaphore, held_by_the_dead<take_unit>>, close<&Scene::semaphore>,
       true},
      {"CloseReadWriteLock", a_read_write_lock, close<&Scene::read_write>, true},
      {"CloseCondition", a_condition, close<&Scene::condition>, true},
      {"CloseBarrier", a_barrier, close<&Scene::barrier>, true},
  };
}

}  // namespace fault
