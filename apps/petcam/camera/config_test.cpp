// Goal: a wrong configuration is refused with the line and what to do, a right one is understood.
// Method: small files with one fault each.
#include "config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace petcam {
namespace {

using testing::HasSubstr;

class ConfigTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  Outcome<CameraConfig> load(const std::string& text, const ConfigOverrides& overrides = {}) {
    std::ofstream(path_) << text;
    return load_config(path_, overrides);
  }
  std::string refusal(const std::string& text) {
    const auto config = load(text);
    EXPECT_FALSE(config) << text;
    if (config) return {};
    EXPECT_EQ(config.error().code, ExitCode::configuration);
    return config.error().text;
  }

 private:
  std::string path_ = testing::TempDir() + "petcam_" +
                      testing::UnitTest::GetInstance()->current_test_info()->name() + ".yaml";
};

TEST_F(ConfigTest, WithoutAFileTheDefaultsHold) {
  EXPECT_EQ(load_config(std::nullopt, {}), CameraConfig{});
  EXPECT_EQ(load(""), CameraConfig{});
}

TEST_F(ConfigTest, SectionsOfTheOtherDaemonsAreLeftToThem) {
  const auto config = load("camera: {fps: 25}\ndetector: {anything: 1}\nserver: {port: 1}\n");
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->frames_per_s, 25);
}

TEST_F(ConfigTest, AMisspeltKeyIsNamedWithItsLineAndTheRightOne) {
  const std::string text = refusal("camera:\n  fps: 30\n  widht: 640\n");
  EXPECT_THAT(text, HasSubstr(".yaml:3: "));
  EXPECT_THAT(text, HasSubstr("\"widht\" is not a key; did you mean \"width\"?"));
}

TEST_F(ConfigTest, AnUnknownSectionIsRefused) {
  EXPECT_THAT(refusal("camera: {}\nkamera: {}\n"), HasSubstr(":2: \"kamera\" is not a key"));
}

TEST_F(ConfigTest, ValuesOutsideTheirRangeAreRefused) {
  EXPECT_THAT(refusal("camera: {fps: 1000}"), HasSubstr("camera.fps: expected a number from 1"));
  EXPECT_THAT(refusal("camera: {fps: .nan}"), HasSubstr("camera.fps"));
  EXPECT_THAT(refusal("camera: {width: -4}"), HasSubstr("camera.width"));
  EXPECT_THAT(refusal("camera: {jpeg_quality: best}"), HasSubstr("camera.jpeg_quality"));
  EXPECT_THAT(refusal("camera: {source: [v4l2]}"), HasSubstr("one of synthetic, video, v4l2"));
  EXPECT_THAT(refusal("common: {log_level: loud}"), HasSubstr("common.log_level"));
}

TEST_F(ConfigTest, ARoomThatIsTooSmallIsRefused) {
  EXPECT_THAT(refusal("camera: {width: 64}"), HasSubstr("at least 480 x 270"));
}

TEST_F(ConfigTest, AVideoWithoutANameIsRefused) {
  EXPECT_THAT(refusal("camera: {source: video}"), HasSubstr("camera.video names none"));
}

TEST_F(ConfigTest, WhatIsNotYamlIsRefusedWithItsLine) {
  EXPECT_THAT(refusal("camera:\n  fps: [1\n"), HasSubstr("this is not YAML"));
  EXPECT_THAT(refusal("just a text"), HasSubstr("key: value"));
}

TEST_F(ConfigTest, AMissingFileIsRefused) {
  const auto config = load_config("/nonexistent/petcam.yaml", {});
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().text, HasSubstr("cannot read the configuration /nonexistent"));
}

TEST_F(ConfigTest, TheCommandLineWins) {
  const auto config =
      load("camera: {source: v4l2, width: 640, height: 480}", {.video = "cat.mp4", .width = 800});
  ASSERT_TRUE(config) << config.error().text;
  EXPECT_EQ(config->source, SourceKind::video);
  EXPECT_EQ(config->video, "cat.mp4");
  EXPECT_EQ(config->geometry, (Geometry{800, 480}));
}

}  // namespace
}  // namespace petcam
