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

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "shm/frame_pool.hpp"
#include "shm/ring.hpp"
#include "signalbox/raw_topic.hpp"
#include "topic/directory.hpp"
#include "topic/layout.hpp"

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

  bool is_ready() const noexcept { return page->stage.load() == topic::Stage::ready; }
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
  void drop(RawLoan& loan) noexcept;
  std::uint32_t subscriber_count();
  const Error& why() const noexcept { return why_; }
  bool is_foreign() const noexcept { return generation_ != os::fork_generation(); }

 private:
  // Who is there.
  Result<void> refresh();
  Result<void> link(const topic::Participant& who);
  void find_cursor(SubscriberLink& link) const noexcept;
  void forget_the_dead() noexcept;
  // Frames.
  bool make_frames_free() noexcept;
  void reclaim() noexcept;
  // Reliable subscribers.
  bool has_room() noexcept;
  SubscriberLink* slowest(std::uint64_t& position) noexcept;
  Result<void> wait_for_room(Deadline deadline);
  void sleep_for_room(const SubscriberLink& behind, Deadline deadline) noexcept;
  // Sleepers.
  void wake_sleepers() noexcept;
  void signal_descriptors() noexcept;

  Error refuse(Errc code, std::string text) const;

  topic::TopicDirectory directory_;
  topic::OwnSegment segment_;
  topic::PublisherPage* page_;
  shm::RingWriter<topic::Atomics> ring_;
  shm::FramePool pool_;
  PublisherOptions options_;
  std::vector<SubscriberLink> links_;
  std::uint64_t known_epoch_ = 0;
  bool has_reliable_ = false;
  std::uint64_t room_until_ = 0;  // positions below this need no look at the cursors
  std::uint32_t loans_open_ = 0;
  std::int64_t look_for_dead_at_ns_ = 0;
  bool asymmetric_;
  unsigned generation_;
  Error why_{};
};

}  // namespace signalbox
