// Goal: what viewers get is what was published, and no broken camera frame passes for a picture.
// Method: encode and decode drawn pictures, with every chroma subsampling cameras use, then damage
// the file.
#include "jpeg.hpp"

#include <gtest/gtest.h>
#include <turbojpeg.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace petcam {
namespace {

constexpr Geometry kGeometry{320, 240};
constexpr Yuv kLeft{138, 72, 183};
constexpr Yuv kRight{99, 188, 105};

struct TwoHalves {
  TwoHalves() : bytes(i420_bytes(kGeometry)), picture(bytes, kGeometry) {
    picture.fill({0, 0, 160, 240}, kLeft);
    picture.fill({160, 0, 160, 240}, kRight);
  }
  std::vector<std::byte> bytes;
  Picture picture;
};

void expect_near(Yuv found, Yuv wanted) {
  EXPECT_NEAR(found.y, wanted.y, 3);
  EXPECT_NEAR(found.u, wanted.u, 3);
  EXPECT_NEAR(found.v, wanted.v, 3);
}

// A JPEG as a camera with this subsampling would send it.
std::vector<std::byte> camera_file(int subsampling) {
  std::vector<std::uint8_t> rgb;
  for (std::uint32_t i = 0; i < kGeometry.width * kGeometry.height; ++i) {
    const Rgb colour = to_rgb(i % kGeometry.width < 160 ? kLeft : kRight);
    rgb.insert(rgb.end(), {colour.r, colour.g, colour.b});
  }
  const JpegHandle handle(tjInitCompress());
  unsigned char* file = nullptr;
  unsigned long size = 0;
  EXPECT_EQ(tjCompress2(handle.get(), rgb.data(), kGeometry.width, 0, kGeometry.height, TJPF_RGB,
                        &file, &size, subsampling, 90, 0),
            0);
  const auto* bytes = reinterpret_cast<const std::byte*>(file);
  std::vector<std::byte> copy(bytes, bytes + size);
  tjFree(file);
  return copy;
}

TEST(Jpeg, ColoursSurviveARoundTrip) {
  TwoHalves drawn;
  TwoHalves decoded;
  decoded.picture.fill({0, 0, 320, 240}, {16, 128, 128});
  JpegEncoder encoder(90);
  const auto file = encoder.encode(drawn.picture);
  ASSERT_TRUE(file) << file.error();
  JpegDecoder decoder;
  EXPECT_EQ(decoder.geometry(*file), kGeometry);
  ASSERT_TRUE(decoder.decode(*file, decoded.picture));
  expect_near(decoded.picture.at(40, 100), kLeft);
  expect_near(decoded.picture.at(280, 100), kRight);
}

TEST(Jpeg, EverySubsamplingOfCamerasIsUnderstood) {
  for (const int subsampling : {TJSAMP_420, TJSAMP_422, TJSAMP_444, TJSAMP_440}) {
    TwoHalves decoded;
    decoded.picture.fill({0, 0, 320, 240}, {16, 128, 128});
    const auto done = JpegDecoder().decode(camera_file(subsampling), decoded.picture);
    ASSERT_TRUE(done) << done.error();
    expect_near(decoded.picture.at(40, 100), kLeft);
    expect_near(decoded.picture.at(280, 100), kRight);
  }
}

TEST(Jpeg, AGreyPictureHasNoColour) {
  TwoHalves decoded;
  ASSERT_TRUE(JpegDecoder().decode(camera_file(TJSAMP_GRAY), decoded.picture));
  EXPECT_EQ(decoded.picture.at(40, 100).u, 128);
  EXPECT_EQ(decoded.picture.at(40, 100).v, 128);
}

TEST(Jpeg, ATruncatedFileIsRefused) {
  auto file = camera_file(TJSAMP_422);
  file.resize(file.size() / 2);
  TwoHalves decoded;
  EXPECT_FALSE(JpegDecoder().decode(file, decoded.picture));
}

TEST(Jpeg, ABrokenFileDoesNotSpoilTheNext) {
  const auto file = camera_file(TJSAMP_422);
  TwoHalves decoded;
  JpegDecoder decoder;
  // Cut at every part of the file: libjpeg-turbo once took the next file for the rest of this one.
  for (std::size_t size = 1; size < file.size(); size += 7) {
    EXPECT_FALSE(decoder.decode(std::span(file).first(size), decoded.picture)) << size;
    EXPECT_TRUE(decoder.decode(file, decoded.picture)) << "after one of " << size << " bytes";
  }
}

TEST(Jpeg, PaddingAfterTheDataIsAccepted) {
  auto file = camera_file(TJSAMP_422);
  // As some cameras do: a few stray bytes before the end marker.
  file.insert(file.end() - 2, 3, std::byte{0});
  TwoHalves decoded;
  const auto done = JpegDecoder().decode(file, decoded.picture);
  EXPECT_TRUE(done) << done.error();
}

TEST(Jpeg, AnotherSizeThanAnnouncedIsRefused) {
  std::vector<std::byte> bytes(i420_bytes({160, 120}));
  EXPECT_FALSE(JpegDecoder().decode(camera_file(TJSAMP_420), Picture(bytes, {160, 120})));
}

TEST(Jpeg, GarbageIsRefusedWithAReason) {
  const std::vector<std::byte> garbage(100, std::byte{0x55});
  const auto found = JpegDecoder().geometry(garbage);
  ASSERT_FALSE(found);
  EXPECT_FALSE(found.error().empty());
}

}  // namespace
}  // namespace petcam
