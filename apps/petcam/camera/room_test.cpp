// Goal: the ground truth of the room is what is painted, so that a detector can be judged by it.
// Method: search frames of the whole round for the animals' colours, pixel by pixel as a detector
// sees them, and compare the tight box with the truth.
#include "room.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "strip.hpp"

namespace petcam {
namespace {

constexpr Geometry kGeometry{1280, 720};
constexpr std::uint64_t kRoundFrames = 80 * 30;

struct Canvas {
  explicit Canvas(Geometry geometry) : bytes(i420_bytes(geometry)), picture(bytes, geometry) {}
  std::vector<std::byte> bytes;
  Picture picture;
};

bool is_near(Yuv a, Yuv b, int limit) {
  return std::abs(a.y - b.y) <= limit && std::abs(a.u - b.u) <= limit &&
         std::abs(a.v - b.v) <= limit;
}

Box tight_box(const Picture& picture, Rgb colour) {
  const Yuv wanted = to_yuv(colour);
  std::int32_t left = INT32_MAX, top = INT32_MAX, right = 0, bottom = 0;
  for (std::uint32_t y = 0; y < picture.geometry().height; ++y) {
    for (std::uint32_t x = 0; x < picture.geometry().width; ++x) {
      if (!is_near(picture.at(x, y), wanted, 1)) continue;
      left = std::min(left, static_cast<std::int32_t>(x));
      right = std::max(right, static_cast<std::int32_t>(x) + 1);
      top = std::min(top, static_cast<std::int32_t>(y));
      bottom = std::max(bottom, static_cast<std::int32_t>(y) + 1);
    }
  }
  return right == 0 ? Box{} : Box{left, top, right - left, bottom - top};
}

std::map<std::string, Box> boxes(const TruthList& truth) {
  std::map<std::string, Box> found;
  for (std::uint32_t i = 0; i < truth.count; ++i) {
    const Truth& item = truth.items[i];
    found[item.label] = {static_cast<std::int32_t>(item.x), static_cast<std::int32_t>(item.y),
                         static_cast<std::int32_t>(item.w), static_cast<std::int32_t>(item.h)};
  }
  return found;
}

TEST(Room, TruthIsTheTightBoxOfWhatIsPainted) {
  Canvas canvas(kGeometry);
  const Room room(kGeometry, 30, 1);
  int cats = 0, dogs = 0;
  // 37 is prime to the length of a step, so both poses of each walk are met.
  for (std::uint64_t number = 0; number < kRoundFrames; number += 37) {
    auto truth = boxes(room.paint(canvas.picture, number));
    EXPECT_EQ(tight_box(canvas.picture, cat_colour), truth["cat"]) << "frame " << number;
    EXPECT_EQ(tight_box(canvas.picture, dog_colour), truth["dog"]) << "frame " << number;
    cats += truth["cat"].empty() ? 0 : 1;
    dogs += truth["dog"].empty() ? 0 : 1;
  }
  EXPECT_GT(cats, 10);
  EXPECT_GT(dogs, 10);
}

TEST(Room, TruthHoldsWhileTheSofaHidesAPart) {
  Canvas canvas(kGeometry);
  const Room room(kGeometry, 30, 1);
  std::uint64_t partly_hidden = 0;
  for (std::uint64_t number = 420; number < 880; number += 3) {
    auto truth = boxes(room.paint(canvas.picture, number));
    EXPECT_EQ(tight_box(canvas.picture, cat_colour), truth["cat"]) << "frame " << number;
    if (!truth["cat"].empty() && truth["cat"].w < 30 * 4) ++partly_hidden;
  }
  EXPECT_GT(partly_hidden, 10U);
}

TEST(Room, FurnitureStaysFarFromTheAnimalsColours) {
  Canvas canvas(kGeometry);
  Room(kGeometry, 30, 1).paint(canvas.picture, 1560);  // dark and empty
  for (std::uint32_t y = 0; y < kGeometry.height; y += 2) {
    for (std::uint32_t x = 0; x < kGeometry.width; x += 2) {
      ASSERT_FALSE(is_near(canvas.picture.at(x, y), to_yuv(cat_colour), 24)) << x << "," << y;
      ASSERT_FALSE(is_near(canvas.picture.at(x, y), to_yuv(dog_colour), 24)) << x << "," << y;
    }
  }
}

TEST(Room, AFrameFollowsFromItsNumberAndTheSeed) {
  Canvas first(kGeometry);
  Canvas second(kGeometry);
  const Room room(kGeometry, 30, 7);
  const Room same(kGeometry, 30, 7);
  for (const std::uint64_t number : {0U, 100U, 950U, 1550U, 5000U}) {
    room.paint(second.picture, number + 13);  // what was painted before must not matter
    room.paint(first.picture, number);
    same.paint(second.picture, number);
    EXPECT_TRUE(first.bytes == second.bytes) << "frame " << number;
  }
  Room(kGeometry, 30, 8).paint(second.picture, 100);
  EXPECT_FALSE(first.bytes == second.bytes);
}

// Everything but the strips, which carry the number.
bool same_scene(const Canvas& a, const Canvas& b) {
  const std::size_t skip = std::size_t{kGeometry.width} * strip_block_pixels;
  return std::memcmp(a.bytes.data() + skip, b.bytes.data() + skip,
                     a.picture.luma_bytes() - 2 * skip) == 0;
}

TEST(Room, StillPhasesAreStill) {
  Canvas first(kGeometry);
  Canvas later(kGeometry);
  const Room room(kGeometry, 30, 1);
  room.paint(first.picture, 1800);
  for (const std::uint64_t number : {1801U, 1950U, 2399U}) {
    room.paint(later.picture, number);
    EXPECT_TRUE(same_scene(first, later)) << "frame " << number;
  }
}

TEST(Room, NoiseLivesAndLightFallsOnScript) {
  Canvas before(kGeometry);
  Canvas after(kGeometry);
  const Room room(kGeometry, 30, 1);
  room.paint(before.picture, 1000);
  room.paint(after.picture, 1001);
  EXPECT_FALSE(same_scene(before, after));
  room.paint(before.picture, 1499);
  room.paint(after.picture, 1500);
  EXPECT_EQ(before.picture.at(700, 600).y - after.picture.at(700, 600).y, 18);
}

TEST(Room, CatIsSeenWithinASecondAndTheRoundRepeats) {
  Canvas canvas(kGeometry);
  const Room room(kGeometry, 30, 1);
  EXPECT_TRUE(boxes(room.paint(canvas.picture, 30)).contains("cat"));
  EXPECT_EQ(boxes(room.paint(canvas.picture, 200)),
            boxes(room.paint(canvas.picture, 200 + kRoundFrames)));
}

TEST(Room, PlaysAtTheSameSpeedAtAnyFrameRate) {
  Canvas canvas(kGeometry);
  const Room slow(kGeometry, 15, 1);
  const Room usual(kGeometry, 30, 1);
  EXPECT_EQ(boxes(slow.paint(canvas.picture, 50)), boxes(usual.paint(canvas.picture, 100)));
}

TEST(Room, ManySizesFitAndAbsurdOnesAreRefused) {
  for (const Geometry geometry :
       {Geometry{480, 270}, {640, 480}, {854, 480}, {1920, 1080}, {1280, 1024}}) {
    ASSERT_FALSE(Room::refusal(geometry));
    Canvas canvas(geometry);
    const Room room(geometry, 30, 1);
    auto truth = boxes(room.paint(canvas.picture, 300));
    EXPECT_EQ(tight_box(canvas.picture, cat_colour), truth["cat"]) << geometry.width;
  }
  EXPECT_TRUE(Room::refusal({320, 240}));
  EXPECT_TRUE(Room::refusal({1281, 720}));
}

}  // namespace
}  // namespace petcam
