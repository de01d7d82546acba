// lock_crew.hpp: processes that take one lock again and again, and what they report.
//
// What they report lies in shared memory that the driver maps before it forks, so that it survives
// its author. Who is about to be killed is marked before: he counts as a holder no more, because
// nobody can say whether he still lived when somebody else took over.
//
//   Threads  one a worker
//   Crash    is what they are for
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace lock_crew {

enum class Kind { mutex, fair_mutex, semaphore, fair_semaphore, read_write };

inline constexpr std::size_t workers = 6;
inline constexpr std::uint32_t units = 2;  // of the semaphores

struct Worker {
  std::atomic<std::uint64_t> taken;    // how often it had the lock, over all who bore the number
  std::atomic<std::uint32_t> holding;  // 1: it has the lock; 2: to read
  std::atomic<std::uint32_t> dying;
  std::atomic<std::uint32_t> life;  // counts who bore the number
};

struct Report {
  Worker worker[workers];
  std::atomic<std::uint64_t> told;    // that the last owner had died
  std::atomic<std::uint64_t> broken;  // more held it at once than may
  std::atomic<std::uint64_t> errors;  // calls that failed though they must not
};

Report* map_report();
const char* name_of(Kind kind);

// Forks a worker that takes and gives back until it is killed.
pid_t start(Kind kind, std::size_t number, std::uint64_t seed, Report& report);

// Opens it, takes all there is of it once, does `while_held`, gives it back and closes it. Answers
// what was wrong; empty: nothing. The usual deadline is a watchdog.
std::string visit(Kind kind, const std::function<void()>& while_held = {},
                  std::chrono::seconds patience = std::chrono::seconds(20));

}  // namespace lock_crew
