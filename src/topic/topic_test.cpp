// Goal: what topic.hpp promises, from the outside, in one process.
// Method: small topics in a private domain; each test ends with the domain empty again.
#include "signalbox/topic.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <fstream>
#include <thread>
#include <vector>

#include "base/must.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Pose {
  std::uint64_t seq;
  double x, y;
};
struct OtherPose {
  std::uint64_t seq;
  float x;
  double y;
};
struct Large {
  std::uint64_t seq;
  std::uint64_t words[100];
};
struct Tailed {
  static constexpr bool sbx_tail = true;
  std::uint64_t seq;
};
}  // namespace test
SBX_DESCRIBE(test::Pose, seq, x, y);
SBX_DESCRIBE(test::OtherPose, seq, x, y);
SBX_DESCRIBE(test::Large, seq, words);
SBX_DESCRIBE(test::Tailed, seq);

namespace signalbox {
namespace {

using test::Large;
using test::Pose;
using test::Tailed;
using namespace std::chrono_literals;

class Topic : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};

TEST_F(Topic, HandlesAreFalseWhenMovedFrom) {
  auto out = Publisher<Pose>::open("moved").value();
  auto in = Subscriber<Pose>::open("moved").value();
  EXPECT_TRUE(out && in);
  auto other_out = std::move(out);
  const auto other_in = std::move(in);
  EXPECT_FALSE(out || in);  // NOLINT(bugprone-use-after-move): that is what is looked at
  EXPECT_TRUE(other_out && other_in);
  out = std::move(other_out);
  EXPECT_TRUE(out.send({}));
}

TEST_F(Topic, OneMessageArrivesOnce) {
  auto out = must(Publisher<Pose>::open("pose"));
  auto in = must(Subscriber<Pose>::open("pose"));
  EXPECT_FALSE(in.take());
  EXPECT_EQ(must(out.send({7, 1.5, 2.5})), 0U);
  const auto pose = in.take();
  ASSERT_TRUE(pose);
  EXPECT_EQ(pose->seq, 7U);
  EXPECT_EQ(pose->y, 2.5);
  EXPECT_EQ(pose.position(), 0U);
  EXPECT_FALSE(in.take());
  EXPECT_EQ(in.status(), nullptr);
}

TEST_F(Topic, LoanIsFilledInPlaceAndReadWhereItLies) {
  auto out = must(Publisher<Large>::open("large", {.depth = 4}));
  auto in = must(Subscriber<Large>::open("large"));
  auto loan = out.loan();
  ASSERT_TRUE(loan);
  loan->seq = 42;
  std::ranges::fill(loan->words, 43U);
  must(out.publish(std::move(loan)));
  EXPECT_FALSE(loan);
  const auto sample = in.take();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->seq, 42U);
  EXPECT_EQ(sample->words[99], 43U);
}

TEST_F(Topic, TailsVaryUpToTheirMaximum) {
  auto out = must(Publisher<Tailed>::open("tail", {.tail_bytes_max = 1000}));
  auto in = must(Subscriber<Tailed>::open("tail", Start::next));
  for (const std::size_t bytes : {0U, 1U, 47U, 48U, 49U, 1000U}) {
    auto loan = out.loan(bytes);
    ASSERT_TRUE(loan) << out.why().text;
    loan->seq = bytes;
    std::ranges::fill(loan.tail(), std::byte{0x5a});
    must(out.publish(std::move(loan)));
    const auto sample = in.take();
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->seq, bytes);
    ASSERT_EQ(sample.tail().size(), bytes);
    EXPECT_TRUE(
        std::ranges::all_of(sample.tail(), [](std::byte b) { return b == std::byte{0x5a}; }));
  }
  EXPECT_FALSE(out.loan(1001));
  EXPECT_EQ(out.why().code, Errc::too_large);
  auto loan = out.loan(100);
  EXPECT_EQ(loan.shorten(101).error().code, Errc::bad_argument);
  EXPECT_TRUE(loan.shorten(10));
  must(out.publish(std::move(loan)));
  EXPECT_EQ(in.take().tail().size(), 10U);
}

TEST_F(Topic, PlainBytesNeedNoStruct) {
  auto out = must(Publisher<Bytes>::open("bytes", {.tail_bytes_max = 500}));
  auto in = must(Subscriber<Bytes>::open("bytes"));
  for (const std::size_t bytes : {5U, 48U, 500U}) {
    auto loan = out.loan(bytes);
    std::ranges::fill(loan.tail(), static_cast<std::byte>(bytes));
    must(out.publish(std::move(loan)));
    const auto sample = in.take();
    ASSERT_EQ(sample.tail().size(), bytes);
    EXPECT_EQ(sample.tail().back(), static_cast<std::byte>(bytes));
  }
}

TEST_F(Topic, LateJoinersChooseWhereToBegin) {
  auto out = must(Publisher<Pose>::open("pose", {.depth = 8}));
  for (std::uint64_t i = 0; i < 20; ++i) must(out.send({i, 0, 0}));
  const auto first = [&](Start start) {
    auto in = must(Subscriber<Pose>::open("pose", start));
    const auto sample = in.take();
    EXPECT_EQ(in.lost_count(), 0U);
    return sample ? static_cast<int>(sample->seq) : -1;
  };
  EXPECT_EQ(first(Start::next), -1);
  EXPECT_EQ(first(Start::latest), 19);
  EXPECT_EQ(first(Start::back(3)), 17);
  EXPECT_EQ(first(Start::oldest), 12);
  EXPECT_EQ(first(Start::back(1000)), 12);
}

TEST_F(Topic, LossIsCountedExactly) {
  auto out = must(Publisher<Pose>::open("pose", {.depth = 8}));
  auto in = must(Subscriber<Pose>::open("pose", Start::next));
  for (std::uint64_t i = 0; i < 1000; ++i) must(out.send({i, 0, 0}));
  std::uint64_t taken = 0;
  std::uint64_t last = 0;
  while (const auto pose = in.take()) {
    ++taken;
    last = pose->seq;
  }
  EXPECT_EQ(last, 999U);
  EXPECT_GT(taken, 0U);
  EXPECT_EQ(taken + in.lost_count(), 1000U);
}

TEST_F(Topic, TakeLatestSkipsAndCounts) {
  auto out = must(Publisher<Pose>::open("pose", {.depth = 8}));
  auto in = must(Subscriber<Pose>::open("pose", Start::next));
  for (std::uint64_t i = 0; i < 5; ++i) must(out.send({i, 0, 0}));
  EXPECT_EQ(in.take_latest()->seq, 4U);
  EXPECT_EQ(in.skipped_count(), 4U);
  EXPECT_FALSE(in.take_latest());
  for (std::uint64_t i = 5; i < 100; ++i) must(out.send({i, 0, 0}));
  EXPECT_EQ(in.take_latest()->seq, 99U);
  EXPECT_EQ(in.skipped_count(), 4U + 94U);
  EXPECT_EQ(in.lost_count(), 0U);
}

TEST_F(Topic, DepthOneIsALastValueRegister) {
  auto out = must(Publisher<Large>::open("large", {.depth = 1}));
  for (std::uint64_t i = 0; i < 10; ++i) must(out.send({i, {}}));
  auto in = must(Subscriber<Large>::open("large"));
  EXPECT_EQ(in.take()->seq, 9U);
  EXPECT_FALSE(in.take());
}

TEST_F(Topic, HeldSamplesKeepTheirContent) {
  auto out = must(Publisher<Large>::open("large", {.depth = 2, .held_max = 3}));
  auto in = must(Subscriber<Large>::open("large", Start::next));
  std::vector<Sample<Large>> held;
  for (std::uint64_t i = 0; i < 3; ++i) {
    must(out.send({i, {i}}));
    held.push_back(in.take());
  }
  for (std::uint64_t i = 3; i < 100; ++i) must(out.send({i, {i}}));
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(held[i]->seq, i);
    EXPECT_EQ(held[i]->words[0], i);
  }
}

TEST_F(Topic, LoanIsEmptyWhenSubscribersHoldEveryFrame) {
  auto out = must(Publisher<Large>::open("large", {.depth = 1, .held_max = 1}));
  auto in = must(Subscriber<Large>::open("large", Start::next));
  std::vector<Sample<Large>> held;
  for (std::uint64_t i = 0; i < 3; ++i) {
    must(out.send({i, {}}));
    held.push_back(in.take());
  }
  EXPECT_FALSE(out.loan());
  EXPECT_EQ(out.why().code, Errc::would_block);
  held.clear();
  EXPECT_TRUE(out.loan());
}

TEST_F(Topic, SamplesOutliveTheirSubscriber) {
  auto out = must(Publisher<Large>::open("large", {.depth = 1, .held_max = 1}));
  Sample<Large> kept;
  {
    auto in = must(Subscriber<Large>::open("large", Start::next));
    must(out.send({5, {6}}));
    kept = in.take();
  }
  EXPECT_EQ(out.subscriber_count(), 0U);
  for (std::uint64_t i = 0; i < 20; ++i) must(out.send({i, {}}));
  EXPECT_EQ(kept->seq, 5U);
  EXPECT_EQ(kept->words[0], 6U);
}

TEST_F(Topic, ASubscriberMayHoldOnlySoMany) {
  auto out = must(Publisher<Large>::open("large", {.depth = 1, .held_max = 80}));
  auto in = must(Subscriber<Large>::open("large", Start::next));
  std::vector<Sample<Large>> held;
  for (std::uint64_t i = 0; i < pins_max; ++i) {
    must(out.send({i, {}}));
    held.push_back(in.take());
    ASSERT_TRUE(held.back());
  }
  must(out.send({99, {}}));
  EXPECT_FALSE(in.take());
  ASSERT_NE(in.status(), nullptr);
  EXPECT_EQ(in.status()->code, Errc::limit_reached);
  held.pop_back();
  EXPECT_EQ(in.take()->seq, 99U);
  EXPECT_EQ(in.status(), nullptr);
}

TEST_F(Topic, LoansAreLimitedAndReturnedWhenDropped) {
  auto out = must(Publisher<Large>::open("large", {.loans_max = 2}));
  auto one = out.loan();
  auto two = out.loan();
  EXPECT_FALSE(out.loan());
  EXPECT_EQ(out.why().code, Errc::limit_reached);
  one = {};
  EXPECT_TRUE(out.loan());
}

TEST_F(Topic, SeveralPublishersKeepTheirOwnOrder) {
  auto first = must(Publisher<Pose>::open("pose"));
  auto in = must(Subscriber<Pose>::open("pose", Start::next));
  auto second = must(Publisher<Pose>::open("pose"));  // found after the subscriber opened
  for (std::uint64_t i = 0; i < 10; ++i) {
    must(first.send({i, 1, 0}));
    must(second.send({i, 2, 0}));
  }
  std::uint64_t next[3] = {};
  while (const auto pose = in.take()) EXPECT_EQ(pose->seq, next[static_cast<int>(pose->x)]++);
  EXPECT_EQ(next[1], 10U);
  EXPECT_EQ(next[2], 10U);
  EXPECT_EQ(in.publisher_count(), 2U);
}

TEST_F(Topic, MessagesOfAClosedPublisherAreStillTaken) {
  auto in = must(Subscriber<Large>::open("large", Start::next));
  {
    auto out = must(Publisher<Large>::open("large"));
    must(out.send({1, {}}));
    must(out.send({2, {}}));
  }
  EXPECT_EQ(in.take()->seq, 1U);
  EXPECT_EQ(in.take()->seq, 2U);
  EXPECT_FALSE(in.take());
  EXPECT_EQ(in.publisher_count(), 0U);
}

TEST_F(Topic, ReliableSubscriberStopsThePublisherInsteadOfLosing) {
  auto out = must(Publisher<Pose>::open("pose", {.depth = 4}));
  auto in = must(Subscriber<Pose>::open("pose", {.start = Start::next, .reliable = true}));
  for (std::uint64_t i = 0; i < 4; ++i) must(out.send({i, 0, 0}));
  auto loan = out.loan();
  loan->seq = 4;
  EXPECT_EQ(out.publish(std::move(loan)).error().code, Errc::would_block);
  EXPECT_TRUE(loan) << "a refused loan is still the caller's";
  EXPECT_EQ(out.publish(std::move(loan), Deadline::after(1ms)).error().code, Errc::timed_out);
  EXPECT_EQ(in.take()->seq, 0U);
  must(out.publish(std::move(loan)));
  for (std::uint64_t i = 1; i < 5; ++i) EXPECT_EQ(in.take()->seq, i);
  EXPECT_EQ(in.lost_count(), 0U);
}

TEST_F(Topic, ReliableDeliversEverythingBetweenThreads) {
  constexpr std::uint64_t kMessages = 200'000;
  auto out = must(Publisher<Pose>::open("pose", {.depth = 64}));
  auto in = must(Subscriber<Pose>::open("pose", {.start = Start::next, .reliable = true}));
  std::jthread writer([&] {
    for (std::uint64_t i = 0; i < kMessages; ++i) must(out.send({i, 0, 0}, Deadline::after(60s)));
  });
  std::uint64_t expected = 0;
  while (expected < kMessages && must(in.wait(Deadline::after(60s))) == Wake::ready) {
    while (const auto pose = in.take()) {
      if (pose->seq != expected) break;
      ++expected;
    }
  }
  writer.join();
  EXPECT_EQ(expected, kMessages);
  EXPECT_EQ(in.lost_count(), 0U);
}

TEST_F(Topic, WaitTellsReadyFromTimedOut) {
  auto out = must(Publisher<Pose>::open("pose"));
  auto in = must(Subscriber<Pose>::open("pose", Start::next));
  EXPECT_EQ(must(in.wait(Deadline::immediate())), Wake::timed_out);
  EXPECT_EQ(must(in.wait(Deadline::after(2ms))), Wake::timed_out);
  must(out.send({1, 0, 0}));
  EXPECT_EQ(must(in.wait(Deadline::immediate())), Wake::ready);
  EXPECT_EQ(must(in.wait(Deadline::never())), Wake::ready);
}

TEST_F(Topic, ASleeperIsWokenByEveryPublisher) {
  auto in = must(Subscriber<Pose>::open("pose", Start::next));
  for (std::uint64_t round = 0; round < 50; ++round) {
    const std::jthread writer([round] {
      auto out = must(Publisher<Pose>::open("pose"));  // unknown to the sleeper until now
      must(out.send({round, 0, 0}));
    });
    ASSERT_EQ(must(in.wait(Deadline::after(30s))), Wake::ready);
    EXPECT_EQ(in.take()->seq, round);
  }
}

TEST_F(Topic, DescriptorIsReadableExactlyWhenThereIsSomething) {
  auto out = must(Publisher<Pose>::open("pose"));
  auto in = must(Subscriber<Pose>::open("pose", Start::next));
  pollfd poll_in{.fd = must(in.descriptor()), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&poll_in, 1, 0), 0);
  for (std::uint64_t i = 0; i < 100; ++i) {
    must(out.send({i, 0, 0}));
    must(out.send({i, 0, 0}));
    ASSERT_EQ(::poll(&poll_in, 1, 10'000), 1);
    EXPECT_TRUE(in.take());
    EXPECT_EQ(::poll(&poll_in, 1, 0), 1) << "still readable while something is left";
    EXPECT_TRUE(in.take());
    EXPECT_FALSE(in.take());
    EXPECT_EQ(::poll(&poll_in, 1, 0), 0);
  }
}

TEST_F(Topic, DescriptorTellsWhatWasThereBeforeIt) {
  auto out = must(Publisher<Pose>::open("pose"));
  must(out.send({1, 0, 0}));
  auto in = must(Subscriber<Pose>::open("pose"));
  pollfd poll_in{.fd = must(in.descriptor()), .events = POLLIN, .revents = 0};
  EXPECT_EQ(::poll(&poll_in, 1, 0), 1);
}

TEST_F(Topic, AnotherTypeIsRefusedWithTheFieldsName) {
  auto out = must(Publisher<Pose>::open("pose"));
  const auto other = Subscriber<test::OtherPose>::open("pose");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::type_mismatch);
  EXPECT_NE(other.error().text.find("'x'"), std::string::npos) << other.error().text;
  EXPECT_NE(other.error().text.find("test::OtherPose"), std::string::npos) << other.error().text;
}

TEST_F(Topic, ATopicLeftByTheDeadTakesTheNewType) {
  const pid_t child = ::fork();
  if (child == 0) {
    auto out = Publisher<Pose>::open("pose");
    ::_exit(out ? 0 : 1);  // no destructor runs: as if killed
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(std::filesystem::exists(domain_.topic_path("pose")));
  EXPECT_TRUE(Subscriber<test::OtherPose>::open("pose"));
}

TEST_F(Topic, AForkedChildIsRefusedAndHarmsNobody) {
  auto out = must(Publisher<Large>::open("large"));
  auto in = must(Subscriber<Large>::open("large", Start::next));
  must(out.send({1, {}}));
  auto held = std::make_optional(in.take());
  const pid_t child = ::fork();
  if (child == 0) {
    held.reset();
    const bool refused = !out.loan() && out.why().code == Errc::wrong_process && !in.take() &&
                         in.status()->code == Errc::wrong_process &&
                         in.wait(Deadline::immediate()).error().code == Errc::wrong_process;
    std::exit(refused ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ((*held)->seq, 1U);
  must(out.send({2, {}}));
  EXPECT_EQ(in.take()->seq, 2U);
  EXPECT_EQ(out.subscriber_count(), 1U);
}

TEST_F(Topic, SubscribersMapTheDataReadOnly) {
  auto out = must(Publisher<Large>::open("large"));
  auto in = must(Subscriber<Large>::open("large"));
  std::ifstream maps("/proc/self/maps");
  int read_only = 0;
  for (std::string line; std::getline(maps, line);) {
    // The subscriber opened the file by its name, so its mapping shows it; the publisher's own
    // mapping was made before there was a name.
    if (line.find("/pub-") == std::string::npos) continue;
    EXPECT_NE(line.find("r--s"), std::string::npos) << line;
    ++read_only;
  }
  EXPECT_EQ(read_only, 1);
}

// How many mappings of a publisher's file that was opened by its name may be written.
int writable_mappings() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.contains("/pub-") && line.contains("rw-s")) ++count;
  }
  return count;
}

TEST_F(Topic, ASubscriberMapsTheRingWritableWhereItIsAskedTo) {
  auto out = must(Publisher<Large>::open("large"));
  auto small_out = must(Publisher<Pose>::open("pose"));
  {
    auto in = must(Subscriber<Large>::open("large", {.writable_ring = true}));
    auto small_in = must(Subscriber<Pose>::open("pose", {.writable_ring = true}));
    EXPECT_EQ(writable_mappings(), 2);
    for (std::uint64_t i = 0; i < 40; ++i) {
      must(small_out.send({.seq = i, .x = 0, .y = 0}));
      EXPECT_EQ(small_in.take()->seq, i);
      auto loan = out.loan();
      loan->seq = i;
      must(out.publish(std::move(loan)));
      EXPECT_EQ(in.take()->seq, i);
    }
  }
  EXPECT_EQ(writable_mappings(), 0);
}

TEST_F(Topic, ARingThatMayNotBeWrittenIsReadAsEver) {
  auto out = must(Publisher<Pose>::open("pose", {.tier = Tier::hardened}));
  auto in = must(Subscriber<Pose>::open("pose", {.tier = Tier::hardened, .writable_ring = true}));
  EXPECT_EQ(writable_mappings(), 0);
  must(out.send({.seq = 1, .x = 0, .y = 0}));
  EXPECT_EQ(in.take()->seq, 1U);
}

TEST_F(Topic, BadOptionsAreRefused) {
  EXPECT_EQ(Publisher<Pose>::open("p", {.depth = 3}).error().code, Errc::bad_argument);
  EXPECT_EQ(Publisher<Pose>::open("p", {.depth = 0}).error().code, Errc::bad_argument);
  EXPECT_EQ(Publisher<Pose>::open("p", {.loans_max = 65}).error().code, Errc::bad_argument);
  EXPECT_EQ(Publisher<Pose>::open("p", {.tail_bytes_max = 1}).error().code, Errc::bad_argument);
  EXPECT_EQ(Publisher<Pose>::open("p!").error().code, Errc::bad_name);
  EXPECT_EQ(Publisher<Pose>::open("p", {.when_behind = WhenBehind(9)}).error().code,
            Errc::bad_argument);
  EXPECT_EQ(Publisher<Pose>::open("p", {.wake = WakeSleepers(9)}).error().code, Errc::bad_argument);
  EXPECT_EQ(Publisher<Pose>::open("p", {.tier = Tier(9)}).error().code, Errc::bad_argument);
  EXPECT_EQ(Subscriber<Pose>::open("p", SubscriberOptions{.tier = Tier(9)}).error().code,
            Errc::bad_argument);
  EXPECT_EQ(Subscriber<Pose>::open("p", SubscriberOptions{.spin_max = -1ns}).error().code,
            Errc::bad_argument);
}

TEST_F(Topic, SubscriberCountFollowsJoinAndLeave) {
  auto out = must(Publisher<Pose>::open("pose"));
  EXPECT_EQ(out.subscriber_count(), 0U);
  {
    auto one = must(Subscriber<Pose>::open("pose"));
    auto two = must(Subscriber<Pose>::open("pose"));
    EXPECT_EQ(out.subscriber_count(), 2U);
  }
  EXPECT_EQ(out.subscriber_count(), 0U);
}

}  // namespace
}  // namespace signalbox
