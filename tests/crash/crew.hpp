// crew.hpp: publishers and subscribers in processes of their own, and what they report.
//
// Everything the workers report lies in one shared page set that the driver maps before it forks,
// so that a report survives the death of its author.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

#include "signalbox/raw_topic.hpp"

namespace crew {

inline constexpr std::uint64_t spawns_max = 20'000;
inline constexpr std::size_t subscribers = 3;

enum class Duty {
  publish,
  take_reliably,         // waits on the futex, loses nothing
  take_and_hold,         // lossy, holds a few samples at a time
  take_from_descriptor,  // lossy, in a poll loop
};

struct Report {
  std::atomic<std::uint64_t> published[spawns_max];  // by a publisher: how many publishes returned
  std::atomic<std::uint64_t> taken[spawns_max];      // by any subscriber: how many it took
  std::atomic<std::uint64_t> loans_refused[spawns_max];
  // By the reliable subscriber that lives: the last number taken of each publisher, plus one.
  std::atomic<std::uint64_t> received[spawns_max];
  std::atomic<std::uint64_t> torn;        // messages whose content did not hold together
  std::atomic<std::uint64_t> disordered;  // numbers that did not grow by one where they must
  std::atomic<std::uint64_t> lost;        // by reliable subscribers, who may lose nothing
  std::atomic<std::uint64_t> errors;      // calls that failed though they must not
};

Report* map_report();

// What the crew works on.
struct Topic {
  bool has_frames;  // messages too large for a slot
  signalbox::Tier tier = signalbox::Tier::plain;
};

// Forks a worker that does its duty until it is killed. `spawn` is its number in the report.
pid_t start(Duty duty, std::uint64_t spawn, const Topic& topic, Report& report);

// A publisher of frames in the caller's own process, as small as it can be: `held_max` frames
// beyond the ring of four and the one being filled.
class FrameSource {
 public:
  FrameSource(std::uint32_t held_max, signalbox::Tier tier);
  ~FrameSource();
  // False: every frame is held by somebody.
  bool publish();

 private:
  struct Inside;
  Inside* inside_;
  std::uint64_t number_ = 0;
};

// Opens and closes a subscriber: the visitor that cleans up after everybody else died.
bool visit(const Topic& topic);

}  // namespace crew
