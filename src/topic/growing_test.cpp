// Goal: a publisher that may grow lends tails longer than it was opened for, every reader has them
// exactly, and what cannot be had is a named error that loses nothing.
// Method: pairs in one process, in both tiers; files of the topic are looked at, removed, shortened
// and written to from outside.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "os/file.hpp"
#include "signalbox/footprint.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/topic.hpp"
#include "topic/layout.hpp"
#include "topic/place.hpp"
#include "topic/scratch_domain.hpp"
#include "topic/segment.hpp"

namespace test {
struct Reading {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;
};
}  // namespace test
SBX_DESCRIBE(test::Reading, number);

namespace signalbox {
namespace {

namespace fs = std::filesystem;
using test::Reading;
using namespace std::chrono_literals;

constexpr char kTopic[] = "grow";
constexpr std::uint64_t kMost = 1 << 20;
constexpr std::uint64_t kSizes[] = {0,     50,    100, 101,   4096,    4097, 60'000,
                                    kMost, 4'000, 1,   8'193, 500'000, 0,    kMost};

std::byte byte_of(std::uint64_t number, std::size_t at) {
  return static_cast<std::byte>(number * 31 + at * 7 + (at >> 8));
}

Result<std::uint64_t> publish(Publisher<Reading>& out, std::uint64_t number, std::size_t bytes) {
  auto loan = out.loan(bytes);
  if (!loan) return std::unexpected(out.why());
  loan->number = number;
  const auto tail = loan.tail();
  EXPECT_EQ(tail.size(), bytes);
  for (std::size_t i = 0; i < tail.size(); ++i) tail[i] = byte_of(number, i);
  return out.publish(std::move(loan));
}

::testing::AssertionResult holds(const Sample<Reading>& sample, std::uint64_t number,
                                 std::size_t bytes) {
  if (!sample) return ::testing::AssertionFailure() << "no message " << number;
  if (sample->number != number || sample.tail().size() != bytes) {
    return ::testing::AssertionFailure()
           << "message " << sample->number << " with " << sample.tail().size()
           << " bytes instead of " << number << " with " << bytes;
  }
  for (std::size_t i = 0; i < bytes; ++i) {
    if (sample.tail()[i] != byte_of(number, i)) {
      return ::testing::AssertionFailure() << "byte " << i << " of message " << number;
    }
  }
  return ::testing::AssertionSuccess();
}

template <class T>
std::string told(const T& who) {
  return who.status() == nullptr ? "" : who.status()->text;
}

class Growing : public ::testing::TestWithParam<Tier> {
 protected:
  static PublisherOptions options() {
    return {.depth = 4,
            .loans_max = 2,
            .held_max = 2,
            .tail_bytes_max = 100,
            .grown_tail_bytes_max = kMost,
            .tier = GetParam()};
  }
  static Publisher<Reading> publisher() {
    return Publisher<Reading>::open(kTopic, options()).value();
  }
  static Subscriber<Reading> subscriber(bool reliable = false) {
    return Subscriber<Reading>::open(
               kTopic, {.start = Start::oldest, .reliable = reliable, .tier = GetParam()})
        .value();
  }
  std::set<std::string> files(const std::string& with) const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(domain_.topic_path(kTopic))) {
      const std::string name = entry.path().filename();
      if (name.find(with) != name.npos) names.insert(name);
    }
    return names;
  }
  std::string publisher_file() const {
    for (const std::string& name : files("pub-")) {
      if (topic::participant_of(name)) return name;
    }
    return "";
  }
  std::string path_of(const std::string& file) const {
    return domain_.topic_path(kTopic) + "/" + file;
  }

  ScratchDomain domain_;
};
class GrowingInFiles : public Growing {};

TEST_P(Growing, LongerTailsAreReadExactly) {
  auto out = publisher();
  auto in = subscriber(true);
  auto lossy = subscriber();
  std::uint64_t number = 0;
  for (int round = 0; round < 3; ++round) {
    for (const std::uint64_t bytes : kSizes) {
      ASSERT_TRUE(publish(out, number, bytes)) << out.why().text;
      ASSERT_TRUE(holds(in.take(), number, bytes)) << told(in);
      ASSERT_TRUE(holds(lossy.take(), number, bytes)) << told(lossy);
      ++number;
    }
  }
  EXPECT_EQ(in.lost_count() + lossy.lost_count(), 0U);
}

TEST_P(Growing, WhoComesLaterReadsWhatIsKept) {
  auto out = publisher();
  const std::uint64_t sizes[] = {kMost, 10, 5'000, 70'000};
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(publish(out, i, sizes[i]));
  auto in = subscriber();
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_TRUE(holds(in.take(), i, sizes[i])) << told(in);
}

TEST_P(Growing, AboveTheCeilingIsTooLarge) {
  auto out = publisher();
  EXPECT_FALSE(out.loan(kMost + 1));
  EXPECT_EQ(out.why().code, Errc::too_large);
  EXPECT_NE(out.why().text.find("grown_tail_bytes_max 1048576"), std::string::npos)
      << out.why().text;
  EXPECT_TRUE(out.loan(kMost)) << out.why().text;
}

TEST_P(Growing, APublisherThatClosesLeavesWhatItPublished) {
  auto in = subscriber();
  {
    auto out = publisher();
    ASSERT_TRUE(publish(out, 0, kMost));
    ASSERT_TRUE(publish(out, 1, 5'000));
  }
  EXPECT_TRUE(holds(in.take(), 0, kMost)) << told(in);
  EXPECT_TRUE(holds(in.take(), 1, 5'000)) << told(in);
  EXPECT_FALSE(in.take());
  EXPECT_EQ(told(in), "");
  EXPECT_EQ(files("pub-"), std::set<std::string>());
}

// One has mapped all, the other has not looked since: the names stay for it.
TEST_P(Growing, APublisherThatClosesLeavesItForTheSlowestToo) {
  auto quick = subscriber();
  auto slow = subscriber();
  {
    auto out = publisher();
    ASSERT_TRUE(publish(out, 0, 10));
    ASSERT_TRUE(holds(slow.take(), 0, 10));
    ASSERT_TRUE(publish(out, 1, kMost));
    ASSERT_TRUE(holds(quick.take(), 0, 10));
    ASSERT_TRUE(holds(quick.take(), 1, kMost));
  }
  EXPECT_FALSE(quick.take());
  EXPECT_TRUE(holds(slow.take(), 1, kMost)) << told(slow);
  EXPECT_FALSE(slow.take());
  EXPECT_EQ(told(slow), "");
  EXPECT_FALSE(quick.take());
  EXPECT_EQ(files("pub-"), std::set<std::string>());
}

TEST_P(Growing, ASampleOutlivesItsPublisherAndItsSubscriber) {
  Sample<Reading> held;
  {
    auto out = publisher();
    auto in = subscriber();
    ASSERT_TRUE(publish(out, 7, 300'000));
    held = in.take();
  }
  EXPECT_TRUE(holds(held, 7, 300'000));
}

TEST_P(Growing, HeldFramesAreNotReusedAndAllOfThemEndTheLoans) {
  auto out = publisher();
  auto in = subscriber();
  std::vector<Sample<Reading>> held;
  std::uint64_t number = 0;
  for (; number < 20; ++number) {
    if (!publish(out, number, 5'000)) break;
    held.push_back(in.take());
    ASSERT_TRUE(held.back()) << told(in);
  }
  EXPECT_EQ(out.why().code, Errc::would_block);
  EXPECT_GE(number, 4U + 2U);
  for (std::uint64_t i = 0; i < held.size(); ++i) EXPECT_TRUE(holds(held[i], i, 5'000));
  // Those of the other arenas are free all the same.
  EXPECT_TRUE(publish(out, 100, 10)) << out.why().text;
  EXPECT_TRUE(publish(out, 101, 9'000)) << out.why().text;
  held.clear();
  EXPECT_TRUE(publish(out, 102, 5'000)) << out.why().text;
}

TEST_P(Growing, LoansMayBeMovedDroppedAndShortened) {
  auto out = publisher();
  auto in = subscriber();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(out.loan(5'000)) << out.why().text;  // dropped
  auto first = out.loan(5'000);
  ASSERT_TRUE(first);
  first->number = 3;
  auto moved = std::move(first);
  for (std::size_t i = 0; i < 4'500; ++i) moved.tail()[i] = byte_of(3, i);
  ASSERT_TRUE(moved.shorten(4'500));
  ASSERT_TRUE(out.publish(std::move(moved)));
  EXPECT_TRUE(holds(in.take(), 3, 4'500)) << told(in);
}

TEST_P(Growing, PoliciesHoldForLongTails) {
  auto lossy = subscriber();
  auto in = subscriber(true);
  auto dropping = options();
  dropping.when_behind = WhenBehind::drop_new;
  auto out = Publisher<Reading>::open(kTopic, dropping).value();
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(publish(out, i, 3'000 * (i + 1)));
  const auto refused = publish(out, 4, 200'000);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::would_block);
  EXPECT_EQ(out.dropped_count(), 1U);
  for (std::uint64_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(holds(in.take(), i, 3'000 * (i + 1)));
    EXPECT_TRUE(holds(lossy.take(), i, 3'000 * (i + 1)));
  }
  ASSERT_TRUE(publish(out, 4, 200'000));
  EXPECT_TRUE(holds(in.take(), 4, 200'000)) << told(in);
}

TEST_P(Growing, ASilentPublisherGrowsToo) {
  auto in = subscriber();
  auto silent = options();
  silent.wake = WakeSleepers::no;
  auto out = Publisher<Reading>::open(kTopic, silent).value();
  ASSERT_TRUE(publish(out, 0, 50'000));
  EXPECT_TRUE(holds(in.take(), 0, 50'000)) << told(in);
}

TEST_P(Growing, APublisherNotToldToGrowRefusesAndSaysNothingOfArenas) {
  auto fixed = options();
  fixed.grown_tail_bytes_max = 0;
  auto out = Publisher<Reading>::open(kTopic, fixed).value();
  EXPECT_FALSE(out.loan(101));
  EXPECT_EQ(out.why().code, Errc::too_large);
  EXPECT_NE(out.why().text.find("tail_bytes_max 100"), std::string::npos);
  fixed.grown_tail_bytes_max = 99;
  EXPECT_EQ(Publisher<Reading>::open(kTopic, fixed).error().code, Errc::bad_argument);
}

// The whole ladder, where nothing was reserved at first.
TEST_P(Growing, FromNothingToTheCeilingByEveryRung) {
  auto from_nothing = options();
  from_nothing.tail_bytes_max = 0;
  auto out = Publisher<Reading>::open(kTopic, from_nothing).value();
  auto in = subscriber(true);
  const std::uint32_t arenas = topic::arenas_of(0, kMost);
  EXPECT_EQ(arenas, 9U);
  std::uint64_t number = 0;
  for (std::uint32_t i = arenas; i > 0; --i) {
    const std::uint64_t bytes = topic::arena_tail_bytes(i, 0, kMost);
    ASSERT_TRUE(publish(out, number, bytes)) << out.why().text;
    ASSERT_TRUE(holds(in.take(), number, bytes)) << told(in);
    ++number;
  }
  for (std::uint64_t bytes = 1; bytes <= kMost; bytes = bytes * 3 + 1) {
    ASSERT_TRUE(publish(out, number, bytes)) << out.why().text;
    ASSERT_TRUE(holds(in.take(), number, bytes)) << told(in);
    ++number;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, Growing, ::testing::Values(Tier::plain, Tier::hardened),
                         [](const auto& which) {
                           return which.param == Tier::plain ? "Plain" : "Hardened";
                         });

// ---- what may happen to files -------------------------------------------------------------------

TEST_P(GrowingInFiles, AreWhatTheFootprintSays) {
  const Footprint sum = footprint<Reading>(options()).value();
  auto out = publisher();
  EXPECT_EQ(files(".frames-"), std::set<std::string>());
  ASSERT_TRUE(out.loan(kMost));
  EXPECT_EQ(files(".frames-").size(), 1U);
  for (std::uint64_t bytes = 101; bytes <= kMost; bytes *= 2) ASSERT_TRUE(out.loan(bytes));
  std::uint64_t reserved = 0;
  for (const std::string& name : files(".frames-")) {
    EXPECT_TRUE(topic::is_arena_name(name));
    reserved += os::facts_of(os::open_directory(domain_.topic_path(kTopic)).value(), name)
                    .value()
                    .reserved_bytes;
  }
  EXPECT_EQ(files(".frames-").size(), sum.arenas);
  EXPECT_EQ(reserved, sum.grown_bytes_max);
  EXPECT_NE(to_string(sum).find("publisher: when grown, up to 9 arenas more"), std::string::npos)
      << to_string(sum);
}

TEST_P(GrowingInFiles, AnArenaWhoseFileWasRemovedIsToldAndSkipped) {
  auto out = publisher();
  auto in = subscriber();
  ASSERT_TRUE(publish(out, 0, 10));
  ASSERT_TRUE(in.take());
  ASSERT_TRUE(publish(out, 1, 5'000));
  ASSERT_TRUE(publish(out, 2, 20));
  for (const std::string& name : files(".frames-")) fs::remove(path_of(name));
  EXPECT_FALSE(in.take());
  ASSERT_NE(in.status(), nullptr);
  EXPECT_EQ(in.status()->code, Errc::damaged);
  EXPECT_NE(in.status()->text.find("message 1"), std::string::npos) << told(in);
  EXPECT_NE(in.status()->text.find("memory is gone"), std::string::npos) << told(in);
  EXPECT_TRUE(holds(in.take(), 2, 20));
}

TEST_P(GrowingInFiles, ASlotThatNamesNoArenaIsToldAndSkipped) {
  auto out = publisher();
  auto in = subscriber();
  ASSERT_TRUE(publish(out, 0, 5'000));
  ASSERT_TRUE(holds(in.take(), 0, 5'000));
  const auto directory = os::open_directory(domain_.topic_path(kTopic)).value();
  const auto segment =
      topic::open_segment(directory, publisher_file(), "", topic::SegmentKind::publisher,
                          sizeof(topic::PublisherPage), os::Access::read_write)
          .value();
  const os::Mapping& mapping = segment.mapping;
  const auto& page = *mapping.at<topic::PublisherPage>(0);
  auto* slots = mapping.at<topic::Slot>(page.ring_offset);
  std::uint64_t number = 1;
  // Arenas that there are not, that there cannot be, and chunks of another arena than the slot
  // says.
  for (const std::uint64_t word :
       {topic::frame_word(1, 8), topic::frame_word(9, 72), topic::frame_word(10, 80),
        topic::frame_word(63, 8), topic::frame_word(UINT32_MAX, 8), topic::frame_word(2, 15),
        topic::frame_word(2, 24), topic::frame_word(2, UINT32_MAX), topic::frame_word(0, 8)}) {
    ASSERT_TRUE(publish(out, number, 5'000)) << out.why().text;
    slots[number * shm::slot_step % 4 * shm::slot_pitch(1)].words[0].store(word);
    EXPECT_FALSE(in.take()) << word;
    ASSERT_NE(in.status(), nullptr);
    EXPECT_EQ(in.status()->code, Errc::damaged) << told(in);
    ASSERT_TRUE(publish(out, ++number, 5'000)) << out.why().text;
    EXPECT_TRUE(holds(in.take(), number, 5'000)) << told(in);
    ++number;
  }
  ASSERT_TRUE(publish(out, number, 5'000));
  slots[number * shm::slot_step % 4 * shm::slot_pitch(1)].words[1].store(
      1 << 20);  // a longer tail than the arena has
  EXPECT_FALSE(in.take());
  ASSERT_NE(in.status(), nullptr);
  EXPECT_EQ(in.status()->code, Errc::damaged);
}

TEST_P(GrowingInFiles, AShortenedArenaIsAnErrorOnBothSides) {
  auto out = publisher();
  auto in = subscriber();
  ASSERT_TRUE(publish(out, 0, 500'000));
  const auto held = in.take();
  ASSERT_TRUE(held);
  for (const std::string& name : files(".frames-")) fs::resize_file(path_of(name), 4096);
  std::uint64_t sum = 0;
  for (const std::byte byte : held.tail()) sum += static_cast<std::uint64_t>(byte);  // no SIGBUS
  EXPECT_EQ(sum, 0U);
  EXPECT_FALSE(in.take());
  ASSERT_NE(in.status(), nullptr);
  EXPECT_EQ(in.status()->code, Errc::damaged);
  EXPECT_FALSE(publish(out, 1, 500'000));
  EXPECT_EQ(out.why().code, Errc::damaged) << out.why().text;
}

// What somebody left half removed is removed by whoever comes next.
TEST_P(GrowingInFiles, OrphansAreRemovedByTheNextVisitor) {
  auto in = subscriber();
  {
    auto out = publisher();
    ASSERT_TRUE(publish(out, 0, 5'000));
    ASSERT_TRUE(holds(in.take(), 0, 5'000));
    const std::string arena = *files(".frames-").begin();
    fs::copy_file(path_of(arena), path_of("pub-0123456789abcdef.frames-3"));
  }
  EXPECT_FALSE(in.take());
  static_cast<void>(subscriber());
  EXPECT_EQ(files("pub-"), std::set<std::string>());
}

TEST_P(GrowingInFiles, AreMarkedSoThatOlderReadersRefuseThem) {
  const auto features = [&] {
    topic::SegmentHeader header{};
    std::ifstream(path_of(publisher_file()), std::ios::binary)
        .read(reinterpret_cast<char*>(&header), sizeof(header));
    return header.features_incompatible;
  };
  {
    const auto out = publisher();
    EXPECT_EQ(features(), topic::feature_growing);
  }
  auto fixed = options();
  fixed.grown_tail_bytes_max = 0;
  const auto out = Publisher<Reading>::open(kTopic, fixed).value();
  EXPECT_EQ(features(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Tiers, GrowingInFiles, ::testing::Values(Tier::plain),
                         [](const auto&) { return "Plain"; });

}  // namespace
}  // namespace signalbox
