// discovery.hpp: which topics there are, who is in them, and who comes, leaves or dies.
//
// list_topics() takes one look. A TopicWatcher begins with that look and goes on with what changes,
// so nothing can be missed between the two. Watching one topic is what DDS calls liveliness;
// WaitSet::watch_every() on a subscriber, which reports deadline_missed, is its deadline.
//
//   Threads  list_topics: any, but do not setenv() meanwhile; a watcher: one thread at a time
//   Crash    nothing to lose; nothing here writes, links, or takes a lock, so nobody waits for us
//   Fork     a watcher belongs to the process that opened it: a child gets wrong_process
//   Limits   a watcher has four descriptors and one for each participant it knows, and counts
//            against /proc/sys/fs/inotify/max_user_instances and max_user_watches
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/raw_topic.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox {

// What a participant's page says. `incarnation`, `uid` and `is_alive` are told by the kernel and do
// not depend on its honesty; with `error` set the rest is zero.
struct ParticipantInfo {
  std::uint64_t incarnation = 0;
  std::uint32_t pid = 0;  // in the name space of that process
  std::uint32_t uid = 0;  // the owner of its file
  std::string program{};
  bool is_alive = false;         // told by the lock on its file
  std::optional<Error> error{};  // its page is damaged, or not for us to read
};

struct PublisherInfo : ParticipantInfo {
  std::uint32_t depth = 0;
  std::uint64_t tail_bytes_max = 0;
  std::uint64_t published = 0;  // messages so far
  std::uint64_t dropped = 0;
  std::uint64_t evicted = 0;
};

struct SubscriberInfo : ParticipantInfo {
  bool is_reliable = false;
  std::uint32_t held = 0;  // large samples it holds
  // Messages published and not taken, over all living publishers it has met. Empty for lossy ones:
  // how far those have come, and what they lost, no shared page says.
  std::optional<std::uint64_t> lag{};
};

struct TopicInfo {
  std::string name;
  TypeDescription type{};
  std::vector<PublisherInfo> publishers{};
  std::vector<SubscriberInfo> subscribers{};
  std::optional<Error> error{};  // the topic is damaged or not for us to read
};

// Every topic of the domain, by name; empty if nobody is there. A look at something that moves:
// each number is as old as its own reading. Enters the kernel. Errors: bad_name, bad_argument,
// permission_denied (the domain itself), limit_reached, system.
Result<std::vector<TopicInfo>> list_topics(std::string_view domain = {});

struct TopicEvent {
  enum class Kind : std::uint8_t {
    topic_appeared,
    topic_vanished,
    publisher_joined,
    publisher_left,  // closed; what it published may still be there to be taken
    publisher_died,  // ended without closing
    subscriber_joined,
    subscriber_left,
    subscriber_died,
  };
  Kind kind;
  std::string topic;
  std::uint32_t pid = 0;          // 0 for topics
  std::uint64_t incarnation = 0;  // 0 for topics
};
std::string_view to_string(TopicEvent::Kind kind) noexcept;

// Tells who comes and goes, without polling and without a daemon. Each participant that lives at
// one look is told joined once and left or died once, also when others have removed its files by
// then. One that came and went between two looks may be missed; a look happens in open() and in
// each take() and wait() that finds a change and has nothing left to tell. A subscriber leaves when
// its last sample is released. A process that is stopped lives. The watcher keeps the file of each
// participant open, so memory of the dead is only free once a look has found them: a program that
// has a watcher takes from it. Move-only, false when moved from: calls answer bad_argument then,
// and its descriptor is -1.
class TopicWatcher {
 public:
  // Of all topics of a domain, present and future, even of one that does not exist yet. Of topics
  // that may not be read only appearing and vanishing is told. Errors as list_topics().
  static Result<TopicWatcher> open(std::string_view domain = {});
  // Of one topic, which need not exist yet.
  static Result<TopicWatcher> open_topic(std::string_view topic, std::string_view domain = {});
  TopicWatcher(TopicWatcher&&) noexcept;
  TopicWatcher& operator=(TopicWatcher&&) noexcept;
  ~TopicWatcher();
  explicit operator bool() const noexcept { return core_ != nullptr; }

  // The next event; empty: nothing new. Enters the kernel. Errors: wrong_process, limit_reached
  // (descriptors: what could not be looked at is told by a later call), permission_denied, system.
  Result<std::optional<TopicEvent>> take();

  // Sleeps until take() would find an event, the deadline passes or a signal handler ran. Errors as
  // take().
  Result<Wake> wait(Deadline deadline);

  // For an event loop: readable when an event may be there; take until empty. After a change it is
  // readable four times more in half a minute, to be sure. It never changes and belongs to the
  // watcher.
  int descriptor() const noexcept;
  // For a WaitSet. Ready while an event may be there. End the watch before the watcher.
  Waitable waitable() const noexcept { return Waitable::descriptor(descriptor()); }

 private:
  explicit TopicWatcher(std::unique_ptr<struct TopicWatcherCore> core) noexcept;
  std::unique_ptr<struct TopicWatcherCore> core_;
};

}  // namespace signalbox
