// Goal: a USB camera is used as it is, and can be unplugged and plugged in at any moment. Method:
// the code that drives real cameras, against a stand-in for the kernel at the level of ioctl and
// mmap (v4l2_stand_in.hpp): this machine has no camera, so no test here has ever met a real driver.
#include "v4l2_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "collecting_outlet.hpp"
#include "v4l2_stand_in.hpp"

namespace petcam {
namespace {

using testing::HasSubstr;

constexpr Geometry kGeometry{64, 48};
constexpr Yuv kOrange{138, 72, 183};
constexpr std::int64_t kCaptured = 12'345'678'000;

const V4l2StandIn::Offer kMjpeg{V4L2_PIX_FMT_MJPEG, "Motion-JPEG"};
const V4l2StandIn::Offer kYuyv{V4L2_PIX_FMT_YUYV, "YUYV 4:2:2"};
const V4l2StandIn::Offer kOther{V4L2_PIX_FMT_H264, "H.264"};

CameraWish wish(std::optional<CameraFormat> format = {}) {
  return {"/dev/video7", {640, 480}, 30, format};
}

std::vector<std::byte> jpeg_shot() {
  std::vector<std::byte> bytes(i420_bytes(kGeometry));
  const Picture picture(bytes, kGeometry);
  picture.fill({0, 0, 64, 48}, kOrange);
  JpegEncoder encoder(90);
  const auto file = encoder.encode(picture);
  return {file->begin(), file->end()};
}

std::vector<std::byte> yuyv_shot() {
  std::vector<std::byte> bytes;
  for (std::uint32_t y = 0; y < kGeometry.height; ++y) {
    for (std::uint32_t x = 0; x < kGeometry.width; x += 2) {
      for (const std::uint8_t sample : {kOrange.y, kOrange.u, kOrange.y, kOrange.v}) {
        bytes.push_back(std::byte{sample});
      }
    }
    bytes.insert(bytes.end(), V4l2StandIn::kRowPadding, std::byte{0xff});
  }
  return bytes;
}

void expect_orange(Picture picture) {
  for (const auto& [x, y] : {std::pair{0U, 0U}, {63U, 47U}, {30U, 20U}}) {
    EXPECT_NEAR(picture.at(x, y).y, kOrange.y, 2);
    EXPECT_NEAR(picture.at(x, y).u, kOrange.u, 2);
    EXPECT_NEAR(picture.at(x, y).v, kOrange.v, 2);
  }
}

class V4l2SourceTest : public testing::Test {
 protected:
  bool drive_until_streaming(Source& source) {
    return drive(source, outlet_, [&] { return device_.streaming(); });
  }
  bool drive_until_pictures(Source& source, std::size_t count) {
    return drive(source, outlet_, [&] { return outlet_.delivered.size() >= count; });
  }
  bool drive_until_degraded(Source& source) {
    return drive(source, outlet_, [&] { return source.state() == SourceState::degraded; });
  }

  V4l2StandIn device_{{kOther, kYuyv, kMjpeg}, kGeometry};
  CollectingOutlet outlet_;
};

TEST_F(V4l2SourceTest, MjpegIsPassedOnUntouchedAndDecoded) {
  V4l2Source source(wish(), device_);
  ASSERT_TRUE(drive_until_streaming(source));
  const auto shot = jpeg_shot();
  ASSERT_TRUE(device_.expose(shot, kCaptured));
  ASSERT_TRUE(drive_until_pictures(source, 1));
  auto& delivered = outlet_.delivered.front();
  EXPECT_EQ(delivered.camera_jpeg, shot);
  EXPECT_EQ(delivered.geometry, kGeometry);  // the camera's, not the wish
  EXPECT_EQ(delivered.captured_ns, kCaptured);
  expect_orange(delivered.picture());
  EXPECT_EQ(source.state(), SourceState::running);
}

TEST_F(V4l2SourceTest, YuyvIsConvertedWithItsRowPadding) {
  V4l2Source source(wish(CameraFormat::yuyv), device_);
  ASSERT_TRUE(drive_until_streaming(source));
  ASSERT_TRUE(device_.expose(yuyv_shot(), kCaptured));
  ASSERT_TRUE(drive_until_pictures(source, 1));
  EXPECT_TRUE(outlet_.delivered.front().camera_jpeg.empty());
  expect_orange(outlet_.delivered.front().picture());
}

TEST_F(V4l2SourceTest, EveryBufferGoesBackToTheCamera) {
  V4l2Source source(wish(), device_);
  ASSERT_TRUE(drive_until_streaming(source));
  const std::size_t buffers = device_.queued();
  const auto shot = jpeg_shot();
  for (std::size_t i = 1; i <= 20; ++i) {
    ASSERT_TRUE(device_.expose(shot, kCaptured)) << "picture " << i << " found no buffer";
    ASSERT_TRUE(drive_until_pictures(source, i));
  }
  EXPECT_EQ(device_.queued(), buffers);
}

TEST_F(V4l2SourceTest, DamagedPicturesAreDroppedAndCounted) {
  V4l2Source source(wish(), device_);
  ASSERT_TRUE(drive_until_streaming(source));
  auto shot = jpeg_shot();
  ASSERT_TRUE(device_.expose(shot, kCaptured, true));
  const std::vector<std::byte> half(shot.begin(), shot.begin() + shot.size() / 2);
  ASSERT_TRUE(device_.expose(half, kCaptured));
  ASSERT_TRUE(device_.expose(shot, kCaptured));
  ASSERT_TRUE(drive_until_pictures(source, 1));
  EXPECT_EQ(source.lost_pictures(), 2U);
  EXPECT_EQ(outlet_.delivered.size(), 1U);
}

TEST_F(V4l2SourceTest, AnUnpluggedCameraIsNamedAndUsedAgainWhenItIsBack) {
  V4l2Source source(wish(), device_);
  ASSERT_TRUE(drive_until_streaming(source));
  ASSERT_TRUE(device_.expose(jpeg_shot(), kCaptured));
  ASSERT_TRUE(drive_until_pictures(source, 1));

  device_.unplug();
  ASSERT_TRUE(drive_until_degraded(source));
  EXPECT_EQ(source.note(), "camera unplugged: /dev/video7; plug it in again");
  EXPECT_EQ(device_.opened(), 0);
  EXPECT_EQ(device_.mapped(), 0);
  ASSERT_TRUE(drive(source, outlet_, [&] { return source.note().starts_with("there is no"); }));

  device_.plug_in();
  ASSERT_TRUE(drive_until_streaming(source));
  EXPECT_EQ(source.state(), SourceState::degraded);  // until a picture proves that it works
  ASSERT_TRUE(device_.expose(jpeg_shot(), kCaptured));
  ASSERT_TRUE(drive_until_pictures(source, 2));
  EXPECT_EQ(source.state(), SourceState::running);
  EXPECT_EQ(source.note(), "");
}

TEST_F(V4l2SourceTest, ACameraThatIsNotThereYetIsWaitedFor) {
  device_.unplug();
  V4l2Source source(wish(), device_);
  ASSERT_TRUE(drive_until_degraded(source));
  EXPECT_THAT(source.note(), HasSubstr("there is no camera at /dev/video7; plug it in"));
  device_.plug_in();
  EXPECT_TRUE(drive_until_streaming(source));
}

TEST_F(V4l2SourceTest, ASilentCameraIsNamedAndOpenedAgain) {
  V4l2Source source(wish(), device_);
  ASSERT_TRUE(drive_until_streaming(source));
  source.check_stall(monotonic_ns() + 5'000'000'000);
  EXPECT_EQ(source.state(), SourceState::degraded);
  EXPECT_THAT(source.note(), HasSubstr("no usable picture came from /dev/video7 for 5 s"));
  EXPECT_TRUE(drive_until_streaming(source));
}

TEST_F(V4l2SourceTest, NothingStaysOpenOrMapped) {
  {
    V4l2Source source(wish(), device_);
    ASSERT_TRUE(drive_until_streaming(source));
    EXPECT_EQ(device_.opened(), 1);
    EXPECT_GT(device_.mapped(), 0);
  }
  EXPECT_EQ(device_.opened(), 0);
  EXPECT_EQ(device_.mapped(), 0);
  EXPECT_FALSE(device_.streaming());
}

TEST(V4l2Camera, AFormatTheCameraLacksIsRefused) {
  V4l2StandIn device({kYuyv}, kGeometry);
  const auto camera = V4l2Camera::open(wish(CameraFormat::mjpeg), device);
  ASSERT_FALSE(camera);
  EXPECT_EQ(camera.error(), "/dev/video7 has no MJPEG; see --list-formats");
}

TEST(V4l2Camera, WithoutAWishItTakesWhatItCanUse) {
  V4l2StandIn yuyv_only({kOther, kYuyv}, kGeometry);
  const auto camera = V4l2Camera::open(wish(), yuyv_only);
  ASSERT_TRUE(camera) << camera.error();
  EXPECT_EQ(camera->format(), CameraFormat::yuyv);
  V4l2StandIn neither({kOther}, kGeometry);
  EXPECT_THAT(V4l2Camera::open(wish(), neither).error(), HasSubstr("neither MJPEG nor YUYV"));
}

TEST(V4l2Camera, FormatsAreListedForPeople) {
  V4l2StandIn device({kMjpeg, kOther}, kGeometry);
  const auto text = list_camera_formats("/dev/video7", device);
  ASSERT_TRUE(text) << text.error();
  EXPECT_EQ(*text,
            "/dev/video7: Camera of the tests (stand-in)\n"
            "  Motion-JPEG  (format: mjpeg)\n"
            "    64 x 48: 30 15 fps\n"
            "  H.264  (not used by petcam)\n"
            "    64 x 48: 30 15 fps\n");
  EXPECT_EQ(device.opened(), 0);
}

TEST(V4l2Camera, WhatIsNoVideoDeviceIsRefused) {
  // The kernel itself answers here: these are no V4L2 devices.
  V4l2Calls& kernel = kernel_v4l2_calls();
  EXPECT_THAT(V4l2Camera::open({"/dev/null", kGeometry, 30, {}}, kernel).error(),
              HasSubstr("/dev/null is not a camera"));
  EXPECT_THAT(V4l2Camera::open({"/dev/video_none", kGeometry, 30, {}}, kernel).error(),
              HasSubstr("there is no camera at /dev/video_none"));
}

}  // namespace
}  // namespace petcam
