#include "video_source.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <utility>

#include "clocks.hpp"

namespace petcam {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kPauseFirst = 500ms;
constexpr std::chrono::milliseconds kPauseMax = 10s;
// A child that lived this long was well, and its end is no reason for a longer pause.
constexpr std::chrono::nanoseconds kWellAfter = 5s;
constexpr std::chrono::nanoseconds kStallFile = 10s;
// Cameras on radio links do fall silent for seconds without being gone.
constexpr std::chrono::nanoseconds kStallLive = 20s;
// The least distance of two pictures of a file, as a part of their usual distance. ffmpeg hurries
// after it was held up, and where a clip begins anew; spreading that keeps readers from dropping
// pictures, and the rest catches up.
constexpr double kSpacingMin = 0.85;
constexpr double kFramesPerSecondMax = 240;  // a file that says more has no rate of its own
constexpr std::size_t kHeaderBytesMax = 512;
constexpr std::size_t kErrorBytesMax = 4096;
constexpr std::size_t kNameLengthMax = 40;

constexpr std::array<std::string_view, 7> kLiveSchemes{"rtsp://", "rtsps://", "rtmp://", "rtp://",
                                                       "udp://",  "tcp://",   "srt://"};

bool is_live(std::string_view video) {
  return std::ranges::any_of(kLiveSchemes, [&](auto scheme) { return video.starts_with(scheme); });
}

bool is_url(std::string_view video) { return video.find("://") != std::string_view::npos; }

// What people call it: a long path would leave no room for what is wrong.
std::string short_name(const std::string& video) {
  if (is_url(video)) {
    // Network cameras take the password in the address; it is nobody else's business.
    const std::size_t host = video.find("://") + 3;
    const std::size_t at = video.find('@', host);
    return at == std::string::npos ? video : video.substr(0, host) + video.substr(at + 1);
  }
  return video.size() <= kNameLengthMax ? video : std::filesystem::path(video).filename().string();
}

std::string_view last_line(std::string_view text) {
  const std::size_t end = text.find_last_not_of("\r\n ");
  if (end == std::string_view::npos) return {};
  text = text.substr(0, end + 1);
  const std::size_t newline = text.rfind('\n');
  return newline == std::string_view::npos ? text : text.substr(newline + 1);
}

}  // namespace

std::vector<std::string> ffmpeg_command(const std::string& video) {
  std::vector<std::string> command{"ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error"};
  if (!is_live(video)) {
    command.insert(command.end(), {"-re", "-stream_loop", "-1"});
  } else if (video.starts_with("rtsp")) {
    // Over UDP a lost packet is a smeared picture.
    command.insert(command.end(), {"-rtsp_transport", "tcp"});
  }
  // "file:" keeps a colon in a file's name from being read as a protocol, "V" leaves out cover art,
  // and passthrough hands on every picture once instead of making up a constant rate.
  command.insert(
      command.end(),
      {"-i", is_url(video) ? video : "file:" + video, "-map", "0:V:0", "-vf",
       "scale=trunc(iw/2)*2:trunc(ih/2)*2:out_color_matrix=bt601:out_range=tv,"
       "format=yuv420p",
       "-fps_mode", "passthrough", "-flush_packets", "1", "-f", "yuv4mpegpipe", "pipe:1"});
  return command;
}

VideoSource::VideoSource(std::string video)
    : video_(std::move(video)), live_(is_live(video_)), pause_(kPauseFirst) {
  poller_.add(restart_.descriptor(), kRestart);
  poller_.add(spacing_.descriptor(), kSpacing);
  restart_.start_once(0ns);
}

void VideoSource::advance(PictureOutlet& outlet) {
  for (const std::uint64_t key : poller_.look()) {
    if (key == kRestart && restart_.fired() != 0) start_child();
    // What ffmpeg has to say is read first: its output ends together with its reason.
    if (child_) read_errors();
    if (key == kSpacing && spacing_.fired() != 0 && child_) poller_.add(child_->output(), kOutput);
    if (key == kOutput && child_) read_output(outlet);
  }
}

void VideoSource::start_child() {
  header_line_.clear();
  header_.reset();
  marker_filled_ = 0;
  picture_.reset();
  errors_.clear();
  started_ns_ = progress_ns_ = monotonic_ns();
  auto child = ChildProcess::start(ffmpeg_command(video_));
  if (!child) {
    fail(fmt::format("ffmpeg does not start ({})", child.error()),
         "install it: apt-get install ffmpeg");
    return;
  }
  child_.emplace(std::move(*child));
  poller_.add(child_->output(), kOutput);
  poller_.add(child_->errors(), kErrors);
}

// True while there is more to read; a picture is the most that is read in one go, because signals
// and statistics want their turn too.
void VideoSource::read_output(PictureOutlet& outlet) {
  bool more = true;
  while (more && child_) {
    if (!header_) {
      more = read_header();
    } else if (!picture_) {
      more = read_marker(outlet);
    } else {
      more = read_planes(outlet);
    }
  }
}

// Reads what is there; true once `bytes` have come. At the end of the output there is no child any
// more.
bool VideoSource::read_some(void* to, std::size_t bytes, std::size_t& filled) {
  while (filled < bytes) {
    const ssize_t count = read(child_->output(), static_cast<char*>(to) + filled, bytes - filled);
    if (count > 0) {
      filled += static_cast<std::size_t>(count);
      progress_ns_ = monotonic_ns();
      continue;
    }
    if (count == 0) fail_at_end_of_output();
    return false;
  }
  return true;
}

bool VideoSource::read_header() {
  char letter = 0;
  std::size_t filled = 0;
  if (!read_some(&letter, 1, filled)) return false;
  if (letter != '\n' && header_line_.size() < kHeaderBytesMax) {
    header_line_ += letter;
    return true;
  }
  const auto header = parse_y4m_header(header_line_);
  if (!header) {
    fail(fmt::format("what ffmpeg sends cannot be used: {}", header.error()),
         "check the installed version of ffmpeg");
    return false;
  }
  header_ = *header;
  spdlog::info("{}: {} x {}, {:.2f} pictures a second", short_name(video_), header_->geometry.width,
               header_->geometry.height, header_->frames_per_s);
  return true;
}

bool VideoSource::read_marker(PictureOutlet& outlet) {
  if (!read_some(marker_.data(), marker_.size(), marker_filled_)) return false;
  if (comes_too_early()) return false;
  marker_filled_ = 0;
  if (std::string_view(marker_.data(), marker_.size()) != y4m_frame_marker) {
    fail("the pictures from ffmpeg are out of step", "a new ffmpeg is started");
    return false;
  }
  captured_ns_ = monotonic_ns();
  picture_ = outlet.begin(header_->geometry);
  picture_filled_ = 0;
  return true;
}

bool VideoSource::read_planes(PictureOutlet& outlet) {
  const std::span<std::uint8_t> bytes = picture_->bytes();
  if (!read_some(bytes.data(), bytes.size(), picture_filled_)) return false;
  picture_complete(outlet);
  return false;
}

// If so, its marker is kept and the pipe is left alone until the time has come.
bool VideoSource::comes_too_early() {
  const std::int64_t early_ns = not_before_ns_ - monotonic_ns();
  if (early_ns <= 0) return false;
  poller_.remove(child_->output());
  spacing_.start_once(std::chrono::nanoseconds(early_ns));
  return true;
}

void VideoSource::picture_complete(PictureOutlet& outlet) {
  picture_.reset();
  if (!live_ && header_->frames_per_s >= 1 && header_->frames_per_s <= kFramesPerSecondMax) {
    const double spacing_s = kSpacingMin / header_->frames_per_s;
    not_before_ns_ = captured_ns_ + static_cast<std::int64_t>(spacing_s * 1e9);
  }
  if (monotonic_ns() - started_ns_ > kWellAfter.count()) pause_ = kPauseFirst;
  state_ = SourceState::running;
  note_.clear();
  outlet.deliver({.captured_ns = captured_ns_, .truth = {}, .camera_jpeg = {}});
}

void VideoSource::read_errors() {
  std::array<char, 1024> chunk{};
  ssize_t count = 0;
  while ((count = read(child_->errors(), chunk.data(), chunk.size())) > 0) {
    errors_.append(chunk.data(), static_cast<std::size_t>(count));
  }
  // Its end alone means nothing; an ended pipe would be ready for ever, so it leaves the poller.
  if (count == 0) poller_.remove(child_->errors());
  if (errors_.size() > kErrorBytesMax) errors_.erase(0, errors_.size() - kErrorBytesMax);
}

void VideoSource::fail_at_end_of_output() {
  read_errors();
  std::string_view said = last_line(errors_);
  // ffmpeg repeats the name of its input, which note() begins with anyway.
  if (const std::size_t name = said.find(video_); name != std::string_view::npos) {
    said = said.substr(std::min(said.size(), name + video_.size()));
    said.remove_prefix(std::min(said.find_first_not_of(": "), said.size()));
  }
  if (said.empty()) {
    fail("the stream ended", "the camera or its network may be down");
  } else if (live_) {
    fail(fmt::format("ffmpeg said \"{}\"", said), "check the address and that the camera is on");
  } else {
    fail(fmt::format("ffmpeg said \"{}\"", said), "check the file");
  }
}

void VideoSource::fail(const std::string& found, const std::string& advice) {
  if (!errors_.empty()) spdlog::debug("ffmpeg on {}: {}", video_, errors_);
  // Closing the pipes takes them out of the poller.
  child_.reset();
  spacing_.stop();
  picture_.reset();
  state_ = SourceState::degraded;
  note_ = fmt::format("cannot read video {}: {}; {}", short_name(video_), found, advice);
  restart_.start_once(pause_);
  pause_ = std::min(2 * pause_, kPauseMax);
}

void VideoSource::check_stall(std::int64_t now_ns) {
  const std::chrono::nanoseconds limit = live_ ? kStallLive : kStallFile;
  if (!child_ || now_ns - progress_ns_ < limit.count()) return;
  const std::string_view said = last_line(errors_);
  fail(fmt::format("no picture came for {} s{}",
                   std::chrono::duration_cast<std::chrono::seconds>(limit).count(),
                   said.empty() ? "" : fmt::format(", ffmpeg said \"{}\"", said)),
       "a new ffmpeg is started");
}

}  // namespace petcam
