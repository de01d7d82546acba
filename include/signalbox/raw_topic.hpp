// raw_topic.hpp: topics whose message type is known only at run time, as bytes.
//
// topic.hpp dresses these in a type; the C ABI, the bindings and the tools use them as they are.
// Thread, crash, fork and limit rules are those of topic.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/waitable.hpp"

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
             // dropped_count()
  evict,  // leaves the subscriber behind: it is told evicted, and takes no more of this publisher
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

// Where a subscriber begins.
class Start {
 public:
  static const Start next;    // only what is published from now on
  static const Start latest;  // the newest message there is, then all that follow
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
  // not pay. 0: it sleeps at once, which saves power and costs a wake-up's latency.
  std::chrono::nanoseconds spin_max = std::chrono::microseconds(30);
  Tier tier = Tier::plain;
};

// How a wait ended. None of these is an error.
enum class Wake : int { ready = 0, timed_out = 1, interrupted = 2 };

class RawLoan {
 public:
  RawLoan() = default;
  RawLoan(RawLoan&& other) noexcept;
  RawLoan& operator=(RawLoan&& other) noexcept;
  ~RawLoan() {
    if (owner_ != nullptr) drop();
  }

  explicit operator bool() const noexcept { return owner_ != nullptr; }
  std::span<std::byte> data() noexcept {  // the fixed part
    return {frame_ == nullptr ? in_place_ : frame_, data_bytes_};
  }
  std::span<std::byte> tail() noexcept;
  Result<void> shorten(std::size_t tail_bytes);

 private:
  friend class RawPublisher;
  friend struct PublisherCore;
  void drop() noexcept;
  struct PublisherCore* owner_ = nullptr;
  std::byte* frame_ = nullptr;  // null while the message fits in_place_
  std::uint32_t chunk_ = 0;
  std::uint32_t arena_ = 0;
  std::uint64_t data_bytes_ = 0;
  std::uint64_t tail_bytes_ = 0;
  alignas(16) std::byte in_place_[inline_bytes_max];
};

class RawPublisher {
 public:
  static Result<RawPublisher> open(std::string_view topic, const TypeDescription& type,
                                   const PublisherOptions& options);
  RawPublisher(RawPublisher&&) noexcept;
  RawPublisher& operator=(RawPublisher&&) noexcept;
  ~RawPublisher();

  // Lends a message into `loan`, which must be empty; false: why() says why not.
  bool lend(RawLoan& loan, std::size_t tail_bytes) noexcept;
  Result<std::uint64_t> publish(RawLoan& loan, Deadline deadline);
  // Publishes them in order and wakes sleepers once. Answers how many; the others are still the
  // caller's: why() says why the first of them is.
  std::size_t publish_batch(std::span<RawLoan* const> loans, Deadline deadline) noexcept;
  // For types of at most inline_bytes_max bytes without a tail: publishes a copy of `padded`, of
  // which padded_bytes() are read, zeroes behind the type's own. Answers the position, or
  // no_position: why() says why not. A word and not a Result, because this is the shortest path
  // there is and a Result travels through memory.
  static constexpr std::uint64_t no_position = UINT64_MAX;
  std::uint64_t send_in_place(const std::byte* padded, Deadline deadline) noexcept;
  // The same for `count` messages, each of the type's own size and right behind the one before.
  // Sleepers are woken once. Answers how many were published; fewer than asked: why() says why.
  std::size_t send_batch(const std::byte* messages, std::size_t count, Deadline deadline) noexcept;
  Error why() const noexcept;
  std::uint32_t subscriber_count();
  std::uint64_t dropped_count() const noexcept;
  std::uint64_t evicted_count() const noexcept;

 private:
  explicit RawPublisher(std::unique_ptr<struct PublisherCore> core) noexcept;
  std::unique_ptr<struct PublisherCore> core_;
};

class RawSample {
 public:
  RawSample() = default;
  RawSample(RawSample&& other) noexcept;
  RawSample& operator=(RawSample&& other) noexcept;
  ~RawSample() {
    if (pin_ != nullptr) release();
  }

  explicit operator bool() const noexcept { return publisher_ != 0; }
  std::span<const std::byte> data() const noexcept {
    return {frame_ == nullptr ? in_place_ : frame_, data_bytes_};
  }
  std::span<const std::byte> tail() const noexcept;
  std::uint64_t position() const noexcept { return position_; }
  std::uint64_t publisher() const noexcept { return publisher_; }

 private:
  friend class RawSubscriber;
  friend struct SubscriberCore;
  void release() noexcept;
  const std::byte* frame_ = nullptr;     // null while the message lies in_place_
  std::shared_ptr<const void> keeps_{};  // the mappings `frame_` and `pin_` point into
  void* pin_ = nullptr;                  // the pin slot to clear
  std::uint64_t data_bytes_ = 0;
  std::uint64_t tail_bytes_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t publisher_ = 0;
  alignas(16) std::byte in_place_[inline_bytes_max];
};

class RawSubscriber {
 public:
  static Result<RawSubscriber> open(std::string_view topic, const TypeDescription& type,
                                    const SubscriberOptions& options);
  RawSubscriber(RawSubscriber&&) noexcept;
  RawSubscriber& operator=(RawSubscriber&&) noexcept;
  ~RawSubscriber();

  // Fill `sample`, releasing what it held; false: nothing new, or status() says why not. Filling
  // in place, because a sample of 48 bytes is dear to move three times at this speed.
  bool take(RawSample& sample) noexcept;
  bool take_latest(RawSample& sample) noexcept;
  // Copies the fixed parts of up to `room` messages, one behind the other, and answers how many.
  // A reliable subscriber's progress is told once, at the end.
  std::size_t take_batch(std::byte* messages, std::size_t room) noexcept;
  Result<Wake> wait(Deadline deadline);
  Result<int> descriptor();
  const Error* status() const noexcept;
  std::uint64_t lost_count() const noexcept;
  std::uint64_t skipped_count() const noexcept;
  std::uint32_t publisher_count();
  Waitable waitable() const noexcept;

 private:
  explicit RawSubscriber(std::unique_ptr<struct SubscriberCore> core) noexcept;
  std::unique_ptr<struct SubscriberCore> core_;
};

}  // namespace signalbox
