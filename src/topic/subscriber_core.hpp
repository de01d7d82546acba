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
#include "os/futex.hpp"
#include "shm/ring.hpp"
#include "signalbox/raw_topic.hpp"
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
};

struct PublisherLink {
  topic::Participant who;
  std::uint32_t pid;
  std::uint64_t pid_namespace;
  PublisherShape shape;
  std::shared_ptr<const PublisherView> view;
  const topic::PublisherPage* page;
  shm::RingReader<topic::Atomics> ring;
  os::Fd file;
  os::Fd pidfd{};
  std::uint64_t position = 0;              // the next message to take
  std::uint64_t counts_from = 0;           // losing a message before this is not our loss
  std::size_t cursor = shm::cursor_slots;  // our entry for it: says that we have met
  bool asymmetric = false;                 // it leaves the barrier to us
  bool has_file = true;                    // its segment still has a name
  bool gone = false;                       // it left or died: what it published is still taken
  bool drained = false;                    // gone, and all taken: only its file is left
};

struct SubscriberCore {
  static Result<std::unique_ptr<SubscriberCore>> open(std::string_view topic,
                                                      const TypeDescription& type,
                                                      const SubscriberOptions& options);
  SubscriberCore(std::shared_ptr<SubscriberPresence> presence, const SubscriberOptions& options);
  ~SubscriberCore();
  SubscriberCore(const SubscriberCore&) = delete;
  SubscriberCore& operator=(const SubscriberCore&) = delete;

  // Fills `sample`; with `latest` it skips to the newest message of the publisher in turn.
  bool take(RawSample& sample, bool latest) noexcept;
  Result<Wake> wait(Deadline deadline);
  Result<int> descriptor();
  std::uint32_t publisher_count();
  const Error* status() const noexcept { return status_ ? &*status_ : nullptr; }
  std::uint64_t lost_count() const noexcept { return lost_; }
  std::uint64_t skipped_count() const noexcept { return skipped_; }
  Waitable waitable() const noexcept { return {-1, source_}; }

  // For those who sleep until it has something: ticket_sleep.cpp, wait_set.cpp.
  bool anything_ready() noexcept;
  shm::Bell<topic::Atomics>& bell() noexcept { return bell_; }
  bool meets_asymmetric_publisher() const noexcept;
  void look_for_the_dead_if_due(std::int64_t now_ns) noexcept;
  bool arm_again() noexcept;
  std::int64_t spin_max_ns() const noexcept { return options_.spin_max.count(); }
  // Grows with each message that was taken or passed over.
  std::uint64_t progress() const noexcept;
  bool is_foreign() const noexcept { return generation_ != os::fork_generation(); }

 private:
  Error refuse(Errc code, std::string text) const;
  bool check_process() noexcept;

  // Who is there.
  Result<void> refresh();
  void look_who_is_there() noexcept;
  Result<bool> link(const topic::Participant& who);
  Result<PublisherShape> shape_of(const topic::PublisherPage& page, std::uint64_t bytes,
                                  const std::string& path) const;
  bool begin_cursor(PublisherLink& link) noexcept;
  void settle_start(PublisherLink& link) noexcept;
  void forget(std::size_t index) noexcept;
  void forget_vanished(const std::vector<topic::Participant>& everyone) noexcept;
  void look_for_the_dead() noexcept;
  void finish(std::size_t index) noexcept;
  Result<void> join();

  // Messages.
  bool take_in_turn(RawSample& sample, bool latest) noexcept;
  bool take_from(PublisherLink& link, RawSample& sample) noexcept;
  bool fill_in_place(const PublisherLink& link, const shm::SlotImage& image,
                     RawSample& sample) noexcept;
  enum class Pinned { yes, lapped, refused };
  Pinned pin_frame(PublisherLink& link, const shm::SlotImage& image, RawSample& sample) noexcept;
  void skip_lapped(PublisherLink& link) noexcept;
  void skip_to_latest(PublisherLink& link) noexcept;
  void advance(PublisherLink& link) noexcept;

  // Sleeping.
  bool barrier_before_sleep() noexcept;
  void arm() noexcept;
  Result<void> watch_death_of(PublisherLink& link);

  std::shared_ptr<SubscriberPresence> presence_;
  shm::Bell<topic::Atomics>& bell_;
  topic::SubscriberPage* page_;
  SubscriberOptions options_;
  std::uint64_t fixed_bytes_;
  unsigned generation_;
  std::vector<PublisherLink> links_;
  std::size_t turn_ = 0;
  std::uint64_t known_epoch_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t skipped_ = 0;
  bool is_open_ = false;  // the first look is over: publishers found from now on are newer than us
  std::optional<Error> status_;
  bool refresh_failed_ = false;  // status_ tells of a failed look at who is there
  os::EventDescriptor event_;
  AdaptiveSpin spin_;
  std::int64_t look_for_dead_at_ns_ = 0;
  std::shared_ptr<TopicSource> source_;
};

}  // namespace signalbox
