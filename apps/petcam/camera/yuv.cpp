// Built with -O3: these loops are written so that the compiler turns them into vector code, which
// is why they compute in 16 bits. The factors are in 128ths and exact to less than half a step.
#include "yuv.hpp"

#include <algorithm>

namespace petcam {
namespace {

using std::int16_t;
using std::uint8_t;

uint8_t luma_to_full(uint8_t luma) {
  const auto above_black = static_cast<int16_t>(std::clamp<int16_t>(luma, 16, 235) - 16);
  return static_cast<uint8_t>(static_cast<int16_t>(above_black * 149 + 64) >> 7);
}

uint8_t chroma_to_full(uint8_t chroma) {
  const auto centred = static_cast<int16_t>(std::clamp<int16_t>(chroma, 16, 240) - 128);
  const auto scaled = static_cast<int16_t>(static_cast<int16_t>(centred * 146 + 64) >> 7);
  return static_cast<uint8_t>(std::clamp<int16_t>(scaled, -128, 127) + 128);
}

uint8_t luma_to_studio(uint8_t luma) {
  return static_cast<uint8_t>((static_cast<int16_t>(luma * 110 + 64) >> 7) + 16);
}

uint8_t chroma_to_studio(uint8_t chroma) {
  const auto centred = static_cast<int16_t>(chroma - 128);
  return static_cast<uint8_t>((static_cast<int16_t>(centred * 112 + 64) >> 7) + 128);
}

template <uint8_t (*convert)(uint8_t)>
void convert_bytes(const uint8_t* from, uint8_t* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = convert(from[i]);
}

template <uint8_t (*luma)(uint8_t), uint8_t (*chroma)(uint8_t)>
void convert_picture(const Picture& from, const Picture& to) {
  convert_bytes<luma>(from.y(), to.y(), from.luma_bytes());
  // U and V lie behind each other.
  convert_bytes<chroma>(from.u(), to.u(), from.luma_bytes() / 2);
}

uint8_t mean(uint8_t a, uint8_t b) { return static_cast<uint8_t>((a + b + 1) >> 1); }

}  // namespace

void to_full_range(const Picture& studio, const Picture& full) {
  convert_picture<luma_to_full, chroma_to_full>(studio, full);
}

void to_studio_range(const Picture& full, const Picture& studio) {
  convert_picture<luma_to_studio, chroma_to_studio>(full, studio);
}

void yuyv_to_i420(std::span<const std::byte> yuyv, std::size_t row_bytes, const Picture& picture) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(yuyv.data());
  const auto [width, height] = picture.geometry();
  for (std::uint32_t row = 0; row < height; ++row) {
    const uint8_t* from = bytes + row * row_bytes;
    uint8_t* luma = picture.y() + std::size_t{row} * picture.stride();
    for (std::uint32_t x = 0; x < width; ++x) luma[x] = from[2 * x];
  }
  for (std::uint32_t row = 0; row < height / 2; ++row) {
    const uint8_t* upper = bytes + 2 * row * row_bytes;
    const uint8_t* lower = upper + row_bytes;
    uint8_t* u = picture.u() + std::size_t{row} * picture.chroma_stride();
    uint8_t* v = picture.v() + std::size_t{row} * picture.chroma_stride();
    for (std::uint32_t x = 0; x < width / 2; ++x) {
      u[x] = mean(upper[4 * x + 1], lower[4 * x + 1]);
      v[x] = mean(upper[4 * x + 3], lower[4 * x + 3]);
    }
  }
}

void shrink_chroma(const ChromaPlane& from, uint8_t* to, std::uint32_t width,
                   std::uint32_t height) {
  // The second sample of a direction that has only one is the first again.
  const std::size_t right = from.columns_per_sample - 1;
  const std::size_t below = (from.rows_per_sample - 1) * from.stride;
  for (std::uint32_t row = 0; row < height; ++row) {
    const uint8_t* samples = from.data + row * from.rows_per_sample * from.stride;
    for (std::uint32_t x = 0; x < width; ++x) {
      const uint8_t* first = samples + std::size_t{x} * from.columns_per_sample;
      const int sum = first[0] + first[right] + first[below] + first[below + right];
      to[std::size_t{row} * width + x] = static_cast<uint8_t>((sum + 2) >> 2);
    }
  }
}

}  // namespace petcam
