// Goal: what discovery.hpp promises of a TopicWatcher, in one process; others die in
// tests/discovery. Method: real topics in a private domain. A watcher sleeps before each change, so
// what it tells it was woken for.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <optional>
#include <thread>

#include "base/must.hpp"
#include "os/file.hpp"
#include "signalbox/discovery.hpp"
#include "signalbox/os/file_lock.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"
#include "topic/place.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Number {
  std::uint64_t value;
};
struct Large {
  std::uint64_t words[32];
};
}  // namespace test
SBX_DESCRIBE(test::Number, value);
SBX_DESCRIBE(test::Large, words);

namespace signalbox {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;
using Numbers = Publisher<test::Number>;
using Reader = Subscriber<test::Number>;

// A watchdog for what must come, never a measure.
Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

std::string line_of(const TopicEvent& event) {
  return std::string(to_string(event.kind)) + " " + event.topic;
}

std::vector<std::string> told_now(TopicWatcher& watcher) {
  std::vector<std::string> lines;
  while (const auto event = must(watcher.take())) lines.push_back(line_of(*event));
  return lines;
}

// Sleeps until so many events came.
std::vector<std::string> told(TopicWatcher& watcher, std::size_t count) {
  std::vector<std::string> lines;
  while (lines.size() < count && must(watcher.wait(soon())) == Wake::ready) {
    lines.push_back(line_of(*must(watcher.take())));
  }
  return lines;
}

class Watcher : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

TEST_F(Watcher, WhatWasMovedFromIsEmptyAndSaysSo) {
  TopicWatcher from = must(TopicWatcher::open());
  EXPECT_TRUE(from);
  const TopicWatcher to = std::move(from);
  // NOLINTBEGIN(bugprone-use-after-move): that is what is looked at.
  EXPECT_FALSE(from);
  EXPECT_EQ(from.take().error().code, Errc::bad_argument);
  EXPECT_EQ(from.wait(soon()).error().code, Errc::bad_argument);
  EXPECT_EQ(from.descriptor(), -1);
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_TRUE(to);
}

TEST_F(Watcher, BeginsWithWhoIsThere) {
  const auto out = must(Numbers::open("a/b"));
  const auto in = must(Reader::open("a/b"));
  const auto other = must(Reader::open("c"));
  auto watcher = must(TopicWatcher::open());
  const auto first = must(watcher.take());
  ASSERT_TRUE(first);
  EXPECT_EQ(line_of(*first), "topic_appeared a/b");
  EXPECT_EQ(first->pid, 0U);
  EXPECT_THAT(told_now(watcher),
              UnorderedElementsAre("publisher_joined a/b", "subscriber_joined a/b",
                                   "topic_appeared c", "subscriber_joined c"));
  EXPECT_EQ(must(watcher.wait(Deadline::immediate())), Wake::timed_out);
}

TEST_F(Watcher, TellsWhoComesAndGoesInOrder) {
  auto watcher = must(TopicWatcher::open());
  EXPECT_THAT(told_now(watcher), IsEmpty());
  std::optional<Numbers> out(must(Numbers::open("t")));
  EXPECT_THAT(told(watcher, 2), ElementsAre("topic_appeared t", "publisher_joined t"));
  std::optional<Reader> in(must(Reader::open("t")));
  ASSERT_EQ(must(watcher.wait(soon())), Wake::ready);
  const auto joined = must(watcher.take());
  ASSERT_TRUE(joined);
  EXPECT_EQ(line_of(*joined), "subscriber_joined t");
  EXPECT_EQ(joined->pid, static_cast<std::uint32_t>(::getpid()));
  const auto topics = must(list_topics());
  ASSERT_EQ(topics.size(), 1U);
  ASSERT_EQ(topics[0].subscribers.size(), 1U);
  EXPECT_EQ(joined->incarnation, topics[0].subscribers[0].incarnation);
  in.reset();
  EXPECT_THAT(told(watcher, 1), ElementsAre("subscriber_left t"));
  out.reset();
  EXPECT_THAT(told(watcher, 2), ElementsAre("publisher_left t", "topic_vanished t"));
  EXPECT_FALSE(std::filesystem::exists(domain_.root() + "/default"));
  out.emplace(must(Numbers::open("t")));
  EXPECT_THAT(told(watcher, 2), ElementsAre("topic_appeared t", "publisher_joined t"));
}

// Its file waits to be met, so no name goes: only the last writer of the file does.
TEST_F(Watcher, IsWokenByAPublisherThatLeavesItsFileBehind) {
  const auto in = must(Reader::open("t"));
  std::optional<Numbers> out(must(Numbers::open("t")));
  must(out->send({1}));
  auto watcher = must(TopicWatcher::open());
  EXPECT_EQ(told_now(watcher).size(), 3U);
  out.reset();
  const auto topics = must(list_topics());
  ASSERT_EQ(topics.at(0).publishers.size(), 1U) << "the file was to stay";
  EXPECT_FALSE(topics[0].publishers[0].is_alive);
  EXPECT_THAT(told(watcher, 1), ElementsAre("publisher_left t"));
}

// The kernel tells that the writer is gone before it drops the lock. Here the two are far apart: a
// second writer goes, and the owner's lock falls after a look has found it in place.
TEST_F(Watcher, LooksAgainForALockThatFallsAfterItsNotice) {
  const auto stays = must(Reader::open("t"));
  const auto directory = must(os::open_directory(domain_.topic_path("t")));
  const std::string name = topic::file_name(topic::Role::publisher, 7);
  const std::string path = domain_.topic_path("t") + "/" + name;
  std::ofstream(path) << std::string(4096, 0);
  const auto owner = must(os::open_file(directory, name, os::Access::read_write));
  ASSERT_TRUE(must(os::try_lock(owner, os::LockKind::exclusive)));
  auto watcher = must(TopicWatcher::open());
  EXPECT_EQ(told_now(watcher).size(), 3U);
  {
    const auto writer = must(os::open_file(directory, name, os::Access::read_write));
  }
  EXPECT_THAT(told_now(watcher), IsEmpty());
  os::unlock(owner);
  EXPECT_THAT(told(watcher, 1), ElementsAre("publisher_died t"));
  std::filesystem::remove(path);
}

TEST_F(Watcher, OfASubscriberThatHoldsASampleTellsWhenThatIsReleased) {
  auto out = must(Publisher<test::Large>::open("t"));
  std::optional in(must(Subscriber<test::Large>::open("t")));
  must(out.send({}));
  auto watcher = must(TopicWatcher::open());
  EXPECT_EQ(told_now(watcher).size(), 3U);
  {
    const auto held = in->take();
    ASSERT_TRUE(held);
    in.reset();
  }
  EXPECT_THAT(told(watcher, 1), ElementsAre("subscriber_left t"));
}

TEST_F(Watcher, OfOneTopicNeedsNothingThereAndTellsNothingElse) {
  ::setenv("SIGNALBOX_DIR", (domain_.root() + "/not/there/yet").c_str(), 1);
  {
    auto watcher = must(TopicWatcher::open_topic("lives"));
    EXPECT_THAT(told_now(watcher), IsEmpty());
    const auto other = must(Numbers::open("other"));
    const auto out = must(Numbers::open("lives"));
    EXPECT_THAT(told(watcher, 2), ElementsAre("topic_appeared lives", "publisher_joined lives"));
    EXPECT_THAT(told_now(watcher), IsEmpty());
  }
  std::filesystem::remove_all(domain_.root() + "/not");
  EXPECT_EQ(TopicWatcher::open_topic("").error().code, Errc::bad_name);
  EXPECT_EQ(TopicWatcher::open("no/domain").error().code, Errc::bad_name);
}

TEST_F(Watcher, SleepsInAWaitSetBesideASubscriber) {
  enum Source : WaitSet::Key { messages, changes };
  auto out = must(Numbers::open("t"));
  auto in = must(Reader::open("t"));
  auto watcher = must(TopicWatcher::open_topic("t"));
  EXPECT_EQ(told_now(watcher).size(), 3U);
  auto set = must(WaitSet::create(2));
  const Watch watches[] = {must(set.watch(in.waitable(), messages)),
                           must(set.watch(watcher.waitable(), changes))};
  // Both are drained at each report, as a program does: a watcher may look again for nothing.
  std::vector<std::string> lines;
  std::size_t taken = 0;
  const auto sleep_until = [&](auto&& told_all) {
    while (!told_all()) {
      const auto ready = must(set.wait(soon()));
      ASSERT_THAT(ready, ::testing::Not(IsEmpty())) << "nothing came";
      while (in.take()) ++taken;
      while (const auto event = must(watcher.take())) lines.push_back(line_of(*event));
    }
  };
  {
    const std::jthread publisher([&] { must(out.send({1})); });
    sleep_until([&] { return taken == 1; });
    EXPECT_THAT(lines, IsEmpty());
  }
  std::optional<Numbers> joins;
  {
    const std::jthread other([&] { joins.emplace(must(Numbers::open("t"))); });
    sleep_until([&] { return !lines.empty(); });
  }
  EXPECT_THAT(lines, ElementsAre("publisher_joined t"));
  EXPECT_EQ(taken, 1U);
}

TEST_F(Watcher, AnOverflowingQueueIsALook) {
  auto watcher = must(TopicWatcher::open());
  const auto out = must(Numbers::open("t"));
  const std::string noise = domain_.topic_path("noise");
  std::ifstream limit("/proc/sys/fs/inotify/max_queued_events");
  int queued_max = 0;
  ASSERT_TRUE(limit >> queued_max);
  // Made and removed by other names each time, or the kernel would merge the notices.
  for (int i = 0; i <= queued_max / 2; ++i) {
    const std::string name = noise + std::to_string(i % 2);
    std::filesystem::create_directory(name);
    std::filesystem::remove(name);
  }
  const auto in = must(Reader::open("t"));  // of this no notice fits the queue any more
  EXPECT_THAT(told_now(watcher), ElementsAre("topic_appeared t", ::testing::_, ::testing::_));
}

TEST_F(Watcher, IgnoresWhatNobodyCouldHaveMade) {
  const auto out = must(Numbers::open("t"));
  std::filesystem::create_directory(domain_.topic_path("no topic\x1b"));
  std::filesystem::create_directory(domain_.topic_path("empty"));
  std::ofstream(domain_.topic_path("file")) << "nothing";
  std::ofstream(domain_.topic_path("t/pub-0123456789abcdef")) << "short";
  std::filesystem::create_symlink("/", domain_.topic_path("link"));
  auto watcher = must(TopicWatcher::open());
  EXPECT_THAT(told_now(watcher), ElementsAre("topic_appeared t", "publisher_joined t"));
  for (const char* const name :
       {"no topic\x1b", "empty", "file", "link", "t/pub-0123456789abcdef"}) {
    std::filesystem::remove(domain_.topic_path(name));
  }
}

}  // namespace
}  // namespace signalbox
