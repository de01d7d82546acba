// yuv.hpp: conversions between the ways cameras and codecs lay out and scale YUV.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "picture.hpp"

namespace petcam {

// Between the studio range of our pictures (Y 16..235) and the full range of JPEG (0..255). Both
// pictures have the same geometry and may be the same picture.
void to_full_range(const Picture& studio, const Picture& full);
void to_studio_range(const Picture& full, const Picture& studio);

// YUYV, as most USB cameras send it: Y U Y V for two pixels, `row_bytes` from row to row. Chroma of
// two rows is averaged.
void yuyv_to_i420(std::span<const std::byte> yuyv, std::size_t row_bytes, const Picture& picture);

// A plane of chroma that is too large in one or both directions, averaged into the plane of I420.
struct ChromaPlane {
  const std::uint8_t* data;
  std::size_t stride;
  std::uint32_t columns_per_sample;  // of `data` for one sample of I420: 1 or 2
  std::uint32_t rows_per_sample;
};
void shrink_chroma(const ChromaPlane& from, std::uint8_t* to, std::uint32_t width,
                   std::uint32_t height);

}  // namespace petcam
