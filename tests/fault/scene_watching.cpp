// The operations of those who watch: wait sets, and discovery.
#include <chrono>
#include <utility>

#include "scene_parts.hpp"

namespace fault {

namespace {

using namespace std::chrono_literals;
using namespace signalbox;

// These errors name a descriptor, a file, or what was tried.
constexpr bool kNamesNothing = false;

void a_set(Scene& s) {
  a_pair(s);
  s.set = std::move(*WaitSet::create(4));
  s.pipe = std::move(*os::Pipe::create());
  open(s.mutex, "fault/mutex");
}
// The subscriber's descriptor stays its own, whatever becomes of the watches.
void a_set_of_topics(Scene& s) {
  a_set(s);
  static_cast<void>(s.in->descriptor());
  s.watches.push_back(std::move(*s.set->watch(s.in->waitable(), 1)));
}
// With a message on its way: what is watched in an epoll has an armed descriptor.
void a_mixed_set(Scene& s) {
  a_set_of_topics(s);
  const auto reader = Waitable::descriptor(s.pipe->reader.fd().get());
  s.watches.push_back(std::move(*s.set->watch(reader, 2)));
  static_cast<void>(s.set->wait(Deadline::immediate()));
}
void a_watched_lock(Scene& s) {
  a_set(s);
  s.guard = std::move(*s.mutex->lock(Deadline::never())).regardless();
  s.watches.push_back(std::move(*s.set->watch(s.mutex->waitable(), 3)));
  static_cast<void>(s.set->wait(Deadline::immediate()));
}

std::string create_set(Scene& s) {
  auto made = WaitSet::create(4);
  if (made) s.set = std::move(*made);
  return outcome(made);
}
std::string watch(Scene& s, const Waitable& source) {
  auto watch = s.set->watch(source, 7);
  if (watch) s.watches.push_back(std::move(*watch));
  return outcome(watch);
}
std::string watch_topic(Scene& s) { return watch(s, s.in->waitable()); }
std::string watch_descriptor(Scene& s) {
  return watch(s, Waitable::descriptor(s.pipe->reader.fd().get()));
}
std::string watch_lock(Scene& s) { return watch(s, s.mutex->waitable()); }
std::string wait_in_set(Scene& s) { return outcome(s.set->wait(Deadline::after(2ms))); }
std::string end_watches(Scene& s) {
  s.watches.clear();
  return "ok";
}
std::string close_set(Scene& s) {
  s.set.reset();
  return "ok";
}

void a_watcher(Scene& s) {
  s.watcher = std::move(*TopicWatcher::open());
  a_pair(s);
}
void a_watcher_that_knows_all(Scene& s) {
  a_watcher(s);
  while (s.watcher->take()->has_value()) continue;
}
void a_watcher_beside_the_dead(Scene& s) {
  a_watcher_that_knows_all(s);
  somebody_died(s);
}
void a_pair_beside_the_dead(Scene& s) {
  a_pair(s);
  somebody_died(s);
}
std::string list(Scene&) {
  const auto topics = list_topics();
  for (const auto& topic : topics ? *topics : std::vector<TopicInfo>()) {
    // Of what could not be looked at the listing says why.
    if (topic.error) return std::string(to_string(topic.error->code)) + ": " + topic.error->text;
  }
  return outcome(topics);
}
std::string list_all_locks(Scene&) { return outcome(list_locks()); }
std::string keep(Scene& s, Result<TopicWatcher> opened) {
  if (opened) s.watcher = std::move(*opened);
  return outcome(opened);
}
std::string open_watcher(Scene& s) { return keep(s, TopicWatcher::open()); }
std::string open_watcher_of_one(Scene& s) {
  return keep(s, TopicWatcher::open_topic("fault/small"));
}
std::string take_events(Scene& s) {
  for (;;) {
    const auto event = s.watcher->take();
    if (!event || !event->has_value()) return outcome(event);
  }
}
std::string wait_for_events(Scene& s) { return outcome(s.watcher->wait(Deadline::after(2ms))); }
std::string close_watcher(Scene& s) {
  s.watcher.reset();
  return "ok";
}

}  // namespace

std::vector<Operation> watching_operations() {
  return {
      {"CreateWaitSet", nothing, create_set, false, kNamesNothing},
      {"WatchATopic", a_set, watch_topic, false, kNamesNothing},
      {"WatchADescriptorBesideATopic", a_set_of_topics, watch_descriptor, false, kNamesNothing},
      {"WatchALock", a_set, watch_lock, false, kNamesNothing},
      {"WaitOnTopics", a_set_of_topics, wait_in_set, false, kNamesNothing},
      {"WaitOnTopicsAndDescriptors", a_mixed_set, wait_in_set, false, kNamesNothing},
      {"WaitOnALock", a_watched_lock, wait_in_set, false, kNamesNothing},
      {"EndWatches", a_mixed_set, end_watches, true},
      {"EndWatchOfALock", a_watched_lock, end_watches, true},
      {"CloseWaitSet", a_mixed_set, close_set, true},
      {"ListTopics", a_pair, list, false, kNamesNothing},
      {"ListTopicsBesideTheDead", a_pair_beside_the_dead, list, false, kNamesNothing},
      {"ListLocks", a_set, list_all_locks, false, kNamesNothing},
      {"OpenTopicWatcher", a_pair, open_watcher, false, kNamesNothing},
      {"OpenTopicWatcherOfOne", nothing, open_watcher_of_one, false, kNamesNothing},
      {"TakeEvents", a_watcher, take_events, false, kNamesNothing},
      {"TakeEventsOfTheDead", a_watcher_beside_the_dead, take_events, false, kNamesNothing},
      {"WaitForEvents", a_watcher_that_knows_all, wait_for_events, false, kNamesNothing},
      {"CloseTopicWatcher", a_watcher, close_watcher, true},
  };
}

}  // namespace fault
