// Goal: what discovery.hpp promises of list_topics(), in one process.
// Method: real topics in a private domain, then damage done to their files by hand; the files are
// compared before and after a look.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <optional>

#include "base/must.hpp"
#include "signalbox/discovery.hpp"
#include "signalbox/topic.hpp"
#include "topic/layout.hpp"
#include "topic/place.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Number {
  std::uint64_t value;
};
struct Tailed {
  static constexpr bool sbx_tail = true;
  std::uint64_t words[8];
};
}  // namespace test
SBX_DESCRIBE(test::Number, value);
SBX_DESCRIBE(test::Tailed, words);

namespace signalbox {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;
using Numbers = Publisher<test::Number>;
using Reader = Subscriber<test::Number>;

std::string file_of(const ScratchDomain& domain, const std::string& topic, topic::Role role,
                    std::uint64_t incarnation) {
  return domain.topic_path(topic) + "/" + topic::file_name(role, incarnation);
}

void overwrite(const std::string& path, std::size_t offset, std::uint64_t word) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.write(reinterpret_cast<const char*>(&word), sizeof(word));
  ASSERT_TRUE(file.flush());
}

std::map<std::string, std::string> bytes_below(const std::string& root) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    std::string& bytes = files[entry.path().string()];
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

class TopicList : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

TEST_F(TopicList, OfNobodyIsEmpty) {
  EXPECT_THAT(must(list_topics()), IsEmpty());
  EXPECT_THAT(must(list_topics("elsewhere")), IsEmpty());
  EXPECT_EQ(list_topics("no/domain").error().code, Errc::bad_name);
}

TEST_F(TopicList, SaysWhatThePagesSay) {
  auto out = must(Numbers::open("a/b", {.depth = 8}));
  auto in = must(Reader::open("a/b", {.start = Start::next, .reliable = true}));
  const auto lossy = must(Reader::open("a/b"));
  for (std::uint64_t i = 0; i < 5; ++i) must(out.send({i}));
  ASSERT_TRUE(in.take());
  ASSERT_TRUE(in.take());
  const auto topics = must(list_topics());
  ASSERT_THAT(topics, SizeIs(1));
  const TopicInfo& topic = topics[0];
  EXPECT_EQ(topic.name, "a/b");
  EXPECT_EQ(topic.type.name, type_name<test::Number>());
  EXPECT_EQ(topic.type.text, topic_description<test::Number>());
  EXPECT_FALSE(topic.error);
  ASSERT_THAT(topic.publishers, SizeIs(1));
  const PublisherInfo& publisher = topic.publishers[0];
  EXPECT_EQ(publisher.pid, static_cast<std::uint32_t>(::getpid()));
  EXPECT_EQ(publisher.uid, ::geteuid());
  EXPECT_NE(publisher.program, "");
  EXPECT_TRUE(publisher.is_alive);
  EXPECT_EQ(publisher.depth, 8U);
  EXPECT_EQ(publisher.published, 5U);
  ASSERT_THAT(topic.subscribers, SizeIs(2));
  for (const SubscriberInfo& subscriber : topic.subscribers) {
    EXPECT_TRUE(subscriber.is_alive);
    EXPECT_FALSE(subscriber.error);
    EXPECT_EQ(subscriber.lag,
              subscriber.is_reliable ? std::optional<std::uint64_t>(3) : std::nullopt);
  }
  EXPECT_NE(topic.subscribers[0].is_reliable, topic.subscribers[1].is_reliable);
  // More than a ring: the count goes on, whatever slot the newest lies in.
  while (in.take()) {
  }
  for (std::uint64_t i = 0; i < 23; ++i) {
    must(out.send({i}));
    ASSERT_TRUE(in.take());
    ASSERT_EQ(must(list_topics()).at(0).publishers.at(0).published, 6 + i);
  }
}

TEST_F(TopicList, CountsHeldSamplesAndTails) {
  auto out = must(Publisher<test::Tailed>::open("t", {.tail_bytes_max = 100}));
  auto in = must(Subscriber<test::Tailed>::open("t"));
  must(out.send({}));
  const auto held = in.take();
  ASSERT_TRUE(held);
  const auto topics = must(list_topics());
  EXPECT_EQ(topics.at(0).publishers.at(0).tail_bytes_max, 100U);
  EXPECT_EQ(topics.at(0).subscribers.at(0).held, 1U);
}

TEST_F(TopicList, ChangesNothingAndStandsInNobodysWay) {
  auto in = must(Reader::open("t"));
  {
    auto ended = must(Numbers::open("t"));
    must(ended.send({7}));
  }
  const auto before = bytes_below(domain_.root());
  const auto topics = must(list_topics());
  EXPECT_EQ(bytes_below(domain_.root()), before);
  ASSERT_THAT(topics.at(0).publishers, SizeIs(1));
  EXPECT_FALSE(topics[0].publishers[0].is_alive);
  EXPECT_EQ(topics[0].publishers[0].published, 1U);
  EXPECT_EQ(in.take()->value, 7U);
}

TEST_F(TopicList, ReportsADamagedPublisherAndAllOthers) {
  const auto first = must(Numbers::open("a"));
  const auto second = must(Numbers::open("b"));
  const auto beside = must(Reader::open("a"));
  const auto before = must(list_topics());
  const std::string path =
      file_of(domain_, "a", topic::Role::publisher, before.at(0).publishers.at(0).incarnation);
  struct {
    std::size_t offset;
    std::uint64_t word;
  } const damages[] = {
      {offsetof(topic::SegmentHeader, magic), 1},
      {offsetof(topic::SegmentHeader, total_bytes), UINT64_MAX},
      {offsetof(topic::PublisherPage, depth), 0},
      {offsetof(topic::PublisherPage, depth), 1U << 31},
      {offsetof(topic::PublisherPage, ring_offset), UINT64_MAX - 63},
  };
  for (const auto& [offset, word] : damages) {
    std::uint64_t was = 0;
    std::ifstream file(path, std::ios::binary);
    file.seekg(static_cast<std::streamoff>(offset));
    ASSERT_TRUE(file.read(reinterpret_cast<char*>(&was), sizeof(was)));
    overwrite(path, offset, word);
    const auto topics = must(list_topics());
    overwrite(path, offset, was);
    ASSERT_THAT(topics, SizeIs(2));
    const PublisherInfo& damaged = topics[0].publishers.at(0);
    ASSERT_TRUE(damaged.error) << "word " << offset;
    EXPECT_EQ(damaged.error->code, Errc::damaged);
    EXPECT_TRUE(damaged.is_alive);
    EXPECT_EQ(damaged.depth, 0U);
    EXPECT_FALSE(topics[0].error);
    EXPECT_FALSE(topics[0].subscribers.at(0).error);
    EXPECT_FALSE(topics[1].publishers.at(0).error);
  }
}

TEST_F(TopicList, BelievesNoSlotThatSpeaksForAnother) {
  auto out = must(Numbers::open("t", {.depth = 4}));
  must(out.send({1}));
  const auto incarnation = must(list_topics()).at(0).publishers.at(0).incarnation;
  const std::string path = file_of(domain_, "t", topic::Role::publisher, incarnation);
  // The second slot claims a message of the first one.
  constexpr std::size_t second =
      sizeof(topic::PublisherPage) + shm::slot_pitch(1) * sizeof(topic::Slot);
  overwrite(path, second, 2 * 4000 + 2);
  EXPECT_EQ(must(list_topics()).at(0).publishers.at(0).published, 1U);
  overwrite(path, second, 0);
}

TEST_F(TopicList, ReportsATopicWithoutASoundTypeAndItsParticipants) {
  const auto out = must(Numbers::open("a"));
  const auto other = must(Numbers::open("b"));
  const std::string path = domain_.topic_path("a/topic");
  overwrite(path, offsetof(topic::TopicPage, text_offset), UINT64_MAX - 3);
  const auto topics = must(list_topics());
  overwrite(path, offsetof(topic::TopicPage, text_offset), sizeof(topic::TopicPage));
  ASSERT_THAT(topics, SizeIs(2));
  ASSERT_TRUE(topics[0].error);
  EXPECT_EQ(topics[0].error->code, Errc::damaged);
  EXPECT_THAT(topics[0].publishers, SizeIs(1));
  EXPECT_FALSE(topics[1].error);
}

TEST_F(TopicList, LooksPastWhatIsNoTopic) {
  const auto out = must(Numbers::open("t"));
  std::filesystem::create_directory(domain_.topic_path("no topic\x1b"));
  std::filesystem::create_directory(domain_.topic_path("empty"));
  std::filesystem::create_directory(domain_.topic_path("t/sub-0123456789abcdef"));
  std::ofstream(domain_.topic_path("file")) << "nothing";
  const auto topics = must(list_topics());
  for (const char* const name : {"no topic\x1b", "empty", "t/sub-0123456789abcdef", "file"}) {
    std::filesystem::remove(domain_.topic_path(name));
  }
  ASSERT_THAT(topics, SizeIs(1));
  EXPECT_FALSE(topics[0].publishers.at(0).error);
  ASSERT_THAT(topics[0].subscribers, SizeIs(1));
  ASSERT_TRUE(topics[0].subscribers[0].error);
  EXPECT_EQ(topics[0].subscribers[0].error->code, Errc::damaged);
}

}  // namespace
}  // namespace signalbox
