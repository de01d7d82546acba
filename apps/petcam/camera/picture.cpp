#include "picture.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace petcam {
namespace {

std::uint8_t to_byte(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
}

}  // namespace

Box intersection(Box box, Box limit) {
  const std::int32_t left = std::max(box.x, limit.x);
  const std::int32_t top = std::max(box.y, limit.y);
  const std::int32_t right = std::min(box.x + box.w, limit.x + limit.w);
  const std::int32_t bottom = std::min(box.y + box.h, limit.y + limit.h);
  if (right <= left || bottom <= top) return {};
  return {left, top, right - left, bottom - top};
}

Yuv to_yuv(Rgb colour) {
  const double r = colour.r;
  const double g = colour.g;
  const double b = colour.b;
  return {to_byte(16 + 0.256788 * r + 0.504129 * g + 0.097906 * b),
          to_byte(128 - 0.148223 * r - 0.290993 * g + 0.439216 * b),
          to_byte(128 + 0.439216 * r - 0.367788 * g - 0.071427 * b)};
}

Rgb to_rgb(Yuv colour) {
  const double y = 1.164383 * (colour.y - 16);
  const double u = colour.u - 128;
  const double v = colour.v - 128;
  return {to_byte(y + 1.596027 * v), to_byte(y - 0.391762 * u - 0.812968 * v),
          to_byte(y + 2.017232 * u)};
}

Picture::Picture(std::span<std::byte> bytes, Geometry geometry)
    : y_(reinterpret_cast<std::uint8_t*>(bytes.data())), geometry_(geometry) {}

Yuv Picture::at(std::uint32_t x, std::uint32_t y_row) const {
  const std::size_t chroma = std::size_t{y_row / 2} * chroma_stride() + x / 2;
  return {y_[std::size_t{y_row} * stride() + x], u()[chroma], v()[chroma]};
}

void Picture::fill(Box box, Yuv colour) const {
  const Box whole{0, 0, static_cast<std::int32_t>(geometry_.width),
                  static_cast<std::int32_t>(geometry_.height)};
  const Box seen = intersection(box, whole);
  if (seen.empty()) return;
  const auto left = static_cast<std::uint32_t>(seen.x) & ~1U;
  const auto top = static_cast<std::uint32_t>(seen.y) & ~1U;
  const auto right = static_cast<std::uint32_t>(seen.x + seen.w) & ~1U;
  const auto bottom = static_cast<std::uint32_t>(seen.y + seen.h) & ~1U;
  for (std::uint32_t row = top; row < bottom; ++row) {
    std::memset(y_ + std::size_t{row} * stride() + left, colour.y, right - left);
  }
  for (std::uint32_t row = top / 2; row < bottom / 2; ++row) {
    const std::size_t start = std::size_t{row} * chroma_stride() + left / 2;
    std::memset(u() + start, colour.u, (right - left) / 2);
    std::memset(v() + start, colour.v, (right - left) / 2);
  }
}

}  // namespace petcam
