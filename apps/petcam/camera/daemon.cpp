#include "daemon.hpp"

#include <spdlog/spdlog.h>

#include <chrono>
#include <csignal>
#include <utility>

#include "clocks.hpp"
#include "synthetic_source.hpp"
#include "v4l2_source.hpp"
#include "video_source.hpp"

namespace petcam {
namespace {

constexpr std::chrono::seconds kStatsPeriod{1};

// Whether the change of configuration needs another source.
bool same_source(const CameraConfig& a, const CameraConfig& b) {
  CameraConfig rest = a;
  rest.jpeg_quality = b.jpeg_quality;
  rest.log_level = b.log_level;
  rest.domain = b.domain;
  return rest == b;
}

std::optional<CameraFormat> camera_format(const std::string& word) {
  if (word == "mjpeg") return CameraFormat::mjpeg;
  if (word == "yuyv") return CameraFormat::yuyv;
  return std::nullopt;
}

}  // namespace

Daemon::Daemon(CameraConfig config, std::optional<std::string> path, ConfigOverrides overrides)
    : config_(std::move(config)),
      path_(std::move(path)),
      overrides_(std::move(overrides)),
      signals_{SIGTERM, SIGINT, SIGHUP},
      frames_(config_.domain, config_.jpeg_quality) {}

std::unique_ptr<Source> Daemon::make_source(const CameraConfig& config) {
  switch (config.source) {
    case SourceKind::video:
      return std::make_unique<VideoSource>(config.video);
    case SourceKind::v4l2:
      return std::make_unique<V4l2Source>(CameraWish{
          config.device, config.geometry, config.frames_per_s, camera_format(config.format)});
    case SourceKind::synthetic:
      break;
  }
  return std::make_unique<SyntheticSource>(config.geometry, config.frames_per_s, config.seed);
}

Outcome<void> Daemon::run() {
  auto stats = StatsPublisher::open(config_.domain);
  if (!stats) return std::unexpected(stats.error());
  stats_.emplace(std::move(*stats));
  publish_stats(DaemonState::starting);

  poller_.add(signals_.descriptor(), kSignal);
  poller_.add(second_.descriptor(), kSecond);
  second_.start(monotonic_ns() + std::chrono::nanoseconds(kStatsPeriod).count(), kStatsPeriod);
  replace_source();

  while (!stopping_ && !frames_.failure()) {
    for (const std::uint64_t key : poller_.wait()) {
      if (key == kSignal) handle_signals();
      if (key == kSecond) second_passed();
      // A reload may have replaced the source that was ready; its successor just finds nothing.
      if (key == kPicture && !stopping_) {
        ++stats_->stats().wakes_ready;
        source_->advance(frames_);
      }
    }
    follow_source_state();
  }
  publish_stats(DaemonState::stopping);
  if (frames_.failure()) return std::unexpected(*frames_.failure());
  return {};
}

void Daemon::replace_source() {
  if (source_) {
    poller_.remove(source_->descriptor());
    retired_work_cpu_ns_ += source_->work_cpu_ns();
    retired_lost_ += source_->lost_pictures();
    source_.reset();  // before its successor opens the same device
  }
  source_ = make_source(config_);
  frames_.start_generation(source_->kind());
  poller_.add(source_->descriptor(), kPicture);
}

void Daemon::handle_signals() {
  ++stats_->stats().wakes_interrupted;
  while (const auto signal = signals_.take()) {
    if (*signal == SIGHUP) {
      reload();
    } else {
      spdlog::info("stopping on {}", *signal == SIGINT ? "SIGINT" : "SIGTERM");
      stopping_ = true;
    }
  }
}

void Daemon::reload() {
  if (!path_) {
    spdlog::warn("SIGHUP: there is no configuration file to read again");
    return;
  }
  auto config = load_config(path_, overrides_);
  if (!config) {
    spdlog::error("{}; the old configuration stays in force", config.error().text);
    return;
  }
  spdlog::info("read {} again", *path_);
  apply(std::move(*config));
}

void Daemon::apply(CameraConfig config) {
  const CameraConfig old = std::exchange(config_, std::move(config));
  spdlog::set_level(spdlog::level::from_str(config_.log_level));
  if (config_.jpeg_quality != old.jpeg_quality) frames_.set_jpeg_quality(config_.jpeg_quality);
  if (config_.domain != old.domain) {
    spdlog::warn("common.domain takes effect when petcam-camera is started again");
  }
  if (!same_source(config_, old)) replace_source();
}

void Daemon::second_passed() {
  if (second_.fired() == 0) return;
  ++stats_->stats().wakes_timed_out;
  source_->check_stall(monotonic_ns());
  publish_stats(state_);
}

void Daemon::follow_source_state() {
  const auto state = static_cast<DaemonState>(source_->state());
  const std::string note = source_->note();
  if (state == state_ && note == note_) return;
  state_ = state;
  note_ = note;
  publish_stats(state_);
  if (state == DaemonState::degraded) {
    spdlog::error("{}", note);
  } else if (state == DaemonState::running) {
    spdlog::info("pictures are coming");
  }
}

void Daemon::publish_stats(DaemonState state) {
  const FrameCounters& frames = frames_.counters();
  Stats& stats = stats_->stats();
  stats.frames_in = frames.delivered;
  stats.frames_out = frames.published;
  stats.frames_dropped = frames.dropped + retired_lost_;
  stats.jpeg_encodes = frames.jpeg_encodes;
  stats.work_cpu_ns = frames.jpeg_cpu_ns + retired_work_cpu_ns_;
  if (source_) {
    stats.frames_dropped += source_->lost_pictures();
    stats.work_cpu_ns += source_->work_cpu_ns();
  }
  stats_->set_state(state, note_);
  stats_->publish();
}

}  // namespace petcam
