// Compares what is in a domain's folders with what was there at the last look, and tells the
// difference. That something changed is told by the kernel; what changed is always looked at anew,
// so a lost or merged notice costs nothing.
#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <span>
#include <utility>

#include "base/empty_handle.hpp"
#include "inspect/foreign_page.hpp"
#include "os/change_watch.hpp"
#include "os/process.hpp"
#include "signalbox/discovery.hpp"
#include "topic/directory.hpp"

namespace signalbox {

namespace {

using topic::Role;
using Kind = TopicEvent::Kind;

struct KnownParticipant {
  topic::Participant who;
  std::uint32_t pid = 0;
  os::Fd file;  // kept open: how it ended is still to be read when its name is gone
};

struct KnownTopic {
  std::string name;
  int watch = -1;         // its directory's number; -1: may not be read
  bool is_told = false;   // a directory is watched from before it holds a topic
  bool was_seen = false;  // at this look
  std::vector<KnownParticipant> participants{};
};

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string::npos ? "/" : path.substr(0, slash);
}

// Nobody can be looked at any more until the caller has closed something.
bool is_shortage(const Error& error) noexcept {
  return error.code == Errc::limit_reached || error.code == Errc::out_of_memory;
}

bool has_ended(const KnownParticipant& known, bool has_name) noexcept {
  return !has_name || inspect::says_closed(known.file, known.who.role) ||
         !topic::is_alive(known.file);
}

}  // namespace

struct TopicWatcherCore {
  topic::Place place;
  std::string only;  // the directory's name of the one topic to watch; empty: all
  os::ChangeWatch changes;
  unsigned generation = os::fork_generation();
  std::map<std::string, KnownTopic> topics{};  // by their directories' names
  std::map<std::string, int> ancestors{};      // watched while the domain does not exist
  std::deque<TopicEvent> events{};
  bool must_look = true;

  static Result<std::unique_ptr<TopicWatcherCore>> open(std::string_view topic,
                                                        std::string_view domain);
  Result<void> find_events();
  Result<void> check_process() const;

 private:
  Result<void> look();
  Result<bool> watch_domain();
  Result<std::vector<std::string>> names_of_topics() const;
  Result<void> look_at(const std::string& directory_name);
  Result<void> meet(const os::Fd& directory, const topic::Participant& who, KnownTopic& topic);
  void end_participants(KnownTopic& topic, const std::vector<std::string>& names);
  void end_topic(KnownTopic& topic);
  void tell(Kind of_publisher, const KnownParticipant& known, const KnownTopic& topic);
};

Result<std::unique_ptr<TopicWatcherCore>> TopicWatcherCore::open(std::string_view topic,
                                                                 std::string_view domain) {
  // The topic's name is only asked for because a place has one.
  auto place = topic::locate(topic.empty() ? "any" : topic, domain);
  if (!place) return std::unexpected(std::move(place.error()));
  auto changes = os::ChangeWatch::create();
  if (!changes) return std::unexpected(std::move(changes.error()));
  std::string only =
      topic.empty() ? std::string() : place->topic_path.substr(place->domain_path.size() + 1);
  std::unique_ptr<TopicWatcherCore> core(new TopicWatcherCore{
      .place = std::move(*place), .only = std::move(only), .changes = std::move(*changes)});
  if (auto looked = core->find_events(); !looked) return std::unexpected(looked.error());
  return core;
}

Result<void> TopicWatcherCore::check_process() const {
  if (generation == os::fork_generation()) return {};
  return std::unexpected(
      Error{Errc::wrong_process,
            0,
            {},
            "the topic watcher belongs to the parent of a fork; open one here."});
}

Result<void> TopicWatcherCore::find_events() {
  if (!events.empty()) return {};
  const bool changed = changes.drain();
  if (!changed && !must_look) return {};
  must_look = true;  // also if the look is not finished
  auto looked = look();
  must_look = !looked;
  // After a failure whoever sleeps on the descriptor is to come again, and be told.
  changes.set_pending(must_look || !events.empty());
  return looked;
}

Result<void> TopicWatcherCore::look() {
  for (auto& [directory_name, topic] : topics) topic.was_seen = false;
  const auto is_there = watch_domain();
  if (!is_there) return std::unexpected(is_there.error());
  if (*is_there) {
    // The notice is asked for before the look: what comes between is seen by both.
    const auto names = names_of_topics();
    if (!names && names.error().code != Errc::not_found) return std::unexpected(names.error());
    for (const std::string& name : names ? *names : std::vector<std::string>()) {
      if (auto looked = look_at(name); !looked) return looked;
    }
  }
  for (auto& [directory_name, topic] : topics) {
    if (topic.was_seen) continue;
    end_topic(topic);
    changes.unwatch_directory(topic.watch);  // it may have been moved away
  }
  std::erase_if(topics, [](const auto& entry) { return !entry.second.was_seen; });
  return {};
}

// Watches the domain's directory, or while there is none the nearest that may become its parent.
// True if the domain is there.
Result<bool> TopicWatcherCore::watch_domain() {
  std::string path = place.domain_path;
  bool steps_up = true;
  for (;;) {
    const auto number = changes.watch_directory(path);
    if (!number && number.error().code != Errc::not_found) {
      return std::unexpected(number.error());
    }
    if (number && path == place.domain_path) {
      for (const auto& [ancestor, watch] : ancestors) changes.unwatch_directory(watch);
      ancestors.clear();
      return true;
    }
    if (number) {
      ancestors[path] = *number;
      steps_up = false;
    } else if (!steps_up) {
      // Its parent is watched since before it was looked for: its making will be told.
      return false;
    } else if (path == "/") {
      return std::unexpected(number.error());
    }
    if (steps_up) {
      path = parent_of(path);
      continue;
    }
    const std::size_t start = path == "/" ? 1 : path.size() + 1;
    path = place.domain_path.substr(0, place.domain_path.find('/', start));
  }
}

Result<std::vector<std::string>> TopicWatcherCore::names_of_topics() const {
  if (!only.empty()) return std::vector<std::string>{only};
  const auto directory = os::open_directory(place.domain_path);
  if (!directory) return std::unexpected(directory.error());
  auto names = os::list_directory(*directory, place.domain_path);
  if (!names) return names;
  std::erase_if(*names, [](const std::string& name) {
    return !topic::locate(inspect::topic_of_directory(name), "any");
  });
  std::ranges::sort(*names);
  return names;
}

Result<void> TopicWatcherCore::look_at(const std::string& directory_name) {
  const std::string path = place.domain_path + "/" + directory_name;
  const auto known = topics.find(directory_name);
  const auto number = changes.watch_directory(path);
  if (!number && is_shortage(number.error())) return std::unexpected(number.error());
  const bool is_closed_to_us = !number && number.error().code == Errc::permission_denied;
  // Neither a directory nor a secret: gone again, or something that is no topic.
  if (!number && !is_closed_to_us) return {};
  KnownTopic& topic = known != topics.end()
                          ? known->second
                          : topics.emplace(directory_name, KnownTopic{.name = {}}).first->second;
  topic.name = inspect::topic_of_directory(directory_name);
  topic.watch = number ? *number : -1;
  topic.was_seen = true;
  const auto tell_appeared = [&] {
    if (!topic.is_told) events.push_back({Kind::topic_appeared, topic.name});
    topic.is_told = true;
  };
  if (is_closed_to_us) {
    tell_appeared();
    return {};
  }
  const auto directory = os::open_directory(path);
  const auto names = directory
                         ? os::list_directory(*directory, path)
                         : Result<std::vector<std::string>>(std::unexpected(directory.error()));
  if (!names) {
    if (is_shortage(names.error())) return std::unexpected(names.error());
    end_topic(topic);  // removed between the two calls
    return {};
  }
  end_participants(topic, *names);
  const bool holds_topic = std::ranges::find(*names, topic::topic_file_name) != names->end() ||
                           std::ranges::any_of(*names, [](const std::string& name) {
                             return topic::participant_of(name).has_value();
                           });
  if (!holds_topic) {
    end_topic(topic);
    return {};
  }
  tell_appeared();
  for (const std::string& name : *names) {
    const auto who = topic::participant_of(name);
    if (!who) continue;
    if (auto met = meet(*directory, *who, topic); !met) return met;
  }
  return {};
}

Result<void> TopicWatcherCore::meet(const os::Fd& directory, const topic::Participant& who,
                                    KnownTopic& topic) {
  const bool is_known = std::ranges::any_of(
      topic.participants, [&](const auto& known) { return known.who.file == who.file; });
  if (is_known) return {};
  auto file = os::open_file(directory, who.file, os::Access::read);
  if (!file && is_shortage(file.error())) return std::unexpected(std::move(file.error()));
  if (!file) return {};  // gone again, or not for us to read
  KnownParticipant met{.who = who, .file = std::move(*file)};
  if (has_ended(met, true)) return {};  // it was over before we looked
  auto pid = std::as_writable_bytes(std::span(&met.pid, 1));
  static_cast<void>(os::read_at(met.file, offsetof(topic::SegmentHeader, pid), pid));
  if (topic.participants.size() == topic.participants.capacity()) {
    topic.participants.reserve(2 * topic.participants.size() + 1);
  }
  tell(Kind::publisher_joined, met, topic);
  topic.participants.push_back(std::move(met));
  return {};
}

// What is told is told before it is believed, here and below: where the heap is exhausted in
// between, the next look tells it.
void TopicWatcherCore::end_participants(KnownTopic& topic, const std::vector<std::string>& names) {
  for (std::size_t i = topic.participants.size(); i > 0; --i) {
    const KnownParticipant& known = topic.participants[i - 1];
    const bool has_name = std::ranges::find(names, known.who.file) != names.end();
    if (!has_ended(known, has_name)) continue;
    // Asked only now: whoever said so before it ended has said so by now.
    const bool closed = inspect::says_closed(known.file, known.who.role);
    tell(closed ? Kind::publisher_left : Kind::publisher_died, known, topic);
    topic.participants.erase(topic.participants.begin() + static_cast<std::ptrdiff_t>(i - 1));
  }
}

void TopicWatcherCore::end_topic(KnownTopic& topic) {
  end_participants(topic, {});
  if (!topic.is_told) return;
  events.push_back({Kind::topic_vanished, topic.name});
  topic.is_told = false;
}

// Kinds of subscribers stand as far behind those of publishers as their first ones.
void TopicWatcherCore::tell(Kind of_publisher, const KnownParticipant& known,
                            const KnownTopic& topic) {
  constexpr int apart =
      static_cast<int>(Kind::subscriber_joined) - static_cast<int>(Kind::publisher_joined);
  const int shift = known.who.role == Role::subscriber ? apart : 0;
  const auto kind = static_cast<Kind>(static_cast<int>(of_publisher) + shift);
  events.push_back({kind, topic.name, known.pid, known.who.incarnation});
}

TopicWatcher::TopicWatcher(std::unique_ptr<TopicWatcherCore> core) noexcept
    : core_(std::move(core)) {}
TopicWatcher::TopicWatcher(TopicWatcher&&) noexcept = default;
TopicWatcher& TopicWatcher::operator=(TopicWatcher&&) noexcept = default;
TopicWatcher::~TopicWatcher() = default;

Result<TopicWatcher> TopicWatcher::open(std::string_view domain) {
  return detail::or_out_of_memory([&]() -> Result<TopicWatcher> {
    auto core = TopicWatcherCore::open({}, domain);
    if (!core) return std::unexpected(std::move(core.error()));
    return TopicWatcher(std::move(*core));
  });
}

Result<TopicWatcher> TopicWatcher::open_topic(std::string_view topic, std::string_view domain) {
  return detail::or_out_of_memory([&]() -> Result<TopicWatcher> {
    // An empty name would mean all of them.
    if (const auto place = topic::locate(topic, domain); !place) {
      return std::unexpected(place.error());
    }
    auto core = TopicWatcherCore::open(topic, domain);
    if (!core) return std::unexpected(std::move(core.error()));
    return TopicWatcher(std::move(*core));
  });
}

Result<std::optional<TopicEvent>> TopicWatcher::take() {
  if (core_ == nullptr) return std::unexpected(empty_handle("take an event"));
  return detail::or_out_of_memory([&]() -> Result<std::optional<TopicEvent>> {
    if (auto ours = core_->check_process(); !ours) return std::unexpected(ours.error());
    if (auto found = core_->find_events(); !found && core_->events.empty()) {
      return std::unexpected(found.error());
    }
    if (core_->events.empty()) return std::nullopt;
    TopicEvent event = std::move(core_->events.front());
    core_->events.pop_front();
    core_->changes.set_pending(core_->must_look || !core_->events.empty());
    return event;
  });
}

Result<Wake> TopicWatcher::wait(Deadline deadline) {
  if (core_ == nullptr) return std::unexpected(empty_handle("wait for events"));
  return detail::or_out_of_memory([&]() -> Result<Wake> {
    if (auto ours = core_->check_process(); !ours) return std::unexpected(ours.error());
    for (;;) {
      auto found = core_->find_events();
      if (!core_->events.empty()) return Wake::ready;
      if (!found) return std::unexpected(found.error());
      const auto end = core_->changes.wait(deadline);
      if (!end) return std::unexpected(end.error());
      if (*end == os::ChangeWatch::End::timed_out) return Wake::timed_out;
      if (*end == os::ChangeWatch::End::interrupted) return Wake::interrupted;
    }
  });
}

int TopicWatcher::descriptor() const noexcept { return core_ ? core_->changes.get() : -1; }

std::string_view to_string(TopicEvent::Kind kind) noexcept {
  switch (kind) {
    case Kind::topic_appeared:
      return "topic_appeared";
    case Kind::topic_vanished:
      return "topic_vanished";
    case Kind::publisher_joined:
      return "publisher_joined";
    case Kind::publisher_left:
      return "publisher_left";
    case Kind::publisher_died:
      return "publisher_died";
    case Kind::subscriber_joined:
      return "subscriber_joined";
    case Kind::subscriber_left:
      return "subscriber_left";
    case Kind::subscriber_died:
      return "subscriber_died";
  }
  return "unknown";
}

}  // namespace signalbox
