// What --list-formats prints: the part of a camera's answers that people choose from.
#include <fmt/format.h>
#include <linux/videodev2.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "v4l2_camera.hpp"

namespace petcam {
namespace {

// Texts in the kernel's structs end at a zero or at their full length.
template <std::size_t N>
std::string_view text(const std::uint8_t (&field)[N]) {
  const auto* start = reinterpret_cast<const char*>(field);
  return {start, strnlen(start, N)};
}

std::string_view usable(std::uint32_t pixel_format) {
  if (pixel_format == V4L2_PIX_FMT_MJPEG) return "  (format: mjpeg)";
  if (pixel_format == V4L2_PIX_FMT_YUYV) return "  (format: yuyv)";
  return "  (not used by petcam)";
}

struct Device {
  V4l2Calls& calls;
  int descriptor;
  int call(unsigned long request, void* argument) const {
    return calls.ioctl(descriptor, request, argument);
  }
};

std::string rates(const Device& device, std::uint32_t pixel_format, std::uint32_t width,
                  std::uint32_t height) {
  std::string line;
  v4l2_frmivalenum rate{};
  rate.pixel_format = pixel_format;
  rate.width = width;
  rate.height = height;
  for (; device.call(VIDIOC_ENUM_FRAMEINTERVALS, &rate) == 0; ++rate.index) {
    if (rate.type != V4L2_FRMIVAL_TYPE_DISCRETE) return " any rate";
    line += fmt::format(" {:.3g}",
                        static_cast<double>(rate.discrete.denominator) / rate.discrete.numerator);
  }
  return line.empty() ? "" : line + " fps";
}

std::string sizes(const Device& device, std::uint32_t pixel_format) {
  std::string lines;
  v4l2_frmsizeenum size{};
  size.pixel_format = pixel_format;
  for (; device.call(VIDIOC_ENUM_FRAMESIZES, &size) == 0; ++size.index) {
    if (size.type != V4L2_FRMSIZE_TYPE_DISCRETE) {
      const auto& range = size.stepwise;
      return fmt::format("    {} x {} to {} x {}\n", range.min_width, range.min_height,
                         range.max_width, range.max_height);
    }
    lines += fmt::format("    {} x {}:{}\n", size.discrete.width, size.discrete.height,
                         rates(device, pixel_format, size.discrete.width, size.discrete.height));
  }
  return lines;
}

}  // namespace

std::expected<std::string, std::string> list_camera_formats(const std::string& path,
                                                            V4l2Calls& calls) {
  const Device device{calls, calls.open(path.c_str())};
  if (device.descriptor < 0) {
    return std::unexpected(fmt::format("{} does not open: {}", path, std::strerror(errno)));
  }
  v4l2_capability found{};
  if (device.call(VIDIOC_QUERYCAP, &found) != 0) {
    calls.close(device.descriptor);
    return std::unexpected(fmt::format("{} is not a video device", path));
  }
  std::string lines = fmt::format("{}: {} ({})\n", path, text(found.card), text(found.driver));
  v4l2_fmtdesc format{};
  format.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
  for (; device.call(VIDIOC_ENUM_FMT, &format) == 0; ++format.index) {
    lines += fmt::format("  {}{}\n{}", text(format.description), usable(format.pixelformat),
                         sizes(device, format.pixelformat));
  }
  if (format.index == 0) lines += "  no pictures from this one\n";
  calls.close(device.descriptor);
  return lines;
}

}  // namespace petcam
