// kill_operations.hpp: what the victim of the kill driver is doing when it dies.
//
// A victim prepares itself, rests (it stops itself, which its tracer sees), performs one operation
// and rests again. The tracer kills it between the last two rests, or lets it stand still there for
// a while: then it goes on after the last rest, hears what it is owed, publishes once more, leaves.
#pragma once

#include <atomic>
#include <cstdint>
#include <iosfwd>

namespace kill_driver {

inline constexpr std::uint32_t victim_depth = 4;
inline constexpr std::uint64_t survivor = 1;  // authors' numbers
inline constexpr std::uint64_t contender = 2;
inline constexpr std::uint64_t newcomer = 3;
inline constexpr std::uint64_t first_victim = 100;

enum class Work {
  open_publisher,
  open_subscriber,
  lend,
  publish,
  publish_without_room,  // a reliable subscriber is a ring behind: it waits, bounded
  grow,                  // lends a message for which a further arena is made
  take,
  take_grown,  // the message lies in an arena that was not there when the subscriber looked
  release,
  wait_ready,     // a message is there
  wait_sleeping,  // none is: announces itself and sleeps, bounded
  arm_descriptor,
  close_publisher,
  close_subscriber
};

// What the rest of the topic looks like.
enum class Company {
  survivors,  // a publisher and a reliable subscriber that live on
  nobody,     // the victim makes the topic, or is the last in it
  a_corpse    // survivors, and a publisher and a subscriber that were killed before
};

// How the topic's messages travel: kill_messages.hpp has a type for each.
enum class Carrier { slot, long_slot, frame, arena };

struct Operation {
  const char* name;
  Work work;
  Carrier carrier;
  Company company;
};
std::ostream& operator<<(std::ostream& out, const Operation& operation);

// Written by the victim, outlives it.
struct Report {
  std::atomic<std::uint64_t> committed;  // messages whose publish() returned
  std::atomic<std::uint64_t> trouble;    // calls that failed though they must not
  // What it has had of the survivor: numbers from `first` up to, not including, `heard`; and up to
  // where the tracer says that it must.
  std::atomic<std::uint64_t> first;
  std::atomic<std::uint64_t> heard;
  std::atomic<std::uint64_t> owed;
  std::atomic<std::uint64_t> left;  // 1: it has gone on, and left as one does
};

// The victim's whole life. It rests `rests_before(work)` times before the operation, for the
// survivors to take what it published, and then once at the operation's beginning and end.
[[noreturn]] void live(const Operation& operation, std::uint64_t author, Report& report);
int rests_before(Work work);

// Opens a publisher and a subscriber, holds a message, publishes one: ready to be killed.
[[noreturn]] void live_to_be_a_corpse(Carrier carrier, std::uint64_t author);

// Publishes and takes at full speed for ever.
[[noreturn]] void contend(Carrier carrier, std::uint64_t author);

}  // namespace kill_driver
