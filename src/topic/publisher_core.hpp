// publisher_core.hpp: one publisher's segment, its frames, and the subscribers it must respect.
//
// The fast path of publish() is: one look at the epoch, the slot's stores, this side of the
// barrier, one look at the bell. All else happens only when somebody joined, left, sleeps, or is a
// whole ring behind.
//
//   Threads  one at a time
//   Crash    subscribers drain what was published; whoever looks next reaps the file
//   Fork     calls in a child answer wrong_process
//   Limits   raw_topic.hpp
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "shm/frame_pool.hpp"
#include "shm/prefetch.hpp"
#include "signalbox/raw_topic.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "signalbox/shm/ring.hpp"
#include "signalbox/shm/send_lane.hpp"
#include "topic/directory.hpp"
#include "topic/layout.hpp"
#include "topic/ticket_sleep.hpp"

namespace signalbox {

// A subscriber as its publishers see it.
struct SubscriberLink {
  topic::Participant who;
  os::Fd file;
  os::Mapping mapping;
  const topic::SubscriberPage* page = nullptr;
  os::Fd signal{};              // its named pipe, opened when it first armed a descriptor
  std::uint32_t signalled = 0;  // the arming that was answered last
  std::size_t cursor = shm::cursor_slots;  // our entry in its table, once it has one
  bool is_evicted = false;                 // was too slow: its cursor counts no more

  bool is_ready() const noexcept { return page->stage.load() == topic::Stage::ready; }
};

// The sizes of our own segment. Its header says the same, but whoever may write the file may change
// that, and we would lend memory that is not ours.
struct OwnShape {
  std::uint32_t frames;
  std::uint64_t frame_bytes;
  std::uint64_t frames_offset;
  std::uint64_t fixed_bytes;
  std::uint64_t tail_bytes_max;
  std::uint32_t slot_lines;
  std::uint32_t arena_frames;  // in each arena, the first one too if it has any; 0: no frames ever
  std::uint64_t grown_tail_bytes_max;

  // Does a message with such a tail travel in its slot?
  bool fits_in_place(std::uint64_t tail_bytes) const noexcept {
    return topic::fits_in_place(slot_lines, fixed_bytes, tail_bytes);
  }
};

// One of our further arenas, once a loan has asked for it.
struct OwnArena {
  os::Fd file{};  // hardened: none, the meeting point has the memory
  os::Mapping mapping{};
  std::uint64_t frame_bytes = 0;
  std::uint64_t frames_offset = 0;
  bool is_shown = false;  // to all subscribers, so that slots may name it
};

struct PublisherCore {
  static Result<std::unique_ptr<PublisherCore>> open(std::string_view topic,
                                                     const TypeDescription& type,
                                                     const PublisherOptions& options);
  PublisherCore(topic::TopicDirectory directory, topic::OwnSegment segment,
                const PublisherOptions& options);
  ~PublisherCore();
  PublisherCore(const PublisherCore&) = delete;
  PublisherCore& operator=(const PublisherCore&) = delete;

  bool lend(RawLoan& loan, std::size_t tail_bytes) noexcept;
  Result<std::uint64_t> publish(RawLoan& loan, Deadline deadline);
  std::uint64_t send_in_place(const std::byte* padded, Deadline deadline) noexcept;
  std::size_t send_batch(const std::byte* messages, std::size_t count, Deadline deadline) noexcept;
  std::size_t publish_batch(std::span<RawLoan* const> loans, Deadline deadline) noexcept;
  void drop(RawLoan& loan) noexcept;
  std::uint32_t subscriber_count();
  std::uint64_t dropped_count() const noexcept { return page_->dropped.load(); }
  std::uint64_t evicted_count() const noexcept { return page_->evicted.load(); }
  const Error& why() const noexcept { return why_; }
  shm::SendLane<topic::Atomics>& lane() noexcept { return lane_; }
  void wake_sleepers() noexcept;
  bool is_foreign() const noexcept { return generation_ != os::fork_generation(); }
  // Publishes without entering the kernel: looks at who joined when it lends instead.
  bool is_silent() const noexcept { return options_.wake == WakeSleepers::no; }

 private:
  // Who is there.
  Result<void> refresh() noexcept;
  Result<void> look_whether_whole() noexcept;
  Result<void> meet_everyone();
  Result<void> link(const topic::Participant& who);
  void find_cursor(SubscriberLink& link) const noexcept;
  void pass_full_fences_if_needed() noexcept;
  void forget_the_dead() noexcept;
  // Publishing.
  bool is_fast() const noexcept { return lane_.is_fast(); }
  void order_before_bell() const noexcept;
  void ring_the_bell() noexcept;
  std::uint64_t wake_and_answer(std::uint64_t position) noexcept;
  std::size_t fill_slots(const std::byte* messages, std::size_t count) noexcept;
  std::uint64_t send_otherwise(const std::byte* padded, Deadline deadline) noexcept;
  void fill_slot(std::uint64_t tail_bytes, const std::byte* padded) noexcept;
  bool lend_slowly(RawLoan& loan, std::size_t tail_bytes) noexcept;
  void lend_frame(RawLoan& loan, std::size_t tail_bytes) noexcept;
  bool lend_grown(RawLoan& loan, std::size_t tail_bytes) noexcept;
  void lend_in_place(RawLoan& loan, std::size_t tail_bytes) noexcept;
  Result<std::uint64_t> publish_slowly(RawLoan& loan, Deadline deadline);
  std::uint64_t show(RawLoan& loan) noexcept;
  std::uint64_t show_in_place(RawLoan& loan) noexcept;
  void fill_with_frame(RawLoan& loan) noexcept;
  void fill_with_copy(RawLoan& loan) noexcept;
  void prepare_next_frame(std::uint64_t tail_bytes) noexcept;
  enum class MayLook : bool { no, yes };  // who is there: a look enters the kernel
  Result<void> make_room(Deadline deadline, MayLook may_look) noexcept;
  // Frames.
  bool make_frames_free(std::uint32_t arena = 0) noexcept;
  Result<void> grow(std::uint32_t number);
  void look_for_lost_arenas() const noexcept;
  void reclaim() noexcept;
  // Reliable subscribers.
  bool has_room() noexcept;
  SubscriberLink* slowest(std::uint64_t& position) noexcept;
  Result<void> find_room(Deadline deadline);
  Result<void> wait_for_room(Deadline deadline);
  Error behind(Errc code, const SubscriberLink& who, std::string_view what) const;
  void sleep_for_room(const SubscriberLink& behind, Deadline deadline) noexcept;
  // Sleepers.
  void signal_descriptors() noexcept;
  bool signal_all();

  Error refuse(Errc code, std::string_view text) const noexcept;
  Error refuse_foreigner() const noexcept;

  // What every publish() looks at comes first.
  shm::SendLane<topic::Atomics> lane_;
  bool asymmetric_;  // sleepers pass the heavy half of the barrier
  bool is_plain_;    // neither frames nor tails: what send_in_place() takes for granted
  unsigned generation_;
  os::ZeroedInChild room_in_child_{lane_.room_until};

  topic::TopicDirectory directory_;
  topic::OwnSegment segment_;
  topic::PublisherPage* page_;
  const OwnShape shape_;
  shm::FramePool pool_;
  PublisherOptions options_;
  std::vector<SubscriberLink> links_;
  std::vector<OwnArena> arenas_;    // by number, from 1
  std::uint32_t arenas_shown_ = 0;  // a bit for each
  std::uint32_t loans_open_ = 0;
  std::int64_t look_for_dead_at_ns_ = 0;
  AdaptiveSpin spin_{30'000};  // before it sleeps for room
  Error why_{};
};

// ---- the fast path ------------------------------------------------------------------------------

// Our half of the barrier between a message and the look at the bell.
inline void PublisherCore::order_before_bell() const noexcept {
  if (asymmetric_) [[likely]] {
    topic::Atomics::compiler_fence();
  } else {
    topic::Atomics::full_fence();
  }
}

inline void PublisherCore::ring_the_bell() noexcept {
  order_before_bell();
  if (shm::somebody_sleeps(*lane_.bell)) [[unlikely]]
    wake_sleepers();
}

// For whoever cannot send in line: other languages, and types known at run time. All that is rare,
// or is not of one line, is the last thing done, and needs no stack frame here.
inline std::uint64_t PublisherCore::send_in_place(const std::byte* padded,
                                                  Deadline deadline) noexcept {
  if (shape_.slot_lines != 1) return send_otherwise(padded, deadline);
  using OneLine = std::byte[one_line_bytes_max];
  std::uint64_t position = 0;
  const shm::Shown shown = lane_.show(*reinterpret_cast<const OneLine*>(padded), position);
  if (shown == shm::Shown::yes) [[likely]]
    return position;
  return shown == shm::Shown::no ? send_otherwise(padded, deadline) : wake_and_answer(position);
}

// A message in its slot, whatever the number of its lines.
inline void PublisherCore::fill_slot(std::uint64_t tail_bytes, const std::byte* padded) noexcept {
  const std::uint64_t meta = topic::slot_meta(topic::SlotKind::in_place, tail_bytes);
  if (shape_.slot_lines == 1) {
    lane_.ring.publish(meta, padded);
  } else {
    lane_.ring.publish_long(meta, padded, topic::words_of(shape_.fixed_bytes));
  }
}

// The short way to a loan: what it needs is free, and a publish would go the fast way too.
inline bool PublisherCore::lend(RawLoan& loan, std::size_t tail_bytes) noexcept {
  if (!is_fast() || loans_open_ >= options_.loans_max || tail_bytes > shape_.tail_bytes_max)
      [[unlikely]] {
    return lend_slowly(loan, tail_bytes);
  }
  if (is_plain_) {
    lend_in_place(loan, tail_bytes);
    return true;
  }
  if (!pool_.has_free() || shape_.fits_in_place(tail_bytes)) [[unlikely]] {
    return lend_slowly(loan, tail_bytes);
  }
  lend_frame(loan, tail_bytes);
  return true;
}

inline void PublisherCore::lend_in_place(RawLoan& loan, std::size_t tail_bytes) noexcept {
  loan.frame_ = nullptr;
  // All that is copied will be shown; what the program does not fill must not be our stack.
  std::memset(loan.in_place_, 0, padded_bytes(shape_.fixed_bytes + tail_bytes));
  loan.data_bytes_ = shape_.fixed_bytes;
  loan.tail_bytes_ = tail_bytes;
  loan.owner_ = this;
  ++loans_open_;
}

inline void PublisherCore::lend_frame(RawLoan& loan, std::size_t tail_bytes) noexcept {
  loan.chunk_ = pool_.lend();
  loan.arena_ = 0;
  loan.frame_ = segment_.mapping.data() + shape_.frames_offset + loan.chunk_ * shape_.frame_bytes;
  loan.data_bytes_ = shape_.fixed_bytes;
  loan.tail_bytes_ = tail_bytes;
  loan.owner_ = this;
  ++loans_open_;
}

inline Result<std::uint64_t> PublisherCore::publish(RawLoan& loan, Deadline deadline) {
  if (loan.owner_ != this || !is_fast()) [[unlikely]] {
    return publish_slowly(loan, deadline);
  }
  return loan.frame_ == nullptr ? show_in_place(loan) : show(loan);
}

// The frame becomes the next message.
inline void PublisherCore::fill_with_frame(RawLoan& loan) noexcept {
  const std::uint64_t slot = lane_.ring.slot_index();
  const std::uint64_t words[shm::slot_words] = {topic::frame_word(loan.arena_, loan.chunk_),
                                                loan.tail_bytes_};
  lane_.ring.publish(topic::slot_meta(topic::SlotKind::frame, 0),
                     reinterpret_cast<const std::byte*>(words));
  pool_.show(slot, loan.chunk_);
  loan.owner_ = nullptr;
  --loans_open_;
}

inline std::uint64_t PublisherCore::show(RawLoan& loan) noexcept {
  const std::uint64_t position = lane_.ring.next();
  fill_with_frame(loan);
  ring_the_bell();
  prepare_next_frame(loan.tail_bytes_);
  return position;
}

inline void PublisherCore::fill_with_copy(RawLoan& loan) noexcept {
  const std::uint64_t slot = lane_.ring.slot_index();
  fill_slot(loan.tail_bytes_, loan.in_place_);
  if (shape_.arena_frames != 0) pool_.show(slot, shm::FramePool::none);
  loan.owner_ = nullptr;
  --loans_open_;
}

inline std::uint64_t PublisherCore::show_in_place(RawLoan& loan) noexcept {
  const std::uint64_t position = lane_.ring.next();
  fill_with_copy(loan);
  ring_the_bell();
  return position;
}

// While our message is on its way we have time to find a frame for the next and to take it back
// from those who read it last: as much of it as a message with such a tail needs, like the last.
inline void PublisherCore::prepare_next_frame(std::uint64_t tail_bytes) noexcept {
  if (!pool_.has_free() && !is_silent()) reclaim();
  if (!pool_.has_free()) return;
  shm::take_back(segment_.mapping.data() + shape_.frames_offset + pool_.peek() * shape_.frame_bytes,
                 std::min(topic::framed_bytes(shape_.fixed_bytes, tail_bytes), shape_.frame_bytes));
}

}  // namespace signalbox
