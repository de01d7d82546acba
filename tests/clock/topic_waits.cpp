#include <chrono>
#include <memory>

#include "own_waits.hpp"
#include "signalbox/discovery.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"

namespace wall_clock {

struct Tick {
  std::uint64_t number;
};

}  // namespace wall_clock

SBX_DESCRIBE(wall_clock::Tick, number);

namespace wall_clock {

namespace {

using namespace signalbox;
using facilities::Ground;
using facilities::Wait;
using facilities::Waiting;
using os::OnSignal;

constexpr char kTopic[] = "clock/ticks";

Result<void> as_wait(Result<Wake> woken) {
  if (!woken) return std::unexpected(std::move(woken.error()));
  if (*woken == Wake::timed_out) return facilities::passed_the_deadline();
  return {};
}

Result<void> as_wait(Result<std::span<const WaitSet::Ready>> ready) {
  if (!ready) return std::unexpected(std::move(ready.error()));
  return ready->empty() ? facilities::passed_the_deadline() : Result<void>{};
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
          {},
          {}};
}

Waiting subscribing(const Ground&) {
  auto in = std::make_shared<Subscriber<Tick>>(Subscriber<Tick>::open(kTopic).value());
  return {[in](Deadline until, OnSignal) { return as_wait(in->wait(until)); }, {}, {}};
}

Waiting watching_topics(const Ground&) {
  auto watcher = std::make_shared<TopicWatcher>(TopicWatcher::open().value());
  return {[watcher](Deadline until, OnSignal) { return as_wait(watcher->wait(until)); }, {}, {}};
}

// A topic in a set, alone or beside a pipe that nobody writes.
struct Set {
  Subscriber<Tick> in = Subscriber<Tick>::open(kTopic).value();
  os::Pipe pipe = os::Pipe::create().value();
  WaitSet set = WaitSet::create(2).value();
  Watch topic = set.watch(in.waitable(), 1).value();
  Watch descriptor{};
};

Waiting a_set_of_topics(const Ground&) {
  auto all = std::make_shared<Set>();
  return {[all](Deadline until, OnSignal) { return as_wait(all->set.wait(until)); }, {}, {}};
}

Waiting a_set_with_descriptors(const Ground&) {
  auto all = std::make_shared<Set>();
  const auto unwritten = Waitable::descriptor(all->pipe.reader.fd().get());
  all->descriptor = all->set.watch(unwritten, 2).value();
  return {[all](Deadline until, OnSignal) { return as_wait(all->set.wait(until)); }, {}, {}};
}

// What ends this wait is the period, which must not end early or late either: its report is the
// deadline that passed.
Waiting a_missed_deadline(const Ground&) {
  auto all = std::make_shared<Set>();
  return {[all](Deadline until, OnSignal) -> Result<void> {
            const auto left = std::chrono::nanoseconds(until.monotonic_ns() - monotonic_now_ns());
            all->topic.end();
            all->topic = all->set.watch_every(all->in.waitable(), 1, left).value();
            auto ready = all->set.wait(Deadline::after(std::chrono::minutes(1)));
            if (!ready) return std::unexpected(std::move(ready.error()));
            const bool missed = ready->size() == 1 && (*ready)[0].events == Events::deadline_missed;
            return missed ? facilities::passed_the_deadline() : Result<void>{};
          },
          {},
          {}};
}

}  // namespace

std::vector<Wait> topic_waits() {
  return {{.name = "TopicPublish", .prepare = publishing},
          {.name = "TopicWait", .prepare = subscribing},
          {.name = "TopicWatcher", .prepare = watching_topics},
          {.name = "WaitSetOfTopics", .prepare = a_set_of_topics},
          {.name = "WaitSetWithDescriptors", .prepare = a_set_with_descriptors},
          {.name = "WaitSetPeriod", .prepare = a_missed_deadline}};
}

}  // namespace wall_clock
