#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "own_waits.hpp"
#include "signalbox/discovery.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"

namespace facilities {

struct Tick {
  std::uint64_t number;
};

}  // namespace facilities

SBX_DESCRIBE(facilities::Tick, number);

namespace facilities {

namespace {

using namespace signalbox;
using os::OnSignal;

constexpr char kTopic[] = "waits/ticks";

// These always end for a signal and leave it to the caller to go on until the same deadline.
template <class Sleep>
Result<void> as_wait(OnSignal how, Sleep sleep) {
  for (;;) {
    const Result<Wake> woken = sleep();
    if (!woken) return std::unexpected(woken.error());
    if (*woken == Wake::ready) return {};
    if (*woken == Wake::timed_out) return passed_the_deadline();
    if (how == OnSignal::give_up) return was_interrupted();
  }
}

Result<void> as_wait(Result<std::span<const WaitSet::Ready>> ready) {
  if (!ready) return std::unexpected(std::move(ready.error()));
  return ready->empty() ? passed_the_deadline() : Result<void>{};
}

// A reliable subscriber that takes nothing, and a publisher whose ring is full of what it left.
struct Stuffed {
  Subscriber<Tick> in = Subscriber<Tick>::open(kTopic, SubscriberOptions{.reliable = true}).value();
  Publisher<Tick> out = Publisher<Tick>::open(kTopic, PublisherOptions{.depth = 2}).value();
  Stuffed() {
    while (out.send({1})) continue;
  }
};

Waiting publishing(const Ground&) {
  auto all = std::make_shared<Stuffed>();
  return {[all](Deadline until, OnSignal) -> Result<void> {
            auto sent = all->out.send({2}, until);
            return sent ? Result<void>{} : std::unexpected(std::move(sent.error()));
          },
          [all] { static_cast<void>(all->in.take()); }, [all] { return !all->out.send({3}); }};
}

struct Pair {
  Publisher<Tick> out = Publisher<Tick>::open(kTopic).value();
  Subscriber<Tick> in = Subscriber<Tick>::open(kTopic).value();
};

Waiting subscribing(const Ground&) {
  auto all = std::make_shared<Pair>();
  return {[all](Deadline until, OnSignal how) {
            return as_wait(how, [&] { return all->in.wait(until); });
          },
          [all] { static_cast<void>(all->out.send({1})); },
          {}};
}

struct Watched {
  TopicWatcher watcher = TopicWatcher::open().value();
  std::optional<Publisher<Tick>> somebody;
};

Waiting watching_topics(const Ground&) {
  auto all = std::make_shared<Watched>();
  return {[all](Deadline until, OnSignal how) {
            return as_wait(how, [&] { return all->watcher.wait(until); });
          },
          [all] { all->somebody = Publisher<Tick>::open(kTopic).value(); },
          {}};
}

// A topic in a set, alone or beside a pipe that nobody writes.
struct Set {
  Publisher<Tick> out = Publisher<Tick>::open(kTopic).value();
  Subscriber<Tick> in = Subscriber<Tick>::open(kTopic).value();
  os::Pipe pipe = os::Pipe::create().value();
  WaitSet set = WaitSet::create(2).value();
  Watch topic = set.watch(in.waitable(), 1).value();
  Watch descriptor{};
};

Waiting waiting_with(const std::shared_ptr<Set>& all) {
  return {[all](Deadline until, OnSignal) { return as_wait(all->set.wait(until)); },
          [all] { static_cast<void>(all->out.send({1})); },
          {}};
}

Waiting a_set_of_topics(const Ground&) { return waiting_with(std::make_shared<Set>()); }

Waiting a_set_with_descriptors(const Ground&) {
  auto all = std::make_shared<Set>();
  const auto unwritten = Waitable::descriptor(all->pipe.reader.fd().get());
  all->descriptor = all->set.watch(unwritten, 2).value();
  return waiting_with(all);
}

// What ends this wait is the period, which must not end early or late either: its report is the
// deadline that passed.
Waiting a_missed_deadline(const Ground&) {
  auto all = std::make_shared<Set>();
  Waiting waiting = waiting_with(all);
  waiting.wait = [all](Deadline until, OnSignal) -> Result<void> {
    const auto left = std::max<std::chrono::nanoseconds>(
        std::chrono::nanoseconds(until.monotonic_ns() - monotonic_now_ns()),
        std::chrono::milliseconds(1));
    all->topic.end();
    all->topic = all->set.watch_every(all->in.waitable(), 1, left).value();
    auto ready = all->set.wait(Deadline::after(std::chrono::minutes(1)));
    if (!ready) return std::unexpected(std::move(ready.error()));
    const bool missed = ready->size() == 1 && (*ready)[0].events == Events::deadline_missed;
    return missed ? passed_the_deadline() : Result<void>{};
  };
  return waiting;
}

}  // namespace

std::vector<Wait> topic_waits() {
  return {
      {.name = "TopicPublish", .prepare = publishing, .may_give_up = false},
      {.name = "TopicWait", .prepare = subscribing},
      {.name = "TopicWatcher", .prepare = watching_topics},
      {.name = "WaitSetOfTopics", .prepare = a_set_of_topics, .may_give_up = false},
      {.name = "WaitSetWithDescriptors", .prepare = a_set_with_descriptors, .may_give_up = false},
      {.name = "WaitSetPeriod", .prepare = a_missed_deadline, .may_give_up = false}};
}

}  // namespace facilities
