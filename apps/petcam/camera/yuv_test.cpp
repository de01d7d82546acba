// Goal: colours survive the ways of storing them. Method: every value of a byte against the formula
// of the standard, and small pictures whose result is known by hand.
#include "yuv.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace petcam {
namespace {

// 16 x 16: every luma value once.
constexpr Geometry kAllValues{16, 16};

std::vector<std::byte> all_values() {
  std::vector<std::byte> bytes(i420_bytes(kAllValues));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i);
  return bytes;
}

double to_full_luma(int y) { return (std::clamp(y, 16, 235) - 16) * 255.0 / 219; }
double to_studio_luma(int y) { return y * 219.0 / 255 + 16; }

TEST(Yuv, LumaRangesFollowTheStandard) {
  auto from = all_values();
  std::vector<std::byte> to(from.size());
  to_full_range(Picture(from, kAllValues), Picture(to, kAllValues));
  for (int y = 0; y < 256; ++y) {
    EXPECT_NEAR(std::to_integer<int>(to[static_cast<std::size_t>(y)]), to_full_luma(y), 1) << y;
  }
  to_studio_range(Picture(from, kAllValues), Picture(to, kAllValues));
  for (int y = 0; y < 256; ++y) {
    EXPECT_NEAR(std::to_integer<int>(to[static_cast<std::size_t>(y)]), to_studio_luma(y), 1) << y;
  }
}

TEST(Yuv, RangesAreEachOthersInverseWithinOneStep) {
  for (const Yuv colour : {Yuv{16, 16, 240}, {235, 128, 128}, {138, 72, 183}, {90, 200, 100}}) {
    std::vector<std::byte> bytes(i420_bytes({2, 2}));
    const Picture picture(bytes, {2, 2});
    picture.fill({0, 0, 2, 2}, colour);
    to_full_range(picture, picture);
    to_studio_range(picture, picture);
    const Yuv back = picture.at(0, 0);
    EXPECT_NEAR(back.y, colour.y, 1);
    EXPECT_NEAR(back.u, colour.u, 1);
    EXPECT_NEAR(back.v, colour.v, 1);
  }
}

TEST(Yuv, AgreedColoursComeBackWithinTwoSteps) {
  for (const Rgb colour : {Rgb{230, 120, 30}, {60, 90, 210}, {255, 255, 255}, {0, 0, 0}}) {
    const Rgb back = to_rgb(to_yuv(colour));
    EXPECT_NEAR(back.r, colour.r, 2);
    EXPECT_NEAR(back.g, colour.g, 2);
    EXPECT_NEAR(back.b, colour.b, 2);
  }
}

TEST(Yuv, YuyvKeepsLumaAndAveragesChromaOfTwoRows) {
  // Two rows of two pixels, each row with two bytes of padding.
  const std::array<std::uint8_t, 12> yuyv{10, 100, 20, 200, 0, 0, 30, 103, 40, 210, 0, 0};
  std::vector<std::byte> bytes(i420_bytes({2, 2}));
  const Picture picture(bytes, {2, 2});
  yuyv_to_i420(std::as_bytes(std::span(yuyv)), 6, picture);
  EXPECT_EQ(picture.at(0, 0), (Yuv{10, 102, 205}));
  EXPECT_EQ(picture.at(1, 0), (Yuv{20, 102, 205}));
  EXPECT_EQ(picture.at(0, 1), (Yuv{30, 102, 205}));
  EXPECT_EQ(picture.at(1, 1), (Yuv{40, 102, 205}));
}

TEST(Yuv, ShrinkingChromaAveragesWhatIsThere) {
  const std::array<std::uint8_t, 4> samples{10, 20, 30, 42};
  std::uint8_t mean = 0;
  shrink_chroma({samples.data(), 2, 2, 2}, &mean, 1, 1);
  EXPECT_EQ(mean, 26);  // (10 + 20 + 30 + 42) / 4, rounded
  shrink_chroma({samples.data(), 2, 1, 2}, &mean, 1, 1);
  EXPECT_EQ(mean, 20);  // of the first column
  shrink_chroma({samples.data(), 2, 2, 1}, &mean, 1, 1);
  EXPECT_EQ(mean, 15);  // of the first row
}

TEST(Picture, FillStaysInsideThePicture) {
  std::vector<std::byte> bytes(i420_bytes({8, 8}), std::byte{1});
  const Picture picture(bytes, {8, 8});
  picture.fill({6, 6, 100, 100}, {200, 90, 91});
  picture.fill({-100, -100, 102, 102}, {201, 92, 93});
  EXPECT_EQ(picture.at(7, 7), (Yuv{200, 90, 91}));
  EXPECT_EQ(picture.at(0, 0), (Yuv{201, 92, 93}));
  EXPECT_EQ(picture.at(4, 4), (Yuv{1, 1, 1}));
}

}  // namespace
}  // namespace petcam
