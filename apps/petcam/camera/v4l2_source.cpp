#include "v4l2_source.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "clocks.hpp"
#include "yuv.hpp"

namespace petcam {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds kReopenPause = 1s;
// Long enough for the slowest exposure in the dark, and for a camera that starts up.
constexpr std::chrono::nanoseconds kStall = 5s;

}  // namespace

V4l2Source::V4l2Source(CameraWish wish, V4l2Calls& calls) : wish_(std::move(wish)), calls_(calls) {
  poller_.add(reopen_.descriptor(), kReopen);
  reopen_.start_once(0ns);
}

void V4l2Source::advance(PictureOutlet& outlet) {
  for (const std::uint64_t key : poller_.look()) {
    if (key == kReopen && reopen_.fired() != 0) open_camera();
    if (key == kShot && camera_) take_shot(outlet);
  }
}

void V4l2Source::open_camera() {
  auto camera = V4l2Camera::open(wish_, calls_);
  if (!camera) {
    fail(camera.error());
    return;
  }
  camera_.emplace(std::move(*camera));
  poller_.add(camera_->descriptor(), kShot);
  progress_ns_ = monotonic_ns();
  spdlog::info("{}: {} x {} {} at {:.3g} pictures a second", wish_.device,
               camera_->geometry().width, camera_->geometry().height,
               camera_->format() == CameraFormat::mjpeg ? "MJPEG" : "YUYV",
               camera_->frames_per_s());
}

void V4l2Source::close_camera() {
  if (!camera_) return;
  poller_.remove(camera_->descriptor());
  camera_.reset();
}

void V4l2Source::take_shot(PictureOutlet& outlet) {
  const auto taken = camera_->take();
  if (!taken) {
    fail(taken.error());
    return;
  }
  if (!taken->has_value()) return;
  const CameraShot& shot = **taken;
  const Picture picture = outlet.begin(camera_->geometry());
  const std::uint64_t before_ns = thread_cpu_ns();
  const auto developed = develop(shot, picture);
  work_cpu_ns_ += thread_cpu_ns() - before_ns;
  if (developed) {
    progress_ns_ = monotonic_ns();
    state_ = SourceState::running;
    note_.clear();
    const bool is_jpeg = camera_->format() == CameraFormat::mjpeg;
    outlet.deliver({.captured_ns = shot.captured_ns,
                    .truth = {},
                    .camera_jpeg = is_jpeg ? shot.bytes : std::span<const std::byte>{}});
  } else {
    // One bad picture is normal on a worn cable; check_stall() tells when no good one comes.
    ++lost_;
    last_fault_ = developed.error();
    spdlog::debug("{}: a picture was dropped: {}", wish_.device, last_fault_);
  }
  camera_->give_back(shot);
}

std::expected<void, std::string> V4l2Source::develop(const CameraShot& shot,
                                                     const Picture& picture) {
  if (shot.damaged) return std::unexpected("the camera marked it as damaged");
  if (camera_->format() == CameraFormat::mjpeg) return decoder_.decode(shot.bytes, picture);
  const Geometry geometry = picture.geometry();
  // The last row may lack its padding.
  const std::size_t needed =
      camera_->row_bytes() * (geometry.height - 1) + std::size_t{geometry.width} * 2;
  if (shot.bytes.size() < needed) {
    return std::unexpected(fmt::format("it has {} bytes instead of {}", shot.bytes.size(), needed));
  }
  yuyv_to_i420(shot.bytes, camera_->row_bytes(), picture);
  return {};
}

void V4l2Source::check_stall(std::int64_t now_ns) {
  if (!camera_ || now_ns - progress_ns_ < kStall.count()) return;
  fail(fmt::format("no usable picture came from {} for {} s{}; check its cable", wish_.device,
                   std::chrono::duration_cast<std::chrono::seconds>(kStall).count(),
                   last_fault_.empty() ? "" : " (" + last_fault_ + ")"));
}

void V4l2Source::fail(std::string note) {
  close_camera();
  state_ = SourceState::degraded;
  note_ = std::move(note);
  reopen_.start_once(kReopenPause);
}

}  // namespace petcam
