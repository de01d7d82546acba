// topic_options.hpp: how a publisher and a subscriber are opened, and what they are limited to.
//
//   Threads  values
//   Crash    nothing to lose
//   Fork     safe
//   Limits   depth_max and those below it
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace signalbox {

inline constexpr std::uint32_t depth_max = 65536;       // slots in one publisher's ring
inline constexpr std::uint32_t loans_max = 64;          // loans a publisher may have open
inline constexpr std::uint32_t pins_max = 64;           // large samples a subscriber may hold
inline constexpr std::uint32_t publishers_max = 64;     // publishers one topic may have at once
inline constexpr std::uint32_t subscribers_max = 1024;  // subscribers one topic may have at once
// A message of a type up to here, if it has no tail, travels in its slot and is copied there and
// back; up to 48 bytes a slot is one cache line. A larger one is filled and read where it lies.
inline constexpr std::size_t inline_bytes_max = 480;
inline constexpr std::size_t one_line_bytes_max = 48;
// How many bytes are copied of one that travels in its slot.
constexpr std::size_t padded_bytes(std::size_t fixed_bytes) noexcept {
  return fixed_bytes <= one_line_bytes_max ? one_line_bytes_max : (fixed_bytes + 15) / 16 * 16;
}

// What a topic carries: a name for people and the canonical description (grammar: signalbox.h).
struct TypeDescription {
  std::string name;
  std::string text;
};

// What publish() does when a reliable subscriber is a whole ring behind.
enum class WhenBehind : std::uint8_t {
  wait,  // for it, until the deadline: error timed_out, or would_block if the deadline has passed
  drop_new,  // gives this message up at once, for all: error would_block, counted in
             // dropped_count() here and at every subscriber
  // leaves the subscriber behind: it is told evicted, takes no more of this publisher, and its
  // lost_count() goes on counting what it does not get. Opened again it begins with new counts:
  // what it missed on the way is told by the positions of its last sample and of its new first.
  evict,
};

// Does a publish wake those who sleep?
enum class WakeSleepers : std::uint8_t {
  yes,
  // publish() never enters the kernel; whoever sleeps finds the message when he next looks by
  // himself, after at most 100 ms. What else needs the kernel (who joined, which frames are free)
  // is done by loan() and by send(). A reliable subscriber that joins between a loan and its
  // publish may count as lost what was overwritten meanwhile.
  no
};

// What others map of a participant, and how they come to it. All users of a topic ask for the same;
// SECURITY.md says what each protects from.
enum class Tier : std::uint8_t {
  plain,  // files that whoever may write the domain can open
  // Memory sealed by the kernel, so that nobody can shorten it or write another's, which the
  // participants hand each other over sockets when they have checked who they are. A thread of the
  // library answers newcomers while a participant is open. What was published dies with its
  // publisher, but for subscribers that were there when it was opened.
  hardened
};

struct PublisherOptions {
  std::uint32_t depth = 16;          // messages kept for slow and late subscribers; power of two
  std::uint32_t loans_max = 1;       // messages being filled at once
  std::uint32_t held_max = 4;        // frames subscribers may hold, all together, beyond the ring
  std::uint64_t tail_bytes_max = 0;  // largest tail with memory of its own; the type must have one
  // Largest tail at all. Above tail_bytes_max: a loan() that asks for a longer one makes room for
  // it then, enters the kernel, and fails with no_space if there is none. What was made once stays
  // until the publisher closes. 0: nothing is made after open.
  std::uint64_t grown_tail_bytes_max = 0;
  std::string domain{};  // empty: $SIGNALBOX_DIR, else $SIGNALBOX_DOMAIN, "default"
  WhenBehind when_behind = WhenBehind::wait;
  WakeSleepers wake = WakeSleepers::yes;
  Tier tier = Tier::plain;
};

// Where a subscriber begins, with each of the publishers that are there already.
class Start {
 public:
  static const Start next;    // only what is published from now on
  static const Start latest;  // its newest message, then all that follow
  static const Start oldest;  // everything still kept
  static constexpr Start back(std::uint64_t count) noexcept { return Start{count}; }
  constexpr std::uint64_t messages_back() const noexcept { return back_; }

 private:
  constexpr explicit Start(std::uint64_t back) noexcept : back_(back) {}
  std::uint64_t back_;
};
inline constexpr Start Start::next{0};
inline constexpr Start Start::latest{1};
inline constexpr Start Start::oldest{UINT64_MAX};

struct SubscriberOptions {
  Start start = Start::latest;
  bool reliable = false;  // publishers wait for this subscriber instead of overwriting
  std::string domain{};
  // How long wait() may look again and again before it sleeps; it looks less long where that does
  // not pay. Not negative; 0: it sleeps at once, which saves power and costs a wake-up's latency.
  std::chrono::nanoseconds spin_max = std::chrono::microseconds(30);
  Tier tier = Tier::plain;
  // Maps the rings of publishers writable, though nothing here writes them. On some processors
  // (AMD's EPYC) a line that another core wrote a moment ago comes a tenth sooner to a page that
  // could be written (docs/performance.md). The price: a stray write of this process may spoil
  // messages, or the page before them by which their publisher works, for everybody. Frames stay
  // read-only, and so does all where it may not be opened for writing, and in the hardened tier.
  bool writable_ring = false;
};

}  // namespace signalbox
