// raw_topic.hpp: topics whose message type is known only at run time, as bytes.
//
// topic.hpp dresses these in a type; the C ABI, the bindings and the tools use them as they are.
// Thread, crash, fork and limit rules are those of topic.hpp.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/describe.hpp"
#include "signalbox/error.hpp"
#include "signalbox/shm/send_lane.hpp"
#include "signalbox/shm/take_lane.hpp"
#include "signalbox/topic_options.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox {

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
  explicit operator bool() const noexcept { return core_ != nullptr; }

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
  // The same for a message that is at hand as a T, in line.
  template <class T>
  std::uint64_t send_value(const T& value, Deadline deadline) noexcept {
    std::uint64_t position = 0;
    const shm::Shown shown = lane_->show(value, position);
    if (shown == shm::Shown::to_sleepers) [[unlikely]]
      wake_sleepers();
    if (shown != shm::Shown::no) [[likely]]
      return position;
    // A copy even where it fills the slot: a value whose address goes nowhere is in registers.
    alignas(16) std::byte padded[padded_bytes(sizeof(T))]{};
    std::memcpy(padded, &value, sizeof(T));
    return send_in_place(padded, deadline);
  }
  // send_in_place() for `count` messages, each of the type's own size and right behind the one
  // before. Sleepers are woken once. Answers how many were published; fewer than asked: why()
  // says why.
  std::size_t send_batch(const std::byte* messages, std::size_t count, Deadline deadline) noexcept;
  Error why() const noexcept;
  std::uint32_t subscriber_count();
  std::uint64_t dropped_count() const noexcept;
  std::uint64_t evicted_count() const noexcept;

 private:
  explicit RawPublisher(std::unique_ptr<struct PublisherCore> core) noexcept;
  void wake_sleepers() noexcept;
  std::unique_ptr<struct PublisherCore> core_;
  shm::SendLane<shm::RealAtomics>* lane_;  // of the core
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
  explicit operator bool() const noexcept { return core_ != nullptr; }

  // Fill `sample`, releasing what it held; false: nothing new, or status() says why not. Filling
  // in place, because a sample of 48 bytes is dear to move three times at this speed.
  bool take(RawSample& sample) noexcept;
  // The same into a sample that is empty, for messages of type T: in line, where they lie in slots.
  template <class T>
  bool take_value(RawSample& sample) noexcept {
    if constexpr (has_tail<T> || sizeof(T) > inline_bytes_max) {
      return take(sample);
    } else {
      shm::TakeLink<shm::RealAtomics>* from = nullptr;
      const shm::Taken taken = take_from_slot<sizeof(T)>(sample, from);
      if (taken == shm::Taken::no) return false;
      if (taken == shm::Taken::otherwise) [[unlikely]]
        return take(sample);
      sample.data_bytes_ = sizeof(T);
      sample.position_ = from->position - 1;
      sample.publisher_ = from->incarnation;
      if (taken == shm::Taken::from_sleeper) [[unlikely]]
        wake_publisher(*from);
      return true;
    }
  }
  bool take_latest(RawSample& sample) noexcept;
  // Copies the fixed parts of up to `room` messages, one behind the other, and answers how many.
  // A reliable subscriber's progress is told once, at the end.
  std::size_t take_batch(std::byte* messages, std::size_t room) noexcept;
  Result<Wake> wait(Deadline deadline);
  Result<int> descriptor();
  const Error* status() const noexcept;
  std::uint64_t lost_count() const noexcept;
  std::uint64_t dropped_count() noexcept;
  std::uint64_t skipped_count() const noexcept;
  std::uint32_t publisher_count();
  Waitable waitable() const noexcept;

 private:
  explicit RawSubscriber(std::unique_ptr<struct SubscriberCore> core) noexcept;
  template <std::size_t bytes>
  shm::Taken take_from_slot(RawSample& sample,
                            shm::TakeLink<shm::RealAtomics>*& from) const noexcept {
    if constexpr (bytes <= one_line_bytes_max) {
      return lane_->take(sample.in_place_, from);
    } else {
      return lane_->take_long(sample.in_place_, padded_bytes(bytes) / sizeof(std::uint64_t), from);
    }
  }
  static void wake_publisher(const shm::TakeLink<shm::RealAtomics>& link) noexcept;
  std::unique_ptr<struct SubscriberCore> core_;
  shm::TakeLane<shm::RealAtomics>* lane_;  // of the core
};

}  // namespace signalbox
