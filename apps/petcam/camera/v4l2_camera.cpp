#include "v4l2_camera.hpp"

#include <fmt/format.h>
#include <linux/videodev2.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "clocks.hpp"

namespace petcam {
namespace {

// One being filled, one waiting for us, and two so that a late wake-up loses nothing.
constexpr std::uint32_t kBuffers = 4;

std::uint32_t fourcc(CameraFormat format) {
  return format == CameraFormat::mjpeg ? V4L2_PIX_FMT_MJPEG : V4L2_PIX_FMT_YUYV;
}

std::string cannot_open(const std::string& device, int error) {
  switch (error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
      return fmt::format("there is no camera at {}; plug it in, or see --list-formats for others",
                         device);
    case EACCES:
    case EPERM:
      return fmt::format("{} may not be opened; add the user to the group video", device);
    case EBUSY:
      return fmt::format("{} is used by another program; close that one", device);
    default:
      return fmt::format("{} does not open: {}", device, std::strerror(error));
  }
}

}  // namespace

V4l2Camera::V4l2Camera(std::string device, int descriptor, V4l2Calls& calls)
    : device_(std::move(device)), descriptor_(descriptor), calls_(&calls) {}

V4l2Camera::V4l2Camera(V4l2Camera&& other) noexcept
    : device_(std::move(other.device_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      calls_(other.calls_),
      geometry_(other.geometry_),
      format_(other.format_),
      row_bytes_(other.row_bytes_),
      frames_per_s_(other.frames_per_s_),
      buffers_(std::exchange(other.buffers_, {})) {}

V4l2Camera::~V4l2Camera() {
  if (descriptor_ < 0) return;
  int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  call(VIDIOC_STREAMOFF, &type);
  for (const Buffer& buffer : buffers_) calls_->unmap(buffer.bytes, buffer.size);
  calls_->close(descriptor_);
}

std::expected<V4l2Camera, std::string> V4l2Camera::open(const CameraWish& wish, V4l2Calls& calls) {
  const int descriptor = calls.open(wish.device.c_str());
  if (descriptor < 0) return std::unexpected(cannot_open(wish.device, errno));
  V4l2Camera camera(wish.device, descriptor, calls);
  auto ready = camera.check_abilities();
  if (ready) ready = camera.agree_on_format(wish);
  if (ready) camera.agree_on_rate(wish.frames_per_s);
  if (ready) ready = camera.share_buffers();
  if (ready) ready = camera.start();
  if (!ready) return std::unexpected(ready.error());
  return camera;
}

int V4l2Camera::call(unsigned long request, void* argument) const {
  return calls_->ioctl(descriptor_, request, argument);
}

std::string V4l2Camera::refusal(const char* request) const {
  if (errno == ENODEV) return fmt::format("camera unplugged: {}; plug it in again", device_);
  if (errno == EBUSY) return cannot_open(device_, EBUSY);
  return fmt::format("{} refused {}: {}; unplug it and plug it in again", device_, request,
                     std::strerror(errno));
}

std::expected<void, std::string> V4l2Camera::check_abilities() {
  v4l2_capability found{};
  if (call(VIDIOC_QUERYCAP, &found) != 0) {
    return std::unexpected(fmt::format("{} is not a camera; see --list-formats", device_));
  }
  const std::uint32_t abilities =
      (found.capabilities & V4L2_CAP_DEVICE_CAPS) != 0 ? found.device_caps : found.capabilities;
  if ((abilities & V4L2_CAP_VIDEO_CAPTURE) != 0 && (abilities & V4L2_CAP_STREAMING) != 0) return {};
  return std::unexpected(
      fmt::format("{} cannot stream pictures (a camera often has a second device that can); see "
                  "--list-formats",
                  device_));
}

std::optional<CameraFormat> V4l2Camera::best_format() const {
  std::optional<CameraFormat> best;
  v4l2_fmtdesc offered{};
  offered.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  for (; call(VIDIOC_ENUM_FMT, &offered) == 0; ++offered.index) {
    // MJPEG first: it is what lets USB carry a large picture 30 times a second, and it costs
    // viewers no encoding here.
    if (offered.pixelformat == V4L2_PIX_FMT_MJPEG) return CameraFormat::mjpeg;
    if (offered.pixelformat == V4L2_PIX_FMT_YUYV) best = CameraFormat::yuyv;
  }
  return best;
}

std::expected<void, std::string> V4l2Camera::agree_on_format(const CameraWish& wish) {
  const auto wanted = wish.format ? wish.format : best_format();
  if (!wanted) {
    return std::unexpected(
        fmt::format("{} offers neither MJPEG nor YUYV; see --list-formats", device_));
  }
  v4l2_format agreed{};
  agreed.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  agreed.fmt.pix.width = wish.geometry.width;
  agreed.fmt.pix.height = wish.geometry.height;
  agreed.fmt.pix.pixelformat = fourcc(*wanted);
  agreed.fmt.pix.field = V4L2_FIELD_ANY;
  if (call(VIDIOC_S_FMT, &agreed) != 0) return std::unexpected(refusal("VIDIOC_S_FMT"));
  // A driver answers a format it lacks with one it has.
  if (agreed.fmt.pix.pixelformat != fourcc(*wanted)) {
    return std::unexpected(fmt::format("{} has no {}; see --list-formats", device_,
                                       *wanted == CameraFormat::mjpeg ? "MJPEG" : "YUYV"));
  }
  geometry_ = {agreed.fmt.pix.width, agreed.fmt.pix.height};
  if (geometry_.width < 2 || geometry_.height < 2 || geometry_.width % 2 != 0 ||
      geometry_.height % 2 != 0) {
    return std::unexpected(
        fmt::format("{} offers {} x {} pictures, which cannot be used; choose "
                    "another size from --list-formats",
                    device_, geometry_.width, geometry_.height));
  }
  format_ = *wanted;
  row_bytes_ = std::max<std::size_t>(agreed.fmt.pix.bytesperline, std::size_t{geometry_.width} * 2);
  return {};
}

// A wish: what the camera makes of it is only told, because every rate can be used.
void V4l2Camera::agree_on_rate(double frames_per_s) {
  v4l2_streamparm rate{};
  rate.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  rate.parm.capture.timeperframe = {1000,
                                    static_cast<std::uint32_t>(std::lround(frames_per_s * 1000))};
  frames_per_s_ = frames_per_s;
  if (call(VIDIOC_S_PARM, &rate) != 0) return;
  const v4l2_fract period = rate.parm.capture.timeperframe;
  if (period.numerator != 0) {
    frames_per_s_ = static_cast<double>(period.denominator) / period.numerator;
  }
}

std::expected<void, std::string> V4l2Camera::share_buffers() {
  v4l2_requestbuffers request{};
  request.count = kBuffers;
  request.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  request.memory = V4L2_MEMORY_MMAP;
  if (call(VIDIOC_REQBUFS, &request) != 0) return std::unexpected(refusal("VIDIOC_REQBUFS"));
  for (std::uint32_t index = 0; index < request.count; ++index) {
    v4l2_buffer buffer{};
    buffer.index = index;
    buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    buffer.memory = V4L2_MEMORY_MMAP;
    if (call(VIDIOC_QUERYBUF, &buffer) != 0) return std::unexpected(refusal("VIDIOC_QUERYBUF"));
    void* address = calls_->map(descriptor_, buffer.length, buffer.m.offset);
    if (address == nullptr) return std::unexpected(refusal("mmap"));
    buffers_.push_back({static_cast<std::byte*>(address), buffer.length});
    if (call(VIDIOC_QBUF, &buffer) != 0) return std::unexpected(refusal("VIDIOC_QBUF"));
  }
  return {};
}

std::expected<void, std::string> V4l2Camera::start() {
  int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  if (call(VIDIOC_STREAMON, &type) != 0) return std::unexpected(refusal("VIDIOC_STREAMON"));
  return {};
}

std::expected<std::optional<CameraShot>, std::string> V4l2Camera::take() {
  v4l2_buffer buffer{};
  buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  buffer.memory = V4L2_MEMORY_MMAP;
  if (call(VIDIOC_DQBUF, &buffer) != 0) {
    if (errno == EAGAIN) return std::nullopt;
    return std::unexpected(refusal("VIDIOC_DQBUF"));
  }
  if (buffer.index >= buffers_.size()) {
    return std::unexpected(fmt::format("{} handed out a buffer it does not have", device_));
  }
  const Buffer& filled = buffers_[buffer.index];
  CameraShot shot{{filled.bytes, std::min<std::size_t>(buffer.bytesused, filled.size)},
                  monotonic_ns(),
                  (buffer.flags & V4L2_BUF_FLAG_ERROR) != 0,
                  buffer.index};
  if ((buffer.flags & V4L2_BUF_FLAG_TIMESTAMP_MASK) == V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC) {
    shot.captured_ns = std::int64_t{buffer.timestamp.tv_sec} * 1'000'000'000 +
                       std::int64_t{buffer.timestamp.tv_usec} * 1'000;
  }
  return shot;
}

void V4l2Camera::give_back(const CameraShot& shot) {
  v4l2_buffer buffer{};
  buffer.index = shot.buffer;
  buffer.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  buffer.memory = V4L2_MEMORY_MMAP;
  // A camera that is gone refuses; the next take() finds that out and says so.
  call(VIDIOC_QBUF, &buffer);
}

}  // namespace petcam
