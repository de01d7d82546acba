// subscriber_core.hpp: one subscriber's control page, and the publishers it reads from.
//
// take() looks at the slot it expects next in each ring, in turn. All else (who joined, who left,
// who died, arming a descriptor) is off that path.
//
//   Threads  one at a time; samples may be released by any thread
//   Crash    publishers stop counting its pins and cursors; whoever looks next reaps the file
//   Fork     calls in a child answer wrong_process; samples released there touch nothing
//   Limits   raw_topic.hpp
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "os/event_descriptor.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/raw_topic.hpp"
#include "signalbox/shm/cursors.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "signalbox/shm/ring.hpp"
#include "signalbox/shm/take_lane.hpp"
#include "topic/directory.hpp"
#include "topic/layout.hpp"
#include "topic/ticket_sleep.hpp"
#include "topic/topic_source.hpp"

namespace signalbox {

// The subscriber's presence in the topic. Samples share it, so that pins stay visible and alive
// until the last one goes, even after the subscriber was closed.
struct SubscriberPresence {
  topic::TopicDirectory directory;
  topic::OwnSegment segment;
  topic::SubscriberPage* page;
  unsigned generation;

  SubscriberPresence(topic::TopicDirectory in, topic::OwnSegment own);
  ~SubscriberPresence();
  SubscriberPresence(const SubscriberPresence&) = delete;
  SubscriberPresence& operator=(const SubscriberPresence&) = delete;
};

// A publisher's memory, shared by the link and by the samples that lie in it.
struct PublisherView {
  std::shared_ptr<SubscriberPresence> presence;
  os::Mapping mapping;
};

// What is read from a publisher's header: once, checked, and then only from here.
struct PublisherShape {
  std::uint32_t depth;
  std::uint32_t frames;
  std::uint64_t frame_bytes;
  std::uint64_t ring_offset;
  std::uint64_t frames_offset;
  std::uint64_t tail_bytes_max;
  std::uint32_t slot_lines;
  std::uint32_t arenas;  // the most it may have, beyond its own file
};

// A further arena of a publisher, mapped and checked.
struct ArenaView {
  std::shared_ptr<const PublisherView> view;
  std::uint32_t first_chunk = 0;
  std::uint32_t frames = 0;
  std::uint64_t frame_bytes = 0;
  std::uint64_t frames_offset = 0;
  std::uint64_t tail_bytes_max = 0;
  os::Fd file{};  // hardened: none, its length cannot change
};

struct PublisherLink : shm::TakeLink<topic::Atomics> {
  bool drained = false;  // gone, and all taken: only its file is left
  bool gone = false;     // it left or died: what it published is still taken
  bool has_file = true;  // its segment still has a name
  // It went on without us, or its file was shortened: nothing of it is taken any more.
  bool is_evicted = false;
  std::uint32_t pid = 0;
  std::size_t cursor = shm::cursor_slots;  // our entry for it: says that we have met
  std::uint64_t counts_from = 0;           // losing a message before this is not our loss
  std::uint64_t dropped_from = 0;          // what it had dropped when we joined is not either
  // As far as we have looked: what it has dropped since; and once it evicted us, what it has
  // published from `position` on.
  std::uint64_t dropped = 0;
  std::uint64_t missed = 0;

  topic::Participant who{};
  std::uint64_t pid_namespace = 0;
  PublisherShape shape{};
  std::shared_ptr<const PublisherView> view{};
  const topic::PublisherPage* page = nullptr;
  os::Mapping writable_ring{};  // its header and ring once more, if that was asked for
  os::Fd file{};
  os::Fd pidfd{};
  std::vector<ArenaView> arenas{};  // by number, from 1; those without a view are not mapped
  std::uint32_t arenas_mapped = 0;  // a bit for each
};

struct SubscriberCore {
  static Result<std::unique_ptr<SubscriberCore>> open(std::string_view topic,
                                                      const TypeDescription& type,
                                                      const SubscriberOptions& options);
  SubscriberCore(std::shared_ptr<SubscriberPresence> presence, const SubscriberOptions& options);
  ~SubscriberCore();
  SubscriberCore(const SubscriberCore&) = delete;
  SubscriberCore& operator=(const SubscriberCore&) = delete;

  // Fills `sample`.
  bool take(RawSample& sample) noexcept;
  // As take(), but skips to the newest message of the publisher in turn.
  bool take_latest(RawSample& sample) noexcept { return take_slowly(sample, true); }
  std::size_t take_batch(std::byte* messages, std::size_t room) noexcept;
  Result<Wake> wait(Deadline deadline);
  Result<int> descriptor();
  std::uint32_t publisher_count();
  const std::string& topic() const noexcept { return presence_->directory.name(); }
  const Error* status() const noexcept { return status_ ? &*status_ : nullptr; }
  std::uint64_t lost_count() noexcept;
  std::uint64_t dropped_count() noexcept;
  std::uint64_t skipped_count() const noexcept { return skipped_; }
  Waitable waitable() const noexcept { return {-1, source_}; }

  // For those who sleep until it has something: ticket_sleep.cpp, wait_set.cpp.
  bool anything_ready() noexcept;
  shm::Bell<topic::Atomics>& bell() noexcept { return *lane_.bell; }
  shm::TakeLane<topic::Atomics>& lane() noexcept { return lane_; }
  bool meets_asymmetric_publisher() const noexcept;
  void look_for_the_dead_if_due(std::int64_t now_ns) noexcept;
  bool arm_again() noexcept;
  std::int64_t spin_max_ns() const noexcept { return options_.spin_max.count(); }
  // Grows with each message that was taken or passed over.
  std::uint64_t progress() const noexcept;
  bool is_foreign() const noexcept { return generation_ != os::fork_generation(); }

 private:
  Error refuse(Errc code, std::string_view text) const noexcept;
  bool check_process() noexcept;

  // Who is there.
  Result<void> refresh() noexcept;
  Result<void> meet_everyone();
  void look_who_is_there() noexcept;
  Result<bool> link(const topic::Participant& who);
  Result<PublisherShape> shape_of(const topic::PublisherPage& page, std::uint64_t bytes,
                                  const std::string& path) const;
  Result<void> map_arena(PublisherLink& link, std::uint32_t number);
  bool map_arenas(PublisherLink& link);
  void map_further_arenas();
  void look_for_lost_arenas(const PublisherLink& link) const noexcept;
  void map_ring_writable(PublisherLink& link);
  bool begin_cursor(PublisherLink& link) noexcept;
  void settle_start(PublisherLink& link) noexcept;
  void forget(std::size_t index) noexcept;
  void forget_vanished(const std::vector<topic::Participant>& everyone) noexcept;
  Result<void> look_whether_whole() noexcept;
  void leave_the_shortened() noexcept;
  void look_for_the_dead() noexcept;
  void finish(std::size_t index) noexcept;
  Result<void> join();

  // Messages.
  bool take_slowly(RawSample& sample, bool latest) noexcept;
  bool take_long(PublisherLink& link, RawSample& sample) noexcept;
  void fill_quickly(PublisherLink& link, RawSample& sample) noexcept;
  shm::Read read_slot(const PublisherLink& link, std::uint64_t position, std::uint64_t& meta,
                      std::byte* words) const noexcept;
  bool take_frame(PublisherLink& link, std::uint64_t meta, RawSample& sample) noexcept;
  void find_quick() noexcept;
  std::size_t take_run(std::byte* messages, std::size_t room) noexcept;
  bool take_in_turn(RawSample& sample, bool latest) noexcept;
  bool take_from(PublisherLink& link, RawSample& sample) noexcept;
  enum class Filled { yes, lapped, refused };
  Filled fill(PublisherLink& link, std::uint64_t meta, RawSample& sample) noexcept;
  Filled fill_in_place(PublisherLink& link, std::uint64_t meta, RawSample& sample) noexcept;
  Filled refuse_message(PublisherLink& link, std::string_view why) noexcept;
  Filled pin_frame(PublisherLink& link, std::uint64_t meta, RawSample& sample) noexcept;
  Filled pin_in_arena(PublisherLink& link, std::uint64_t word, std::uint64_t tail_bytes,
                      RawSample& sample) noexcept;
  struct Frame {
    std::uint32_t chunk;
    const std::byte* at;
    std::uint64_t tail_bytes;
  };
  Filled pin(PublisherLink& link, const Frame& frame,
             const std::shared_ptr<const PublisherView>& view, RawSample& sample) noexcept;
  Filled explain_unmapped(PublisherLink& link, const Error& error) noexcept;
  void skip_lapped(PublisherLink& link) noexcept;
  void note_eviction(PublisherLink& link) noexcept;
  void settle_counts(PublisherLink& link) noexcept;
  void skip_to_latest(PublisherLink& link) noexcept;
  void advance(PublisherLink& link) noexcept;
  PublisherLink* in_turn() const noexcept { return static_cast<PublisherLink*>(lane_.turn); }

  // Sleeping.
  Result<Wake> wait_for_message(Deadline deadline);
  bool barrier_before_sleep() noexcept;
  void arm() noexcept;
  void look_for_ended_processes() noexcept;
  Result<void> watch_death_of(PublisherLink& link) noexcept;
  Result<void> watch_process_of(PublisherLink& link);
  void look_ten_times_a_second() noexcept;

  // What every take() looks at comes first, on one cache line. It is closed in a forked child.
  shm::TakeLane<topic::Atomics> lane_;
  std::uint64_t in_place_bytes_;  // of a message in its slot; 0: they are not, or are all tail
  std::size_t long_words_;        // to copy of a message in a slot of several lines, else 0
  bool is_reliable_;
  unsigned generation_;
  std::size_t turn_ = 0;
  std::uint64_t fixed_bytes_;
  std::vector<PublisherLink> links_;
  os::ZeroedInChild turn_in_child_{lane_.turn};
  std::optional<Error> status_;
  // The last take() left a message where it is, which could not be taken; status_ says why.
  bool held_back_ = false;

  std::shared_ptr<SubscriberPresence> presence_;
  topic::SubscriberPage* page_;
  SubscriberOptions options_;
  std::uint64_t lost_ = 0;     // and what those that are not drained count themselves
  std::uint64_t dropped_ = 0;  // by those that are drained
  std::uint64_t skipped_ = 0;
  std::optional<Error> eviction_;  // of which wait() has not told yet
  std::optional<Error> loss_;      // of a file, of which neither take() nor wait() has told yet
  bool has_looked_ = false;        // publishers found from now on are newer than us
  bool refresh_failed_ = false;    // status_ tells of a failed look at who is there
  os::EventDescriptor event_;
  AdaptiveSpin spin_;
  std::int64_t look_for_dead_at_ns_ = 0;
  std::shared_ptr<TopicSource> source_;
};

// ---- the fast path ------------------------------------------------------------------------------

inline void SubscriberCore::advance(PublisherLink& link) noexcept {
  if (lane_.pass(link)) [[unlikely]]
    os::futex_wake_all(&link.progress->position);
}

// A message in its slot, from the publisher in turn. All else, and all that is rare, is slow.
inline bool SubscriberCore::take(RawSample& sample) noexcept {
  if (sample || !lane_.is_open()) [[unlikely]]
    return take_slowly(sample, false);
  PublisherLink* const link = in_turn();
  if (long_words_ != 0) return take_long(*link, sample);
  std::uint64_t meta = 0;
  const shm::Read outcome = link->ring.read(link->position, meta, sample.in_place_);
  if (outcome == shm::Read::nothing && lane_.is_alone) return false;
  if (outcome != shm::Read::ready) [[unlikely]]
    return take_slowly(sample, false);
  if (meta != topic::slot_meta(topic::SlotKind::in_place, 0) || in_place_bytes_ == 0) {
    return take_frame(*link, meta, sample);
  }
  fill_quickly(*link, sample);
  return true;
}

// The same from a slot of several lines.
inline bool SubscriberCore::take_long(PublisherLink& link, RawSample& sample) noexcept {
  std::uint64_t meta = 0;
  const shm::Read outcome = link.ring.read_long(link.position, meta, sample.in_place_, long_words_);
  if (outcome == shm::Read::nothing && lane_.is_alone) return false;
  if (outcome != shm::Read::ready || meta != topic::slot_meta(topic::SlotKind::in_place, 0))
      [[unlikely]] {
    return take_slowly(sample, false);
  }
  fill_quickly(link, sample);
  return true;
}

// The words are in the sample already.
inline void SubscriberCore::fill_quickly(PublisherLink& link, RawSample& sample) noexcept {
  sample.frame_ = nullptr;
  sample.data_bytes_ = in_place_bytes_;
  sample.tail_bytes_ = 0;
  sample.position_ = link.position;
  sample.publisher_ = link.incarnation;
  lane_.turn = link.next;
  advance(link);
}

inline shm::Read SubscriberCore::read_slot(const PublisherLink& link, std::uint64_t position,
                                           std::uint64_t& meta, std::byte* words) const noexcept {
  return long_words_ == 0 ? link.ring.read(position, meta, words)
                          : link.ring.read_long(position, meta, words, long_words_);
}

}  // namespace signalbox
