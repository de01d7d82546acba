// video_source.hpp: a video file, looped in real time, or a network camera, decoded by ffmpeg.
//
// ffmpeg is a child on a pipe and not a library in this process: a broken file can then crash a
// child only, and the daemon needs none of its hundred packages to run. When the child dies, stalls
// or cannot read its input, the source says so in note() and starts another after a pause that
// grows up to ten seconds.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "child_process.hpp"
#include "file_descriptor.hpp"
#include "source.hpp"
#include "y4m.hpp"

namespace petcam {

// The command that decodes `video` to YUV4MPEG2 on its standard output.
std::vector<std::string> ffmpeg_command(const std::string& video);

class VideoSource final : public Source {
 public:
  explicit VideoSource(std::string video);

  SourceKind kind() const override { return SourceKind::video; }
  int descriptor() const override { return poller_.descriptor(); }
  void advance(PictureOutlet& outlet) override;
  void check_stall(std::int64_t now_ns) override;
  SourceState state() const override { return state_; }
  std::string note() const override { return note_; }
  // The decoding is done by the child; copying out of the pipe is all that happens here.
  std::uint64_t work_cpu_ns() const override { return 0; }
  std::uint64_t lost_pictures() const override { return 0; }

  // The child that decodes now; 0 while there is none.
  pid_t child_pid() const { return child_ ? child_->pid() : 0; }

 private:
  enum Key : std::uint64_t { kRestart, kOutput, kErrors, kSpacing };

  void start_child();
  void read_output(PictureOutlet& outlet);
  bool read_header();
  bool read_marker(PictureOutlet& outlet);
  bool read_planes(PictureOutlet& outlet);
  bool read_some(void* to, std::size_t bytes, std::size_t& filled);
  void read_errors();
  bool comes_too_early();
  void picture_complete(PictureOutlet& outlet);
  void fail(const std::string& found, const std::string& advice);
  void fail_at_end_of_output();

  std::string video_;
  bool live_;
  Poller poller_;
  Timer restart_;
  Timer spacing_;
  std::optional<ChildProcess> child_;
  std::chrono::milliseconds pause_;
  std::int64_t started_ns_ = 0;
  std::int64_t progress_ns_ = 0;  // when bytes last came

  // Where in the stream we are: in the header line, in a marker, in a picture.
  std::string header_line_;
  std::optional<Y4mHeader> header_;
  std::array<char, y4m_frame_marker.size()> marker_{};
  std::size_t marker_filled_ = 0;
  std::optional<Picture> picture_;
  std::size_t picture_filled_ = 0;
  std::int64_t captured_ns_ = 0;
  std::int64_t not_before_ns_ = 0;  // the next picture may be begun

  std::string errors_;  // the end of what ffmpeg wrote
  SourceState state_ = SourceState::starting;
  std::string note_;
};

}  // namespace petcam
