// Goal: what happens to a subscriber that is a whole ring behind is what the publisher was told,
// and both sides count it exactly; many messages at once are the same messages as one by one.
// Method: rings of a few slots in one process, filled until somebody is behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <thread>
#include <vector>

#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace test {
struct Small {
  std::uint64_t number;
};
struct Full {
  std::uint64_t words[6];
};
struct Large {
  std::uint64_t number;
  std::uint64_t rest[50];
};
}  // namespace test
SBX_DESCRIBE(test::Small, number);
SBX_DESCRIBE(test::Full, words);
SBX_DESCRIBE(test::Large, number, rest);

namespace signalbox {
namespace {

using test::Full;
using test::Large;
using test::Small;
using namespace std::chrono_literals;

constexpr std::uint32_t kDepth = 8;

std::uint64_t number_of(const Small& message) { return message.number; }
std::uint64_t number_of(const Large& message) { return message.number; }
std::uint64_t number_of(const Full& message) { return message.words[5]; }
void set_number(Small& message, std::uint64_t number) { message.number = number; }
void set_number(Large& message, std::uint64_t number) { message.number = number; }
void set_number(Full& message, std::uint64_t number) {
  std::iota(std::begin(message.words), std::end(message.words), number - 5);
}

template <class T>
std::vector<T> numbered(std::uint64_t from, std::size_t count) {
  std::vector<T> messages(count);
  for (T& message : messages) set_number(message, from++);
  return messages;
}

class Policies : public ::testing::Test {
 protected:
  static Publisher<Small> publisher(WhenBehind when_behind) {
    return Publisher<Small>::open("policy", {.depth = kDepth, .when_behind = when_behind}).value();
  }
  static Subscriber<Small> subscriber(bool reliable) {
    return Subscriber<Small>::open("policy", {.start = Start::next, .reliable = reliable}).value();
  }
  ScratchDomain domain_;
};

TEST_F(Policies, DropNewKeepsTheOldAndCountsWhatItDropped) {
  auto out = publisher(WhenBehind::drop_new);
  auto in = subscriber(true);
  for (std::uint64_t i = 0; i < kDepth; ++i) ASSERT_TRUE(out.send({i}));
  for (int i = 0; i < 3; ++i) {
    const auto sent = out.send({99}, Deadline::never());  // it does not wait, whatever the deadline
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, Errc::would_block);
    EXPECT_NE(sent.error().text.find("dropped"), std::string::npos) << sent.error().text;
  }
  EXPECT_EQ(out.dropped_count(), 3U);
  EXPECT_EQ(in.dropped_count(), 3U);
  for (std::uint64_t i = 0; i < kDepth; ++i) EXPECT_EQ(in.take()->number, i);
  EXPECT_FALSE(in.take());
  ASSERT_TRUE(out.send({kDepth}));
  EXPECT_EQ(in.take()->number, kDepth);
  EXPECT_EQ(in.lost_count(), 0U);
}

TEST_F(Policies, AnEvictedSubscriberIsToldAndFenced) {
  auto out = publisher(WhenBehind::evict);
  auto slow = subscriber(true);
  auto quick = subscriber(true);
  for (std::uint64_t i = 0; i < 3 * kDepth; ++i) {
    ASSERT_TRUE(out.send({i}, Deadline::never()));
    EXPECT_EQ(quick.take()->number, i);
  }
  EXPECT_EQ(out.evicted_count(), 1U);
  EXPECT_FALSE(slow.take());
  ASSERT_NE(slow.status(), nullptr);
  EXPECT_EQ(slow.status()->code, Errc::evicted);
  EXPECT_EQ(slow.lost_count(), 3 * kDepth);
  // It stays so, also for new messages, and a wait says it once.
  ASSERT_TRUE(out.send({1000}));
  EXPECT_FALSE(slow.take());
  const auto waited = slow.wait(Deadline::never());
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().code, Errc::evicted);
  EXPECT_EQ(slow.wait(Deadline::immediate()).value(), Wake::timed_out);
  // Other publishers are not concerned.
  auto other = publisher(WhenBehind::wait);
  ASSERT_TRUE(other.send({7}));
  EXPECT_EQ(slow.wait(Deadline::never()).value(), Wake::ready);
  EXPECT_EQ(slow.take()->number, 7U);
  EXPECT_EQ(quick.take()->number, 1000U);
  EXPECT_EQ(quick.take()->number, 7U);
  // Opening it again is a new life.
  slow = subscriber(true);
  ASSERT_TRUE(out.send({1001}));
  EXPECT_EQ(slow.take()->number, 1001U);
  EXPECT_EQ(slow.lost_count(), 0U);
}

TEST_F(Policies, NobodyIsEvictedWhoKeepsUp) {
  auto out = publisher(WhenBehind::evict);
  auto in = subscriber(true);
  for (std::uint64_t i = 0; i < 10 * kDepth; ++i) {
    ASSERT_TRUE(out.send({i}));
    if (i % kDepth != kDepth - 1) continue;
    for (std::uint64_t k = i + 1 - kDepth; k <= i; ++k) EXPECT_EQ(in.take()->number, k);
  }
  EXPECT_EQ(out.evicted_count(), 0U);
}

TEST_F(Policies, LossySubscribersConcernNobody) {
  for (const WhenBehind policy : {WhenBehind::wait, WhenBehind::drop_new, WhenBehind::evict}) {
    auto out = publisher(policy);
    auto in = subscriber(false);
    for (std::uint64_t i = 0; i < 3 * kDepth; ++i) ASSERT_TRUE(out.send({i}));
    std::uint64_t taken = 0;
    while (in.take()) ++taken;
    EXPECT_EQ(taken + in.lost_count(), 3 * kDepth);
    EXPECT_EQ(out.dropped_count() + out.evicted_count(), 0U);
  }
}

template <class T>
class Batches : public ::testing::Test {
 protected:
  ScratchDomain domain_;
};
using Sizes = ::testing::Types<Small, Full, Large>;
TYPED_TEST_SUITE(Batches, Sizes);

TYPED_TEST(Batches, AreTheSameMessages) {
  auto out = Publisher<TypeParam>::open("batch", {.depth = 64, .held_max = 64}).value();
  auto in = Subscriber<TypeParam>::open("batch", Start::next).value();
  ASSERT_EQ(out.send_batch(numbered<TypeParam>(10, 40)), 40U);
  for (std::uint64_t i = 10; i < 15; ++i) EXPECT_EQ(number_of(*in.take()), i);
  std::vector<TypeParam> got(100);
  ASSERT_EQ(in.take_batch(std::span(got).first(20)), 20U);
  ASSERT_EQ(in.take_batch(std::span(got).subspan(20)), 15U);
  for (std::uint64_t i = 0; i < 35; ++i) EXPECT_EQ(number_of(got[i]), i + 15);
  EXPECT_EQ(in.take_batch(got), 0U);
  EXPECT_EQ(in.lost_count(), 0U);
}

TYPED_TEST(Batches, StopWhereAReliableSubscriberIsBehind) {
  auto out = Publisher<TypeParam>::open("batch", {.depth = kDepth}).value();
  auto in = Subscriber<TypeParam>::open("batch", {.start = Start::next, .reliable = true}).value();
  const auto messages = numbered<TypeParam>(10, 20);
  ASSERT_EQ(out.send_batch(messages), kDepth);
  EXPECT_EQ(out.why().code, Errc::would_block);
  std::vector<TypeParam> got(20);
  ASSERT_EQ(in.take_batch(got), kDepth);
  ASSERT_EQ(out.send_batch(std::span(messages).subspan(kDepth, kDepth)), kDepth);
  ASSERT_EQ(in.take_batch(std::span(got).subspan(kDepth)), kDepth);
  for (std::uint64_t i = 0; i < 2 * kDepth; ++i) EXPECT_EQ(number_of(got[i]), i + 10);
}

TYPED_TEST(Batches, FlowThroughASmallRingWithoutLoss) {
  constexpr std::uint64_t kMessages = 20'000;
  auto out = Publisher<TypeParam>::open("batch", {.depth = kDepth}).value();
  auto in = Subscriber<TypeParam>::open("batch", {.start = Start::next, .reliable = true}).value();
  std::thread sender([&] {
    const auto messages = numbered<TypeParam>(10, kMessages);
    EXPECT_EQ(out.send_batch(messages, Deadline::after(60s)), kMessages);
  });
  std::uint64_t expected = 10;
  std::vector<TypeParam> got(5);
  while (expected < kMessages + 10) {
    ASSERT_TRUE(in.wait(Deadline::after(60s)));
    const std::size_t count = in.take_batch(got);
    for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(number_of(got[i]), expected++);
  }
  sender.join();
  EXPECT_EQ(in.lost_count(), 0U);
}

TYPED_TEST(Batches, LossIsCounted) {
  auto out = Publisher<TypeParam>::open("batch", {.depth = kDepth}).value();
  auto in = Subscriber<TypeParam>::open("batch", Start::next).value();
  ASSERT_EQ(out.send_batch(numbered<TypeParam>(10, 50)), 50U);
  std::vector<TypeParam> got(50);
  const std::size_t count = in.take_batch(got);
  EXPECT_EQ(count + in.lost_count(), 50U);
  ASSERT_GT(count, 0U);
  EXPECT_EQ(number_of(got[count - 1]), 59U);
}

TYPED_TEST(Batches, TakeFromSeveralPublishersInTurn) {
  auto one = Publisher<TypeParam>::open("batch", {.depth = 32}).value();
  auto two = Publisher<TypeParam>::open("batch", {.depth = 32}).value();
  auto in = Subscriber<TypeParam>::open("batch", Start::next).value();
  ASSERT_EQ(one.send_batch(numbered<TypeParam>(100, 10)), 10U);
  ASSERT_EQ(two.send_batch(numbered<TypeParam>(200, 10)), 10U);
  std::vector<TypeParam> got(20);
  ASSERT_EQ(in.take_batch(got), 20U);
  std::uint64_t next[] = {100, 200};
  for (const TypeParam& message : got) {
    std::uint64_t& expected = next[number_of(message) / 200];
    EXPECT_EQ(number_of(message), expected++);
  }
  // Neither had to wait until the other was empty.
  EXPECT_TRUE(std::ranges::any_of(std::span(got).first(10),
                                  [](const TypeParam& m) { return number_of(m) >= 200; }));
}

// ---- many loans at once -------------------------------------------------------------------------

std::size_t lend_numbered(Publisher<Large>& out, std::span<Loan<Large>> loans,
                          std::uint64_t first) {
  const std::size_t lent = out.loan_batch(loans);
  for (std::size_t i = 0; i < lent; ++i) {
    *loans[i] = Large{};
    set_number(*loans[i], first + i);
  }
  return lent;
}

TEST_F(Policies, ABatchOfLoansIsTheSameMessagesInOrder) {
  auto out = Publisher<Large>::open("batch", {.depth = kDepth, .loans_max = 5}).value();
  auto in = Subscriber<Large>::open("batch", {.start = Start::oldest, .reliable = true}).value();
  std::vector<Loan<Large>> loans(5);
  for (std::uint64_t first = 0; first < 50; first += 5) {
    ASSERT_EQ(lend_numbered(out, loans, first), 5U) << out.why().text;
    ASSERT_EQ(out.publish_batch(loans), 5U) << out.why().text;
    EXPECT_TRUE(std::ranges::none_of(loans, [](const auto& loan) { return bool(loan); }));
    for (std::uint64_t i = 0; i < 5; ++i) {
      const auto sample = in.take();
      ASSERT_TRUE(sample);
      EXPECT_EQ(sample->number, first + i);
      EXPECT_EQ(sample.position(), first + i);
    }
  }
}

TEST_F(Policies, FewerLoansThanAskedAreTold) {
  auto out = Publisher<Large>::open("batch", {.depth = kDepth, .loans_max = 3}).value();
  std::vector<Loan<Large>> loans(5);
  EXPECT_EQ(lend_numbered(out, loans, 0), 3U);
  EXPECT_EQ(out.why().code, Errc::limit_reached);
  EXPECT_TRUE(loans[2]);
  EXPECT_FALSE(loans[3]);
  // The empty ones end the batch.
  EXPECT_EQ(out.publish_batch(loans), 3U);
  EXPECT_EQ(out.why().code, Errc::bad_argument);
  EXPECT_EQ(lend_numbered(out, loans, 3), 3U);
}

TEST_F(Policies, ABatchThatDoesNotFitEndsWhereTheRingIsFull) {
  auto out = Publisher<Large>::open("batch", {.depth = 4, .loans_max = 6}).value();
  auto in = Subscriber<Large>::open("batch", {.start = Start::oldest, .reliable = true}).value();
  std::vector<Loan<Large>> loans(6);
  ASSERT_EQ(lend_numbered(out, loans, 0), 6U) << out.why().text;
  EXPECT_EQ(out.publish_batch(loans), 4U);
  EXPECT_EQ(out.why().code, Errc::would_block);
  EXPECT_FALSE(loans[3]);
  EXPECT_TRUE(loans[4]);
  for (std::uint64_t i = 0; i < 2; ++i) EXPECT_TRUE(in.take());
  EXPECT_EQ(out.publish_batch(std::span(loans).subspan(4)), 2U) << out.why().text;
  for (std::uint64_t i = 2; i < 6; ++i) EXPECT_EQ(in.take()->number, i);
}

TEST_F(Policies, ABatchThatWaitsForRoomTellsWhatIsThereFirst) {
  auto out = Publisher<Large>::open("batch", {.depth = 4, .loans_max = 6}).value();
  auto in = Subscriber<Large>::open("batch", {.start = Start::oldest, .reliable = true}).value();
  std::vector<Loan<Large>> loans(6);
  ASSERT_EQ(lend_numbered(out, loans, 0), 6U);
  std::thread taker([&] {
    for (std::uint64_t i = 0; i < 6; ++i) {
      while (in.wait(Deadline::after(20s)) == Wake::interrupted) {
      }
      const auto sample = in.take();
      ASSERT_TRUE(sample);
      EXPECT_EQ(sample->number, i);
    }
  });
  EXPECT_EQ(out.publish_batch(loans, Deadline::after(20s)), 6U) << out.why().text;
  taker.join();
}

TEST_F(Policies, ABatchOfSmallLoansTravelsInItsSlots) {
  auto out = Publisher<Small>::open("batch", {.depth = kDepth, .loans_max = 4}).value();
  auto in = Subscriber<Small>::open("batch", Start::oldest).value();
  std::vector<Loan<Small>> loans(4);
  ASSERT_EQ(out.loan_batch(loans), 4U);
  for (std::uint64_t i = 0; i < 4; ++i) loans[i]->number = i;
  ASSERT_EQ(out.publish_batch(loans), 4U);
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(in.take()->number, i);
}

}  // namespace
}  // namespace signalbox
