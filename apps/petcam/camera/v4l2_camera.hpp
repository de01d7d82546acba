// v4l2_camera.hpp: one opened camera that streams into buffers shared with its driver.
//
//   Threads  one thread at a time per object
//   Crash    the kernel stops the camera and takes the buffers back
//   Limits   single-planar capture with MJPEG or YUYV: what USB cameras offer
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "picture.hpp"
#include "v4l2_calls.hpp"

namespace petcam {

enum class CameraFormat { mjpeg, yuyv };

struct CameraWish {
  std::string device;
  Geometry geometry;
  double frames_per_s;
  std::optional<CameraFormat> format;  // empty: MJPEG if the camera has it, else YUYV
};

// A picture in a buffer of the driver. It must be handed back, or the camera runs out of buffers.
struct CameraShot {
  std::span<const std::byte> bytes;
  std::int64_t captured_ns;
  bool damaged;  // by the camera's own account
  std::uint32_t buffer;
};

class V4l2Camera {
 public:
  // Opens the camera, agrees on a format and starts it. The camera decides: geometry() may be other
  // than what was wished for. The error is a sentence with what to do. `calls` outlives the camera.
  static std::expected<V4l2Camera, std::string> open(const CameraWish& wish, V4l2Calls& calls);

  V4l2Camera(V4l2Camera&& other) noexcept;
  V4l2Camera& operator=(V4l2Camera&&) = delete;
  ~V4l2Camera();

  int descriptor() const { return descriptor_; }
  Geometry geometry() const { return geometry_; }
  CameraFormat format() const { return format_; }
  std::size_t row_bytes() const { return row_bytes_; }  // of YUYV
  double frames_per_s() const { return frames_per_s_; }

  // The next picture; empty when there is none yet. The error says that the camera is gone.
  std::expected<std::optional<CameraShot>, std::string> take();
  void give_back(const CameraShot& shot);

 private:
  struct Buffer {
    std::byte* bytes;
    std::size_t size;
  };
  V4l2Camera(std::string device, int descriptor, V4l2Calls& calls);
  std::expected<void, std::string> check_abilities();
  std::expected<void, std::string> agree_on_format(const CameraWish& wish);
  void agree_on_rate(double frames_per_s);
  std::expected<void, std::string> share_buffers();
  std::expected<void, std::string> start();
  std::optional<CameraFormat> best_format() const;
  int call(unsigned long request, void* argument) const;
  std::string refusal(const char* request) const;

  std::string device_;
  int descriptor_;
  V4l2Calls* calls_;
  Geometry geometry_{};
  CameraFormat format_ = CameraFormat::mjpeg;
  std::size_t row_bytes_ = 0;
  double frames_per_s_ = 0;
  std::vector<Buffer> buffers_;
};

// What the camera can do, a line each, for --list-formats. The error is a sentence.
std::expected<std::string, std::string> list_camera_formats(const std::string& device,
                                                            V4l2Calls& calls);

}  // namespace petcam
