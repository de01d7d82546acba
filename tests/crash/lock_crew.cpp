#include "lock_crew.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <vector>

#include "signalbox/lock.hpp"
#include "signalbox/read_write_lock.hpp"
#include "signalbox/semaphore.hpp"

namespace lock_crew {

namespace {

using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Error;
using namespace std::chrono_literals;

class Crewman {
 public:
  Crewman(std::size_t number, std::uint64_t seed, Report& report)
      : number_(number), random_(seed), report_(report) {}

  // Usually patient; now and then so impatient that the deadline and the call meet.
  Deadline some_deadline() {
    return Deadline::after(random_() % 4 == 0 ? std::chrono::nanoseconds(random_() % 200'000)
                                              : std::chrono::nanoseconds(20s));
  }
  bool odds(unsigned one_in) { return random_() % one_in == 0; }

  void hold(std::uint32_t how, std::uint32_t may_hold_at_once, bool told) {
    Worker& self = report_.worker[number_];
    self.holding = how;
    if (told) ++report_.told;
    const std::uint32_t here = others(how == 2 ? 1 : 3) + 1;
    if (here > may_hold_at_once) ++report_.broken;
    for (auto turns = random_() % 300; turns > 0; --turns) asm volatile("" ::: "memory");
    if (odds(8)) ::sched_yield();
    self.holding = 0;
    ++self.taken;
  }

  void failed(const Error& error) {
    if (error.code == Errc::timed_out || error.code == Errc::would_block) return;
    std::fprintf(stderr, "worker: %s\n", error.text.c_str());
    ++report_.errors;
  }

 private:
  // How many others hold it in one of these ways at one moment: who did before it and after it, and
  // never gave it back. One look around would count who gives it back and who takes it from him.
  std::uint32_t others(std::uint32_t ways) const {
    std::array<std::uint64_t, workers> before{};
    for (std::size_t i = 0; i < workers; ++i) before.at(i) = hold_of(i, ways);
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < workers; ++i) {
      count += before.at(i) != 0 && hold_of(i, ways) == before.at(i) ? 1 : 0;
    }
    return count;
  }
  // A number for each time that this worker, another than us, holds it; 0: it does not.
  std::uint64_t hold_of(std::size_t worker, std::uint32_t ways) const {
    const Worker& other = report_.worker[worker];
    const std::uint64_t taken = other.taken;
    const std::uint64_t hold = std::uint64_t{other.life} << 40 | taken << 1 | 1;
    const bool holds = worker != number_ && (other.holding.load() & ways) != 0;
    // Asked after that: the mark comes before the kill, and who gave it back counts it.
    const bool is_current = other.dying.load() == 0 && other.taken.load() == taken;
    return holds && is_current ? hold : 0;
  }

  std::size_t number_;
  std::mt19937_64 random_;
  Report& report_;
};

template <class Opened>
auto or_stop(Opened opened) {
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().text.c_str());
    std::_Exit(1);
  }
  return std::move(*opened);
}

signalbox::Mutex open_mutex(bool fair) {
  return or_stop(signalbox::Mutex::open("crew", {.domain = {}, .first_come_first_served = fair}));
}
signalbox::Semaphore open_semaphore(bool fair) {
  return or_stop(signalbox::Semaphore::open(
      "crew", {.units_max = units, .units = {}, .domain = {}, .first_come_first_served = fair}));
}

[[noreturn]] void take_mutex(bool fair, Crewman self) {
  auto mutex = open_mutex(fair);
  for (;;) {
    auto held = self.odds(16) ? mutex.try_lock() : mutex.lock(self.some_deadline());
    if (!held) {
      self.failed(held.error());
      continue;
    }
    const bool told = held->owner_died();
    const auto guard = std::move(*held).regardless();
    self.hold(1, 1, told);
  }
}

[[noreturn]] void take_units(bool fair, Crewman self) {
  auto semaphore = open_semaphore(fair);
  for (;;) {
    auto permit = self.odds(16) ? semaphore.try_acquire() : semaphore.acquire(self.some_deadline());
    if (permit) {
      self.hold(1, units, false);
    } else {
      self.failed(permit.error());
    }
  }
}

[[noreturn]] void read_and_write(Crewman self) {
  auto lock = or_stop(signalbox::ReadWriteLock::open("crew"));
  for (;;) {
    if (self.odds(2)) {
      const auto reading = lock.lock_to_read(self.some_deadline());
      reading ? self.hold(2, 1, false) : self.failed(reading.error());
      continue;
    }
    auto held = lock.lock_to_write(self.some_deadline());
    if (!held) {
      self.failed(held.error());
      continue;
    }
    const bool told = held->owner_died();
    const auto writing = std::move(*held).regardless();
    self.hold(1, 1, told);
  }
}

}  // namespace

Report* map_report() {
  void* at =
      ::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : new (at) Report{};
}

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::mutex:
      return "Mutex";
    case Kind::fair_mutex:
      return "FairMutex";
    case Kind::semaphore:
      return "Semaphore";
    case Kind::fair_semaphore:
      return "FairSemaphore";
    case Kind::read_write:
      break;
  }
  return "ReadWriteLock";
}

pid_t start(Kind kind, std::size_t number, std::uint64_t seed, Report& report) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) std::_Exit(1);
  const Crewman self(number, seed, report);
  if (kind == Kind::mutex || kind == Kind::fair_mutex) take_mutex(kind == Kind::fair_mutex, self);
  if (kind == Kind::read_write) read_and_write(self);
  take_units(kind == Kind::fair_semaphore, self);
}

std::string visit(Kind kind, const std::function<void()>& while_held,
                  std::chrono::seconds patience) {
  const Deadline deadline = Deadline::after(patience);
  const auto hold = [&] {
    if (while_held) while_held();
  };
  if (kind == Kind::mutex || kind == Kind::fair_mutex) {
    auto mutex = open_mutex(kind == Kind::fair_mutex);
    auto held = mutex.lock(deadline);
    if (!held) return held.error().text;
    const auto guard = std::move(*held).regardless();
    hold();
    return {};
  }
  if (kind == Kind::read_write) {
    auto lock = or_stop(signalbox::ReadWriteLock::open("crew"));
    auto held = lock.lock_to_write(deadline);
    if (!held) return held.error().text;
    const auto guard = std::move(*held).regardless();
    hold();
    return {};
  }
  auto semaphore = open_semaphore(kind == Kind::fair_semaphore);
  std::vector<signalbox::Permit> permits;
  while (permits.size() < units) {
    // With some of them in hand nobody waits for the rest: another may wait with those.
    auto permit = permits.empty() ? semaphore.acquire(deadline) : semaphore.try_acquire();
    if (permit) {
      permits.push_back(std::move(*permit));
    } else if (permits.empty() || deadline.passed()) {
      return permit.error().text;
    } else {
      permits.clear();
      ::sched_yield();
    }
  }
  hold();
  return semaphore.try_acquire() ? "there are more units than there were" : "";
}

}  // namespace lock_crew
