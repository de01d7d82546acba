// Goal: a message arrives whole whatever its size, on either side of where it stops to fit a line,
// a slot, and an even number of words.
// Method: one topic a size; each way to send, each way to take, and a reader that is lapped.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

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

#define SIZES(Do)                                                                           \
  Do(1) Do(8) Do(47) Do(48) Do(49) Do(50) Do(63) Do(64) Do(80) Do(95) Do(96) Do(97) Do(160) \
      Do(161) Do(224) Do(225) Do(256) Do(288) Do(289) Do(463) Do(479) Do(480) Do(481) Do(4000)
#define DESCRIBE(size) SBX_DESCRIBE(test::Bytes<size>, bytes);
SIZES(DESCRIBE)

namespace signalbox {
namespace {

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text);
  return std::move(*result);
}

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

using Sizes = ::testing::Types<
#define NAME(size) test::Bytes<size>,
    SIZES(NAME)
#undef NAME
        test::Bytes<8>>;
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
