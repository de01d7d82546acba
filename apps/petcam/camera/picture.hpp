// picture.hpp: an I420 picture in memory that somebody else owns, and the colours painted into it.
//
// Every picture of petcam is BT.601 with the studio range (Y 16..235), because that is what video
// files, YUYV cameras and OpenCV's I420 conversion mean by I420. JPEG wants the full range; the
// encoder converts (jpeg.hpp), and only while somebody watches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace petcam {

// Width and height are even: a chroma sample covers two by two pixels.
struct Geometry {
  std::uint32_t width = 0;
  std::uint32_t height = 0;
  bool operator==(const Geometry&) const = default;
};

// The picture tail of petcam/frames has no padding: its stride is its width.
constexpr std::size_t i420_bytes(Geometry geometry) {
  return std::size_t{geometry.width} * geometry.height * 3 / 2;
}

struct Yuv {
  std::uint8_t y, u, v;
  bool operator==(const Yuv&) const = default;
};

struct Rgb {
  std::uint8_t r, g, b;
  bool operator==(const Rgb&) const = default;
};

// The rectangle [x, x + w) x [y, y + h) in pixels.
struct Box {
  std::int32_t x = 0, y = 0, w = 0, h = 0;
  bool empty() const { return w <= 0 || h <= 0; }
  bool operator==(const Box&) const = default;
};

// The part of `box` inside `limit`; empty() when they do not meet.
Box intersection(Box box, Box limit);

// Nearest studio-range BT.601 colour, and back as OpenCV's COLOR_YUV2RGB_I420 does it.
Yuv to_yuv(Rgb colour);
Rgb to_rgb(Yuv colour);

// A view of three planes; copying it copies no pixels.
class Picture {
 public:
  Picture() = default;
  // `bytes` holds at least i420_bytes(geometry) and outlives the view.
  Picture(std::span<std::byte> bytes, Geometry geometry);

  Geometry geometry() const { return geometry_; }
  std::uint8_t* y() const { return y_; }
  std::uint8_t* u() const { return y_ + luma_bytes(); }
  std::uint8_t* v() const { return y_ + luma_bytes() + luma_bytes() / 4; }
  std::uint32_t stride() const { return geometry_.width; }
  std::uint32_t chroma_stride() const { return geometry_.width / 2; }
  std::size_t luma_bytes() const { return std::size_t{geometry_.width} * geometry_.height; }
  std::span<std::uint8_t> bytes() const { return {y_, i420_bytes(geometry_)}; }
  Yuv at(std::uint32_t x, std::uint32_t y) const;

  // Paints the part of the box that is inside the picture. Corners are rounded down to even pixels.
  void fill(Box box, Yuv colour) const;

 private:
  std::uint8_t* y_ = nullptr;
  Geometry geometry_{};
};

}  // namespace petcam
