// Goal: a client that decodes a picture can trust the number in its strips. Method: paint, then
// read back untouched, through JPEG at several qualities, and after damage that must be noticed.
#include "strip.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "jpeg.hpp"
#include "room.hpp"

namespace petcam {
namespace {

constexpr Geometry kGeometry{640, 360};

struct Canvas {
  explicit Canvas(Geometry geometry) : bytes(i420_bytes(geometry)), picture(bytes, geometry) {
    picture.fill({0, 0, 1 << 14, 1 << 14}, {120, 128, 128});
  }
  std::vector<std::byte> bytes;
  Picture picture;
};

TEST(Strip, ReadsBackEveryBitOfTheNumber) {
  Canvas canvas(kGeometry);
  for (int bit = 0; bit < 32; ++bit) {
    const std::uint32_t number = 1U << bit;
    paint_strips(canvas.picture, number);
    EXPECT_EQ(read_strip(canvas.picture, first_strip(kGeometry)), number);
    EXPECT_EQ(read_strip(canvas.picture, last_strip(kGeometry)), number);
  }
}

// The bits of a strip as whoever reads pictures in another language sees them.
std::uint64_t painted_word(std::uint32_t number) {
  Canvas canvas(kGeometry);
  paint_strips(canvas.picture, number);
  std::uint64_t word = 0;
  for (std::uint32_t block = 0; block < strip_blocks; ++block) {
    word = word << 1 | (canvas.picture.at(block * 8 + 4, 4).y == 235 ? 1U : 0U);
  }
  return word;
}

TEST(Strip, HasTheLayoutThatOthersRead) {
  // The same check sums stand in apps/petcam/tests/test_viewer.py.
  EXPECT_EQ(painted_word(0), 0b1010ULL << 44 | 0xd1ULL << 4 | 0b0101);
  EXPECT_EQ(painted_word(0xdeadbeef),
            0b1010ULL << 44 | 0xdeadbeefULL << 12 | 0x1bULL << 4 | 0b0101);
}

TEST(Strip, LiesOnTheGridOfJpegAtTheFarEnd) {
  for (const Geometry geometry : {Geometry{1280, 720}, Geometry{500, 270}, Geometry{1920, 1080}}) {
    const Box strip = last_strip(geometry);
    EXPECT_EQ(strip.x % 8, 0);
    EXPECT_EQ(strip.y % 8, 0);
    EXPECT_LE(strip.x + strip.w, static_cast<std::int32_t>(geometry.width));
    EXPECT_LE(strip.y + strip.h, static_cast<std::int32_t>(geometry.height));
    EXPECT_GT(strip.y + strip.h + 8, static_cast<std::int32_t>(geometry.height));
  }
}

TEST(Strip, SurvivesJpeg) {
  for (const int quality : {10, 50, 80, 95}) {
    Room room({1280, 720}, 30, 1);
    Canvas drawn(room.geometry());
    Canvas decoded(room.geometry());
    room.paint(drawn.picture, 0xdeadbeef);
    JpegEncoder encoder(quality);
    const auto file = encoder.encode(drawn.picture);
    ASSERT_TRUE(file) << file.error();
    ASSERT_TRUE(JpegDecoder().decode(*file, decoded.picture));
    EXPECT_EQ(read_strip(decoded.picture, first_strip(room.geometry())), 0xdeadbeef) << quality;
    EXPECT_EQ(read_strip(decoded.picture, last_strip(room.geometry())), 0xdeadbeef) << quality;
  }
}

TEST(Strip, NoticesEverySingleWrongBlock) {
  Canvas canvas(kGeometry);
  for (std::int32_t block = 0; block < static_cast<std::int32_t>(strip_blocks); ++block) {
    paint_strips(canvas.picture, 12345);
    const Box box{block * 8, 0, 8, 8};
    const bool was_white = canvas.picture.at(static_cast<std::uint32_t>(box.x) + 4, 4).y > 128;
    canvas.picture.fill(box, {static_cast<std::uint8_t>(was_white ? 16 : 235), 128, 128});
    EXPECT_FALSE(read_strip(canvas.picture, first_strip(kGeometry))) << "block " << block;
  }
}

TEST(Strip, IsNotFoundInAnEmptyPicture) {
  Canvas canvas(kGeometry);
  EXPECT_FALSE(read_strip(canvas.picture, first_strip(kGeometry)));
}

}  // namespace
}  // namespace petcam
