// Goal: a message arrives whole whatever its size, on either side of where it stops to fit a line,
// a slot, and an even number of words.
// Method: one topic a size; each way to send, each way to take, and a reader that is lapped.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "base/must.hpp"
#include "signalbox/footprint.hpp"
#include "signalbox/topic.hpp"
#include "topic/scratch_domain.hpp"

namespace test {

template <std::size_t size>
struct Bytes {
  std::uint8_t bytes[size];
  bool operator==(const Bytes&) const = default;
};

}  // namespace test

SBX_DESCRIBE(test::Bytes<1>, bytes);
SBX_DESCRIBE(test::Bytes<8>, bytes);
SBX_DESCRIBE(test::Bytes<47>, bytes);
SBX_DESCRIBE(test::Bytes<48>, bytes);
SBX_DESCRIBE(test::Bytes<49>, bytes);
SBX_DESCRIBE(test::Bytes<50>, bytes);
SBX_DESCRIBE(test::Bytes<63>, bytes);
SBX_DESCRIBE(test::Bytes<64>, bytes);
SBX_DESCRIBE(test::Bytes<80>, bytes);
SBX_DESCRIBE(test::Bytes<95>, bytes);
SBX_DESCRIBE(test::Bytes<96>, bytes);
SBX_DESCRIBE(test::Bytes<97>, bytes);
SBX_DESCRIBE(test::Bytes<160>, bytes);
SBX_DESCRIBE(test::Bytes<161>, bytes);
SBX_DESCRIBE(test::Bytes<224>, bytes);
SBX_DESCRIBE(test::Bytes<225>, bytes);
SBX_DESCRIBE(test::Bytes<256>, bytes);
SBX_DESCRIBE(test::Bytes<288>, bytes);
SBX_DESCRIBE(test::Bytes<289>, bytes);
SBX_DESCRIBE(test::Bytes<463>, bytes);
SBX_DESCRIBE(test::Bytes<479>, bytes);
SBX_DESCRIBE(test::Bytes<480>, bytes);
SBX_DESCRIBE(test::Bytes<481>, bytes);
SBX_DESCRIBE(test::Bytes<4000>, bytes);

namespace signalbox {
namespace {

using test::Bytes;

template <std::size_t size>
test::Bytes<size> message(std::size_t number) {
  test::Bytes<size> made;
  for (std::size_t i = 0; i < size; ++i) {
    made.bytes[i] = static_cast<std::uint8_t>(number * 37 + i * 11 + 1);
  }
  return made;
}

template <class T>
class EachSize : public ::testing::Test {
 protected:
  static constexpr std::size_t size = sizeof(T);
  static T make(std::size_t number) { return message<size>(number); }
  ScratchDomain domain_;
};

// A sanitizer is shown both sides of each limit: all the sizes take it half a minute to compile.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
using Sizes = ::testing::Types<Bytes<1>, Bytes<48>, Bytes<49>, Bytes<480>, Bytes<481>, Bytes<4000>>;
#else
using Sizes =
    ::testing::Types<Bytes<1>, Bytes<8>, Bytes<47>, Bytes<48>, Bytes<49>, Bytes<50>, Bytes<63>,
                     Bytes<64>, Bytes<80>, Bytes<95>, Bytes<96>, Bytes<97>, Bytes<160>, Bytes<161>,
                     Bytes<224>, Bytes<225>, Bytes<256>, Bytes<288>, Bytes<289>, Bytes<463>,
                     Bytes<479>, Bytes<480>, Bytes<481>, Bytes<4000>>;
#endif
TYPED_TEST_SUITE(EachSize, Sizes);

TYPED_TEST(EachSize, ArrivesWholeHoweverItIsSentAndTaken) {
  auto out = must(Publisher<TypeParam>::open("sized", {.depth = 8}));
  auto in = must(Subscriber<TypeParam>::open("sized", {.start = Start::oldest, .reliable = true}));
  for (std::size_t number = 0; number < 30; number += 5) {
    must(out.send(this->make(number)));
    auto loan = out.loan();
    ASSERT_TRUE(loan) << out.why().text;
    *loan = this->make(number + 1);
    must(out.publish(std::move(loan)));
    const std::array more{this->make(number + 2), this->make(number + 3), this->make(number + 4)};
    ASSERT_EQ(out.send_batch(more), more.size()) << out.why().text;

    for (std::size_t i = 0; i < 2; ++i) {
      auto sample = in.take();
      ASSERT_TRUE(sample);
      const auto moved = std::move(sample);
      EXPECT_EQ(*moved, this->make(number + i));
    }
    std::vector<TypeParam> batch(4);
    ASSERT_EQ(in.take_batch(batch), 3U);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(batch[i], this->make(number + 2 + i));
  }
  EXPECT_EQ(in.lost_count(), 0U);
}

TYPED_TEST(EachSize, IsCountedWhereItIsLost) {
  constexpr std::size_t depth = 4;
  auto out = must(Publisher<TypeParam>::open("sized", {.depth = depth, .held_max = 1}));
  auto in = must(Subscriber<TypeParam>::open("sized", Start::oldest));
  for (std::size_t number = 0; number < 5 * depth; ++number) must(out.send(this->make(number)));
  std::size_t taken = 0;
  while (const auto sample = in.take()) {
    EXPECT_EQ(*sample, this->make(static_cast<std::size_t>(sample.position())));
    ++taken;
  }
  EXPECT_GT(taken, 0U);
  EXPECT_EQ(taken + in.lost_count(), 5 * depth);
  for (std::size_t number = 0; number < depth; ++number) must(out.send(this->make(number)));
  const auto newest = in.take_latest();
  ASSERT_TRUE(newest);
  EXPECT_EQ(*newest, this->make(depth - 1));
  EXPECT_EQ(in.skipped_count(), depth - 1);
}

TYPED_TEST(EachSize, NeedsFramesOnlyBeyondASlot) {
  const auto sum = must(footprint<TypeParam>());
  EXPECT_EQ(sum.frames == 0, sizeof(TypeParam) <= inline_bytes_max) << to_string(sum);
}

}  // namespace
}  // namespace signalbox
