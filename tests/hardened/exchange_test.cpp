// Goal: a topic of the hardened tier does what a plain one does, between processes; what others map
// has no name, and all who open a topic ask for the same tier.
// Method: real pairs of processes in a private domain, which is empty again at the end.
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <set>

#include "../stop/participant.hpp"
#include "signalbox/discovery.hpp"
#include "topic/scratch_domain.hpp"

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Publisher;
using signalbox::PublisherOptions;
using signalbox::Start;
using signalbox::Subscriber;
using signalbox::SubscriberOptions;
using signalbox::Tier;
using signalbox::TopicEvent;
using signalbox::Wake;
using stop::Beat;
using stop::eventually;
using stop::Participant;
using stop::Picture;

constexpr char kTopic[] = "hard/topic";
const PublisherOptions kGives{.depth = 8, .tier = Tier::hardened};
const SubscriberOptions kTakes{.start = Start::oldest, .tier = Tier::hardened};
const SubscriberOptions kTakesAll{.start = Start::oldest, .reliable = true, .tier = Tier::hardened};
constexpr std::uint64_t kMessages = 500;

template <class T>
T message(std::uint64_t number) {
  T made{};
  made.number = number;
  if constexpr (requires { made.words; }) std::fill_n(made.words, 63, number * 3);
  return made;
}

template <class T>
bool is_whole(const T& got) {
  if constexpr (requires { got.words; }) {
    for (const std::uint64_t word : got.words) {
      if (word != got.number * 3) return false;
    }
  }
  return true;
}

template <class T>
int publish_all() {
  auto out = Publisher<T>::open(kTopic, kGives);
  if (!out) return 1;
  if (!eventually([&] { return out->subscriber_count() == 1; })) return 2;
  for (std::uint64_t i = 0; i < kMessages; ++i) {
    if (!out->send(message<T>(i), Deadline::after(20s))) return 3;
  }
  return 0;
}

template <class T>
void expect_all(Subscriber<T>& in, const std::function<bool()>& sleep) {
  std::uint64_t next = 0;
  const Deadline watchdog = Deadline::after(60s);
  while (next < kMessages && !watchdog.passed()) {
    ASSERT_TRUE(sleep());
    while (const auto got = in.take()) {
      EXPECT_EQ(got->number, next++);
      EXPECT_TRUE(is_whole(*got));
    }
    ASSERT_EQ(in.status(), nullptr) << in.status()->text;
  }
  EXPECT_EQ(next, kMessages);
  EXPECT_EQ(in.lost_count(), 0U);
}

template <class T>
class BothKinds : public ::testing::Test {
 protected:
  signalbox::ScratchDomain domain_;
};
using Kinds = ::testing::Types<Beat, Picture>;
TYPED_TEST_SUITE(BothKinds, Kinds);

TYPED_TEST(BothKinds, EveryReliableMessageArrivesAsleepOnTheTopic) {
  auto in = Subscriber<TypeParam>::open(kTopic, kTakesAll).value();
  Participant publisher(publish_all<TypeParam>);
  expect_all<TypeParam>(in, [&] { return in.wait(Deadline::after(1s)).has_value(); });
  EXPECT_EQ(publisher.join(), 0);
}

TYPED_TEST(BothKinds, EveryReliableMessageArrivesAsleepOnTheDescriptor) {
  auto in = Subscriber<TypeParam>::open(kTopic, kTakesAll).value();
  const int descriptor = in.descriptor().value();
  Participant publisher(publish_all<TypeParam>);
  expect_all<TypeParam>(in, [&] {
    pollfd one{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, 1000) >= 0;
  });
  EXPECT_EQ(publisher.join(), 0);
}

TYPED_TEST(BothKinds, ALateSubscriberFindsWhatIsKept) {
  auto out = Publisher<TypeParam>::open(kTopic, kGives).value();
  for (std::uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(out.send(message<TypeParam>(i)));
  Participant late([] {
    auto in = Subscriber<TypeParam>::open(kTopic, kTakes);
    if (!in) return 1;
    std::uint64_t next = 12;  // eight are kept
    while (const auto got = in->take()) {
      if (got->number != next++ || !is_whole(*got)) return 2;
    }
    return next == 20 ? 0 : 3;
  });
  EXPECT_EQ(late.join(), 0);
}

// Who was there when a publisher came has all that it published, though it was killed before
// anybody looked.
TYPED_TEST(BothKinds, LastWordsOfAKilledPublisherArrive) {
  auto in = Subscriber<TypeParam>::open(kTopic, kTakes).value();
  Participant publisher([] {
    auto out = Publisher<TypeParam>::open(kTopic, kGives);
    if (!out) return 1;
    for (std::uint64_t i = 0; i < 5; ++i) {
      if (!out->send(message<TypeParam>(i))) return 2;
    }
    ::raise(SIGKILL);
    return 3;
  });
  EXPECT_EQ(publisher.join(), 128 + SIGKILL);
  // Somebody else cleans up after it first.
  {
    auto visitor = Subscriber<TypeParam>::open(kTopic, kTakes).value();
  }
  std::uint64_t next = 0;
  while (const auto got = in.take()) {
    EXPECT_EQ(got->number, next++);
    EXPECT_TRUE(is_whole(*got));
  }
  EXPECT_EQ(next, 5U);
  EXPECT_EQ(in.publisher_count(), 0U);
}

TYPED_TEST(BothKinds, LastWordsOfAClosedPublisherArrive) {
  auto in = Subscriber<TypeParam>::open(kTopic, kTakes).value();
  Participant publisher([] {
    auto out = Publisher<TypeParam>::open(kTopic, kGives);
    return out && out->send(message<TypeParam>(7)) ? 0 : 1;
  });
  EXPECT_EQ(publisher.join(), 0);
  const auto got = in.take();
  ASSERT_TRUE(got);
  EXPECT_EQ(got->number, 7U);
  EXPECT_EQ(in.publisher_count(), 0U);
}

// The bell and the text go from hand to hand: the last who had them from their maker is enough.
TEST(HardenedTopic, OutlivesWhoMadeIt) {
  const signalbox::ScratchDomain domain;
  auto maker = std::make_unique<Publisher<Beat>>(Publisher<Beat>::open(kTopic, kGives).value());
  auto in = Subscriber<Beat>::open(kTopic, kTakes).value();
  maker.reset();
  Participant next([] {
    auto out = Publisher<Beat>::open(kTopic, kGives);
    return out && out->subscriber_count() == 1 && out->send({1}) ? 0 : 1;
  });
  EXPECT_EQ(next.join(), 0);
  EXPECT_EQ(in.wait(Deadline::after(20s)).value(), Wake::ready);
  EXPECT_TRUE(in.take());
}

TEST(HardenedTopic, IsMadeAnewWhenAllAreDead) {
  const signalbox::ScratchDomain domain;
  Participant killed([] {
    auto out = Publisher<Beat>::open(kTopic, kGives);
    auto in = Subscriber<Beat>::open(kTopic, kTakes);
    if (out && in && in->descriptor()) ::raise(SIGKILL);
    return 1;
  });
  EXPECT_EQ(killed.join(), 128 + SIGKILL);
  // Also by another type and another tier.
  {
    EXPECT_TRUE(Publisher<Picture>::open(kTopic, kGives));
  }
  Participant again([] {
    auto out = Publisher<Picture>::open(kTopic, kGives);
    if (out) ::raise(SIGKILL);
    return 1;
  });
  EXPECT_EQ(again.join(), 128 + SIGKILL);
  EXPECT_TRUE(Publisher<Beat>::open(kTopic));
}

TEST(HardenedTopic, HasNothingWithANameThatAnybodyMaps) {
  const signalbox::ScratchDomain domain;
  auto out = Publisher<Picture>::open(kTopic, kGives).value();
  auto in = Subscriber<Picture>::open(kTopic, kTakes).value();
  std::multiset<std::string> names;
  for (const auto& entry : fs::directory_iterator(domain.topic_path("hard+topic"))) {
    const std::string name = entry.path().filename();
    names.insert(name.substr(0, 4) + entry.path().extension().string());
    if (entry.is_regular_file()) {
      EXPECT_LE(entry.file_size(), 320U) << name;
    }
  }
  EXPECT_EQ(names, (std::multiset<std::string>{"pub-", "pub-.sock", "sub-", "sub-.sock", "topi"}));
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    EXPECT_EQ(line.find(domain.root()), std::string::npos) << line;
  }
}

TEST(HardenedTopic, RefusesAnotherTypeByTheField) {
  const signalbox::ScratchDomain domain;
  auto out = Publisher<Beat>::open(kTopic, kGives).value();
  const auto other = Subscriber<Picture>::open(kTopic, kTakes);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::type_mismatch) << other.error().text;
  EXPECT_NE(other.error().text.find("words"), std::string::npos) << other.error().text;
}

TEST(HardenedTopic, AnotherTierIsRefusedAndBothAreNamed) {
  const signalbox::ScratchDomain domain;
  for (const Tier first : {Tier::plain, Tier::hardened}) {
    const Tier second = first == Tier::plain ? Tier::hardened : Tier::plain;
    auto out = Publisher<Beat>::open(kTopic, {.tier = first}).value();
    const auto in = Subscriber<Beat>::open(kTopic, {.tier = second});
    ASSERT_FALSE(in);
    EXPECT_EQ(in.error().code, Errc::layout_mismatch);
    EXPECT_NE(in.error().text.find("plain"), std::string::npos) << in.error().text;
    EXPECT_NE(in.error().text.find("hardened"), std::string::npos) << in.error().text;
    EXPECT_TRUE(Subscriber<Beat>::open(kTopic, {.tier = first}));
  }
}

TEST(HardenedTopic, IsSeenFromOutside) {
  const signalbox::ScratchDomain domain;
  auto in = Subscriber<Beat>::open(kTopic, kTakesAll).value();
  auto out = Publisher<Beat>::open(kTopic, kGives).value();
  for (std::uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(out.send({i}));
  ASSERT_TRUE(in.take());
  Participant looks([] {
    const auto topics = signalbox::list_topics();
    if (!topics || topics->size() != 1) return 1;
    const signalbox::TopicInfo& topic = topics->front();
    if (topic.error || topic.name != kTopic || topic.type.text.empty()) return 2;
    if (topic.publishers.size() != 1 || topic.subscribers.size() != 1) return 3;
    const auto& publisher = topic.publishers[0];
    if (publisher.error || !publisher.is_alive || publisher.depth != 8) return 4;
    if (publisher.published != 3 || publisher.pid != static_cast<std::uint32_t>(::getppid())) {
      return 5;
    }
    const auto& subscriber = topic.subscribers[0];
    if (subscriber.error || !subscriber.is_reliable || subscriber.lag != 2) return 6;
    return 0;
  });
  EXPECT_EQ(looks.join(), 0);
}

TEST(HardenedTopic, ComingLeavingAndDyingAreTold) {
  const signalbox::ScratchDomain domain;
  auto watcher = signalbox::TopicWatcher::open().value();
  stop::Report& report = *stop::map_report();
  Participant dies([&] {
    auto out = Publisher<Beat>::open(kTopic, kGives);
    if (!out) return 1;
    report.mark = 1;
    return eventually([&] { return report.mark == 2; }) ? (::raise(SIGKILL), 2) : 3;
  });
  const auto next = [&](TopicEvent::Kind kind) {
    std::optional<TopicEvent> event;
    EXPECT_TRUE(eventually([&] { return (event = watcher.take().value()).has_value(); }));
    EXPECT_EQ(to_string(event->kind), to_string(kind));
    return event->pid;
  };
  next(TopicEvent::Kind::topic_appeared);
  EXPECT_EQ(next(TopicEvent::Kind::publisher_joined), static_cast<std::uint32_t>(dies.pid()));
  {
    auto in = Subscriber<Beat>::open(kTopic, kTakes).value();
    next(TopicEvent::Kind::subscriber_joined);
    report.mark = 2;
    dies.wait_until_dead();
    next(TopicEvent::Kind::publisher_died);
  }
  next(TopicEvent::Kind::subscriber_left);
  next(TopicEvent::Kind::topic_vanished);
}

}  // namespace
