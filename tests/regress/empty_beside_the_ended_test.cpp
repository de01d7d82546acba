// Symptom: take() came back empty although a publisher had a message (seen by the kill driver as a
// late reader that missed one of four; a loop over take() and poll() sees it as a stall).
// Cause: forgetting a publisher that ended began the turn anew in the middle of a round, so that
// one publisher was looked at twice and another not at all.
// Method: three publishers in the order in which they were met: one with nothing to say, one that
// ended, and one with two messages.
#include <gtest/gtest.h>

#include <optional>

#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using signalbox::Publisher;
using signalbox::Subscriber;

struct Number {
  std::uint64_t value;
};

}  // namespace

SBX_DESCRIBE(Number, value);

namespace {

TEST(EmptyBesideTheEnded, EveryPublisherHasItsTurn) {
  const signalbox::ScratchDomain domain;
  auto in = Subscriber<Number>::open("regress/turn").value();
  const auto silent = Publisher<Number>::open("regress/turn").value();
  ASSERT_FALSE(in.take());
  std::optional ended(Publisher<Number>::open("regress/turn").value());
  ASSERT_TRUE(ended->send({1}));
  ASSERT_EQ(in.take()->value, 1U);
  ended.reset();
  auto speaks = Publisher<Number>::open("regress/turn").value();
  ASSERT_TRUE(speaks.send({2}));
  ASSERT_TRUE(speaks.send({3}));
  ASSERT_EQ(in.take()->value, 2U);
  // The round that begins here meets the silent one, forgets the ended one, and is not over.
  const auto last = in.take();
  ASSERT_TRUE(last) << "take() found nothing while a message was there";
  EXPECT_EQ(last->value, 3U);
}

}  // namespace
