// crew.hpp: the four processes that act on one of the two objects, driven through shared memory.
//
//   Threads  one driver
//   Crash    actors die with their driver
//   Fork     actors are forked here
//   Limits   an operation that neither ends nor sleeps within the driver's patience hangs
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "family.hpp"
#include "operation.hpp"
#include "signalbox/os/fd.hpp"

namespace signalbox::differential {

struct Hang : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Shared by the driver and one actor. The state says whose turn it is; both sleep on it.
struct alignas(64) Slot {
  enum State : std::uint32_t { idle, asked, taken, answered };
  std::atomic<std::uint32_t> state{idle};
  std::uint32_t epoch = 0;  // counts objects: a new one has to be met
  std::int64_t address = 0;
  Operation operation{};
  Answer answer{};
};

class Crew {
 public:
  Crew(std::unique_ptr<Side> side, std::chrono::seconds patience);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  // A new object, which the actors meet at their next operation.
  void begin();
  // The object goes, and everybody is idle again. Who slept and is not woken by that is woken by a
  // signal, or is replaced where it goes on after one. Answers what the sleepers answered.
  std::array<Answer, processes> end(bool removal_wakes);

  void ask(int process, const Operation& operation);
  void signal(int process);
  // SIGKILL; returns when the process is gone, and another has taken its place.
  void kill(int process);

  // Waits until everybody has answered or sleeps.
  void settle();
  bool is_busy(int process) const { return busy_.at(static_cast<std::size_t>(process)); }
  const Operation& operation(int process) const { return slot(process).operation; }
  // The answer to what was asked, once, if there is one.
  bool take_answer(int process, Answer& answer);
  Facts look();

 private:
  struct Actor {
    pid_t pid = -1;
    os::Fd stat;  // /proc/PID/stat: whether it sleeps
  };

  void start(int process);
  [[noreturn]] void act(Slot& slot);
  bool is_asleep(int process) const;
  // Whether it has answered; it sleeps otherwise.
  bool settle(int process);
  Slot& slot(int process) const { return slots_[process]; }

  std::unique_ptr<Side> side_;
  std::int64_t patience_ns_;
  Slot* slots_;
  std::array<Actor, processes> actors_{};
  std::array<bool, processes> busy_{};
  std::map<std::int64_t, int> numbers_;  // of all pids that acted on this object
  std::int64_t address_ = 0;
  std::uint32_t epoch_ = 0;
};

}  // namespace signalbox::differential
