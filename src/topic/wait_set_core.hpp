// wait_set_core.hpp: what a set watches, and its two ways to sleep.
//
// While only topics are watched it sleeps on their tickets (ticket_sleep.hpp); as soon as a
// descriptor is among them, or the kernel cannot sleep on that many words, on one epoll. Both begin
// with announcements and a second look, and changing over happens between two sleeps, so nothing
// is lost by it (docs/decisions/006).
//
//   Threads  one at a time; wake() from any, and from a signal handler
//   Crash    nothing to lose
//   Fork     a child shares the epoll, so it touches nothing
//   Limits   wait_set.hpp
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "os/poll_set.hpp"
#include "signalbox/wait_set.hpp"
#include "topic/ticket_sleep.hpp"
#include "topic/topic_source.hpp"
#include "topic/wait_source.hpp"

namespace signalbox {

struct WaitSetCore : std::enable_shared_from_this<WaitSetCore> {
  using Key = WaitSet::Key;
  using Ready = WaitSet::Ready;

  static Result<std::shared_ptr<WaitSetCore>> create(std::uint32_t watches_max);
  WaitSetCore(std::uint32_t watches_max, os::PollSet poll);
  ~WaitSetCore();
  WaitSetCore(const WaitSetCore&) = delete;
  WaitSetCore& operator=(const WaitSetCore&) = delete;

  Result<Watch> watch(const Waitable& source, Key key, Events events, std::int64_t period_ns);
  void unwatch(std::uint32_t slot, std::uint32_t number) noexcept;
  // The subscriber watched as this slot is being closed.
  void source_closes(std::uint32_t slot) noexcept;
  Result<std::span<const Ready>> wait(Deadline deadline);
  void wake() noexcept;

 private:
  struct Slot {
    std::uint32_t number =
        0;  // which use of the slot this is; Watches and events of others are old
    bool used = false;
    Key key = 0;
    Events wanted = Events::none;
    std::shared_ptr<TopicSource> topic;
    std::shared_ptr<WaitSource> source;  // whose descriptor it is, if it must be asked
    int fd = -1;                         // under which number it stands in the epoll
    os::OpenFile file;                   // what that number meant
    std::uint64_t told = 0;              // in which wait it was reported last
    std::int64_t period_ns = 0;
    std::int64_t period_ends_ns = 0;
    std::uint64_t progress = 0;

    bool is_descriptor() const noexcept { return topic == nullptr; }
    // Can it still become ready?
    bool is_open() const noexcept {
      if (topic != nullptr) return topic->core != nullptr;
      return fd >= 0 && (source == nullptr || source->is_there());
    }
  };

  bool is_foreign() const noexcept;
  Result<void> check(const Waitable& source, Events events, std::int64_t period_ns) const;
  // Watching.
  Result<void> begin(Slot& slot);
  void end(Slot& slot) noexcept;
  Result<void> enter_poll(Slot& slot);
  void leave_poll(Slot& slot) noexcept;
  void forget_numbers_given_out_again(const Slot& fresh) noexcept;
  Result<void> settle_way_to_sleep();
  void list_topics() noexcept;
  std::uint64_t mark_of(const Slot& slot) const noexcept;
  Slot* slot_of(std::uint64_t mark) noexcept;
  // Waiting.
  bool collect_topics() noexcept;
  void collect_sources() noexcept;
  void collect(const os::PollEvent& event) noexcept;
  void tell(Slot& slot, Events events) noexcept;
  Result<void> sleep_on_words(Deadline until);
  Result<void> sleep_in_poll(Deadline until);
  Result<std::span<const os::PollEvent>> poll_until(Deadline until);
  bool glance() const noexcept;
  Result<void> rebuild_poll();
  bool spin(Deadline until) noexcept;
  // Periods.
  void note_progress() noexcept;
  Deadline next_period_end() const noexcept;
  void collect_quiet() noexcept;

  os::PollSet poll_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> used_;
  std::vector<SubscriberCore*> topics_;     // of the watched topics that are open
  std::vector<std::uint32_t> topic_slots_;  // their slots, in the same order
  std::vector<os::FutexWord> words_;
  std::vector<Ready> ready_;
  AdaptiveSpin spin_{0};
  std::size_t descriptors_ = 0;
  std::size_t sources_ = 0;
  std::size_t periods_ = 0;
  std::size_t turn_ = 0;
  std::uint64_t wait_number_ = 0;
  bool in_poll_ = false;        // how it sleeps now
  bool poll_is_stale_ = false;  // something is left in the epoll that nobody can take out
  unsigned generation_;
  topic::AtomicU32 wake_word_{0};
};

}  // namespace signalbox
