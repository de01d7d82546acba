// participant.hpp: publishers and subscribers in processes of their own, and what they are at.
//
// What they report lies in shared memory, so it is there whether they run, are stopped or are dead.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>

#include "signalbox/topic.hpp"

namespace stop {

struct Beat {
  std::uint64_t number;
};
struct Picture {
  std::uint64_t number;
  std::uint64_t words[63];
};

inline constexpr char beats[] = "stop/beats";

struct Report {
  std::atomic<std::uint64_t> published;
  std::atomic<std::uint64_t> taken;
  std::atomic<std::uint64_t> lost;
  std::atomic<std::uint64_t> disordered;
  std::atomic<std::uint64_t> refused;  // publishes that timed out
  std::atomic<std::uint64_t> errors;   // anything else
  std::atomic<std::uint64_t> mark;     // a step of a test
};
Report* map_report();

// A forked child that runs `work` and exits with what it answers; killed and reaped at the latest
// with this object.
class Participant {
 public:
  explicit Participant(const std::function<int()>& work);
  Participant(const Participant&) = delete;
  Participant& operator=(const Participant&) = delete;
  ~Participant();
  pid_t pid() const { return pid_; }
  void signal(int number) const;
  // Until the kernel says that it is stopped, running again, or dead and not reaped.
  void wait_until_stopped() const;
  void wait_until_dead() const;
  // Its exit status, or 128 + the signal.
  int join();

 private:
  pid_t pid_;
};

// A watchdog, not a limit on speed: true once the condition holds.
bool eventually(const std::function<bool()>& condition);

// Publishes beats until it is killed, waiting for reliable subscribers; takes them until killed.
int publish_beats(Report& report);
int take_beats(Report& report, bool reliable, bool by_descriptor);

}  // namespace stop

SBX_DESCRIBE(stop::Beat, number);
SBX_DESCRIBE(stop::Picture, number, words);
