// Goal: the sum of footprint() is exactly what a topic's files take, part by part.
// Method: the topic is opened and the kernel asked for the blocks of each file.
#include "signalbox/footprint.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <optional>

#include "base/must.hpp"
#include "os/file.hpp"
#include "signalbox/topic.hpp"
#include "topic/place.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Small {
  std::uint64_t words[6];
};
struct Middle {
  std::uint64_t words[75];
};
struct Picture {
  std::uint8_t pixels[1080][1920][3];
};
struct Tailed {
  static constexpr bool sbx_tail = true;
  std::uint64_t seq;
};
}  // namespace test
SBX_DESCRIBE(test::Small, words);
SBX_DESCRIBE(test::Middle, words);
SBX_DESCRIBE(test::Picture, pixels);
SBX_DESCRIBE(test::Tailed, seq);

namespace signalbox {
namespace {

std::uint64_t memory_of(const os::Fd& directory, const std::string& name) {
  return must(os::facts_of(directory, name)).reserved_bytes;
}

template <class T>
void expect_exact(const ScratchDomain& domain, const PublisherOptions& options) {
  const Footprint sum = must(footprint<T>(options));
  SCOPED_TRACE(to_string(sum));
  const auto out = must(Publisher<T>::open("t", options));
  const auto in = must(Subscriber<T>::open("t"));
  const auto more = must(Subscriber<T>::open("t"));
  const std::string path = domain.topic_path("t");
  const auto directory = must(os::open_directory(path));
  const auto names = must(os::list_directory(directory, path));
  std::uint64_t all = 0;
  for (const std::string& name : names) {
    const std::uint64_t bytes = memory_of(directory, name);
    all += bytes;
    const auto who = topic::participant_of(name);
    if (name == "topic") {
      EXPECT_EQ(bytes, sum.description_bytes);
    }
    if (name == "bell") {
      EXPECT_EQ(bytes, sum.bell_bytes);
    }
    if (!who) continue;
    const bool is_publisher = who->role == topic::Role::publisher;
    EXPECT_EQ(bytes, is_publisher ? sum.publisher_bytes : sum.subscriber_bytes);
    EXPECT_EQ(must(os::facts_of(directory, name)).bytes, bytes);
  }
  EXPECT_EQ(names.size(), 5U);
  EXPECT_EQ(all, sum.total_bytes(1, 2));
}

class TopicFootprint : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

TEST_F(TopicFootprint, IsWhatTheKernelCounts) {
  expect_exact<test::Small>(domain_, {});
  expect_exact<test::Small>(domain_, {.depth = 1});
  expect_exact<test::Small>(domain_, {.depth = 65536});
  expect_exact<test::Middle>(domain_, {.depth = 64, .loans_max = 3, .held_max = 0});
  expect_exact<test::Tailed>(domain_, {});
  expect_exact<test::Tailed>(domain_, {.depth = 2, .tail_bytes_max = 48});
  expect_exact<test::Tailed>(domain_, {.depth = 2, .tail_bytes_max = 5000});
  expect_exact<Bytes>(domain_, {.tail_bytes_max = 4096});
  expect_exact<test::Picture>(domain_, {.depth = 2});
}

TEST_F(TopicFootprint, OfASmallTopicIsBelow64KiB) {
  const Footprint sum = must(footprint<test::Small>({.depth = 16}));
  EXPECT_EQ(sum.total_bytes(1, 1), 20480U);
  EXPECT_EQ(sum.frames, 0U);
  EXPECT_EQ(sum.ring_bytes, 2048U);
}

TEST_F(TopicFootprint, OfAFrameTopicIsItsFramesAndAFewPages) {
  const PublisherOptions options{.depth = 8};
  const Footprint sum = must(footprint<test::Picture>(options));
  EXPECT_EQ(sum.frames, options.depth + options.loans_max + options.held_max);
  const std::uint64_t payload = sum.frames * sizeof(test::Picture);
  EXPECT_GE(sum.total_bytes(1, 1), payload);
  EXPECT_LE(sum.total_bytes(1, 1), payload + payload / 20);
}

TEST_F(TopicFootprint, IsATableAndItsLinesAddUp) {
  const Footprint sum = must(footprint<test::Middle>({.depth = 4}));
  EXPECT_EQ(to_string(sum),
            "topic: type description                                     4096\n"
            "topic: bell                                                 4096\n"
            "publisher: control                                           384\n"
            "publisher: ring of 8 cache lines                             512\n"
            "publisher: 9 frames of 640                                  5760\n"
            "publisher: rounded up to pages                              5632\n"
            "subscriber: control, pins and cursors                       8192\n"
            "with one publisher and one subscriber                      28672\n");
}

TEST_F(TopicFootprint, RefusesWhatOpeningWouldRefuse) {
  EXPECT_EQ(footprint<test::Small>({.depth = 3}).error().code, Errc::bad_argument);
  EXPECT_EQ(footprint<test::Small>({.tail_bytes_max = 1}).error().code, Errc::bad_argument);
  EXPECT_EQ(footprint({"x", "no description"}).error().code, Errc::bad_argument);
}

}  // namespace
}  // namespace signalbox
