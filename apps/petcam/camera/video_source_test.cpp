// Goal: a clip plays in its own size and speed, for ever; whatever goes wrong is named, does not
// stop the source, and leaves no process behind. Method: small clips made by ffmpeg, then missing,
// broken and disappearing ones, and a real SIGKILL of the child and of the parent.
#include "video_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "collecting_outlet.hpp"

namespace petcam {
namespace {

using testing::HasSubstr;

class VideoSourceTest : public testing::Test {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }

  // Ten pictures at 25 a second of one colour.
  std::string clip(const std::string& name, const std::string& size = "320x180",
                   const std::string& codec = "-c:v libx264 -preset ultrafast -qp 5") const {
    const std::string command =
        "ffmpeg -nostdin -y -loglevel error -f lavfi -i color=c=0xE6781E:s=" + size +
        ":r=25 -frames:v 10 " + codec + " '" + path(name) + "'";
    EXPECT_EQ(std::system(command.c_str()), 0) << command;
    return path(name);
  }
  bool drive_until_pictures(Source& source, std::size_t count) {
    return drive(source, outlet_, [&] { return outlet_.delivered.size() >= count; });
  }
  bool drive_until_degraded(Source& source) {
    return drive(source, outlet_, [&] { return source.state() == SourceState::degraded; });
  }

  CollectingOutlet outlet_;

 private:
  std::string folder_ = testing::TempDir() + "petcam_video_" + std::to_string(getpid());
};

TEST_F(VideoSourceTest, AClipIsLoopedWithItsOwnSizeAndColours) {
  VideoSource source(clip("orange.mp4"));
  EXPECT_EQ(source.state(), SourceState::starting);
  ASSERT_TRUE(drive_until_pictures(source, 25)) << source.note();  // two and a half rounds
  EXPECT_EQ(source.state(), SourceState::running);
  EXPECT_EQ(source.note(), "");
  for (auto& delivered : outlet_.delivered) {
    ASSERT_EQ(delivered.geometry, (Geometry{320, 180}));
    const Rgb colour = to_rgb(delivered.picture().at(100, 100));
    EXPECT_NEAR(colour.r, 0xe6, 6);
    EXPECT_NEAR(colour.g, 0x78, 6);
    EXPECT_NEAR(colour.b, 0x1e, 6);
  }
}

TEST_F(VideoSourceTest, PicturesComeNoFasterThanTheClipPlays) {
  VideoSource source(clip("orange.mp4"));
  ASSERT_TRUE(drive_until_pictures(source, 26));
  // 25 periods of 40 ms; only a lower bound can be told on a machine that others use too. The last
  // pictures may come early by the start-up of the pipe.
  const auto& pictures = outlet_.delivered;
  EXPECT_GT(pictures.back().captured_ns - pictures.front().captured_ns, 25 * 40'000'000L * 6 / 10);
}

TEST_F(VideoSourceTest, PicturesNeverCrowdWhereTheClipBeginsAnew) {
  // With pictures that are decoded out of order, ffmpeg hands out the last ones of a round at once.
  VideoSource source(clip("orange.mp4", "320x180", "-c:v libx264 -bf 3 -b_strategy 0"));
  ASSERT_TRUE(drive_until_pictures(source, 35)) << source.note();
  for (std::size_t i = 1; i < outlet_.delivered.size(); ++i) {
    const auto distance_ns =
        outlet_.delivered[i].captured_ns - outlet_.delivered[i - 1].captured_ns;
    EXPECT_GE(distance_ns, 34'000'000) << "picture " << i;
  }
}

TEST_F(VideoSourceTest, MotionJpegAndOddSizesPlayToo) {
  VideoSource source(clip("odd.avi", "321x181", "-c:v mjpeg -q:v 2"));
  ASSERT_TRUE(drive_until_pictures(source, 2)) << source.note();
  EXPECT_EQ(outlet_.delivered.front().geometry, (Geometry{320, 180}));
}

TEST_F(VideoSourceTest, AMissingFileIsNamedAndPlaysOnceItIsThere) {
  VideoSource source(path("later.mp4"));
  ASSERT_TRUE(drive_until_degraded(source));
  EXPECT_THAT(source.note(), HasSubstr("cannot read video"));
  EXPECT_THAT(source.note(),
              HasSubstr("ffmpeg said \"No such file or directory\"; check the file"));
  clip("later.mp4");
  ASSERT_TRUE(drive_until_pictures(source, 1));
  EXPECT_EQ(source.state(), SourceState::running);
  EXPECT_EQ(source.note(), "");
}

TEST_F(VideoSourceTest, ABrokenFileIsNamed) {
  std::ofstream(path("broken.mp4")) << "this is no video";
  VideoSource source(path("broken.mp4"));
  ASSERT_TRUE(drive_until_degraded(source));
  EXPECT_THAT(source.note(), HasSubstr("Invalid data found when processing input"));
}

TEST_F(VideoSourceTest, AFileCutOffInTheMiddleIsNamed) {
  const std::string name = clip("cut.mp4");
  std::filesystem::resize_file(name, std::filesystem::file_size(name) / 2);
  VideoSource source(name);
  ASSERT_TRUE(drive_until_degraded(source));
  EXPECT_THAT(source.note(), HasSubstr("ffmpeg said"));
}

TEST_F(VideoSourceTest, ALongNameLeavesRoomForTheReason) {
  VideoSource source(path("a/folder/that/does/not/exist/cat.mp4"));
  ASSERT_TRUE(drive_until_degraded(source));
  EXPECT_THAT(source.note(), HasSubstr("cannot read video cat.mp4: ffmpeg said"));
}

TEST_F(VideoSourceTest, AKilledDecoderIsReplaced) {
  VideoSource source(clip("orange.mp4"));
  ASSERT_TRUE(drive_until_pictures(source, 2));
  const pid_t first = source.child_pid();
  ASSERT_EQ(kill(first, SIGKILL), 0);
  ASSERT_TRUE(drive_until_degraded(source));
  EXPECT_THAT(source.note(), HasSubstr("the stream ended"));
  const std::size_t before = outlet_.delivered.size();
  ASSERT_TRUE(drive_until_pictures(source, before + 1));
  EXPECT_NE(source.child_pid(), first);
  EXPECT_EQ(source.state(), SourceState::running);
}

TEST_F(VideoSourceTest, ASilentDecoderIsReplaced) {
  VideoSource source(clip("orange.mp4"));
  ASSERT_TRUE(drive_until_pictures(source, 2));
  // Stopped, not dead: nothing but the clock can tell.
  ASSERT_EQ(kill(source.child_pid(), SIGSTOP), 0);
  source.check_stall(monotonic_ns());
  EXPECT_EQ(source.state(), SourceState::running);
  source.check_stall(monotonic_ns() + 10'000'000'000);
  EXPECT_EQ(source.state(), SourceState::degraded);
  EXPECT_THAT(source.note(), HasSubstr("no picture came for 10 s"));
}

TEST_F(VideoSourceTest, NoProcessIsLeftBehind) {
  {
    VideoSource source(clip("orange.mp4"));
    ASSERT_TRUE(drive_until_pictures(source, 1));
    EXPECT_NE(source.child_pid(), 0);
  }
  // Neither running nor a zombie: there is nothing to wait for.
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(VideoSourceTest, TheDecoderDiesWithADaemonThatIsKilled) {
  const std::string name = clip("orange.mp4");
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t daemon = fork();
  if (daemon == 0) {
    VideoSource source(name);
    drive_until_pictures(source, 1);
    const pid_t child = source.child_pid();
    if (write(ends[1], &child, sizeof(child)) != sizeof(child)) _exit(1);
    pause();
    _exit(0);
  }
  pid_t decoder = 0;
  ASSERT_EQ(read(ends[0], &decoder, sizeof(decoder)), static_cast<ssize_t>(sizeof(decoder)));
  const Fd watched(static_cast<int>(syscall(SYS_pidfd_open, decoder, 0)));
  ASSERT_TRUE(watched.is_open());
  ASSERT_EQ(kill(daemon, SIGKILL), 0);
  ASSERT_EQ(waitpid(daemon, nullptr, 0), daemon);
  pollfd ended{.fd = watched.number(), .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&ended, 1, 30'000), 1);
  close(ends[0]);
  close(ends[1]);
}

TEST(FfmpegCommand, PacesFilesAndLeavesNetworkCamerasTheirOwnPace) {
  EXPECT_THAT(ffmpeg_command("cat.mp4"),
              testing::IsSupersetOf({"-re", "-stream_loop", "file:cat.mp4"}));
  const auto live = ffmpeg_command("rtsp://camera/stream");
  EXPECT_THAT(live, testing::Not(testing::Contains("-re")));
  EXPECT_THAT(live, testing::IsSupersetOf({"-rtsp_transport", "rtsp://camera/stream"}));
}

TEST(VideoNote, DoesNotTellThePasswordOfACamera) {
  VideoSource source("rtsp://user:secret@127.0.0.1:1/stream");
  CollectingOutlet outlet;
  ASSERT_TRUE(drive(source, outlet, [&] { return source.state() == SourceState::degraded; }));
  EXPECT_THAT(source.note(), HasSubstr("rtsp://127.0.0.1:1/stream"));
  EXPECT_THAT(source.note(), testing::Not(HasSubstr("secret")));
}

TEST(Y4m, HeadersAreReadAndNonsenseIsRefused) {
  const auto header =
      parse_y4m_header("YUV4MPEG2 W640 H360 F30000:1001 Ip A1:1 C420jpeg XYSCSS=420");
  ASSERT_TRUE(header) << header.error();
  EXPECT_EQ(header->geometry, (Geometry{640, 360}));
  EXPECT_NEAR(header->frames_per_s, 29.97, 0.01);
  EXPECT_FALSE(parse_y4m_header(""));
  EXPECT_FALSE(parse_y4m_header("YUV4MPEG2 W640"));
  EXPECT_FALSE(parse_y4m_header("YUV4MPEG2 W641 H360"));
  EXPECT_FALSE(parse_y4m_header("YUV4MPEG2 W640 H360 C444"));
  EXPECT_FALSE(parse_y4m_header("YUV4MPEG2 W99999999999 H360"));
}

}  // namespace
}  // namespace petcam
