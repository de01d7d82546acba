// The plays of those who only look: discovery, the facts of locks, footprints.
#include <optional>
#include <string>
#include <utility>

#include "allocation_window.hpp"
#include "signalbox/discovery.hpp"
#include "signalbox/footprint.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/lock_facts.hpp"
#include "signalbox/topic.hpp"

namespace allocation {

namespace {

struct Reading {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;
};

}  // namespace

}  // namespace allocation
SBX_DESCRIBE(allocation::Reading, number);

namespace allocation {

namespace {

using namespace std::chrono_literals;
using signalbox::Deadline;
using signalbox::Publisher;
using signalbox::Subscriber;
using signalbox::TopicEvent;
using signalbox::TopicWatcher;
using signalbox::Wake;

int list() {
  bool was_refused = false;
  auto out = Publisher<Reading>::open("topic");
  auto in = Subscriber<Reading>::open("topic", {.reliable = true});
  auto lock = signalbox::Mutex::open("lock");
  auto guard = lock->lock(Deadline::never());
  const auto topics = insist(was_refused, [] { return signalbox::list_topics(); });
  const auto locks = insist(was_refused, [] { return signalbox::list_locks(); });
  const auto facts = insist(was_refused, [] { return signalbox::look_at_lock("lock"); });
  expect_refusal(Errc::not_found, [] { return signalbox::look_at_lock("none"); });
  expect_refusal(Errc::bad_name, [] { return signalbox::list_topics("no/domain"); });
  const bool is_whole = topics->size() == 1 && topics->front().publishers.size() == 1 &&
                        topics->front().subscribers.size() == 1 && locks->size() == 1 &&
                        facts->holders.size() == 1;
  return !is_whole ? second_try_failed : was_refused ? refused : succeeded;
}

// Each of these is told once, also where memory was refused in between.
constexpr TopicEvent::Kind kAll[] = {
    TopicEvent::Kind::topic_appeared,    TopicEvent::Kind::publisher_joined,
    TopicEvent::Kind::subscriber_joined, TopicEvent::Kind::publisher_left,
    TopicEvent::Kind::subscriber_left,   TopicEvent::Kind::topic_vanished};

bool is_told(bool& was_refused, TopicWatcher& watcher, TopicEvent::Kind kind) {
  const auto woken = insist(was_refused, [&] { return watcher.wait(Deadline::after(10s)); });
  if (*woken != Wake::ready) return false;
  const auto event = insist(was_refused, [&] { return watcher.take(); });
  return *event && (*event)->kind == kind;
}

int watch() {
  bool was_refused = false;
  auto all = insist(was_refused, [] { return TopicWatcher::open(); });
  auto one = insist(was_refused, [] { return TopicWatcher::open_topic("topic"); });
  std::optional out = Publisher<Reading>::open("topic");
  std::optional<signalbox::Result<Subscriber<Reading>>> in;
  for (const TopicEvent::Kind kind : kAll) {
    if (kind == TopicEvent::Kind::subscriber_joined) in = Subscriber<Reading>::open("topic", {});
    if (kind == TopicEvent::Kind::publisher_left) out.reset();
    if (kind == TopicEvent::Kind::subscriber_left) in.reset();
    if (!is_told(was_refused, *all, kind) || !is_told(was_refused, *one, kind)) {
      return second_try_failed;
    }
  }
  const auto nothing = insist(was_refused, [&] { return all->take(); });
  if (nothing->has_value()) return second_try_failed;
  close(std::move(*one));
  close(std::move(*all));
  return was_refused ? refused : succeeded;
}

int footprint() {
  bool was_refused = false;
  const auto sum = insist(was_refused, [] {
    return signalbox::footprint<Reading>({.depth = 4, .grown_tail_bytes_max = 100'000});
  });
  const std::string table = of_library([&] { return to_string(*sum); });
  if (table != "out of memory" && table.find("bell") == std::string::npos) return wrong_code;
  expect_refusal(Errc::bad_argument, [] { return signalbox::footprint<Reading>({.depth = 5}); });
  return was_refused ? refused : succeeded;
}

}  // namespace

std::vector<Play> looking_plays() {
  return {{"List", list}, {"Watch", watch}, {"Footprint", footprint}};
}

}  // namespace allocation
