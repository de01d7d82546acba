#include "strip.hpp"

namespace petcam {
namespace {

constexpr Yuv kBlack{16, 128, 128};
constexpr Yuv kWhite{235, 128, 128};
constexpr std::uint64_t kFirstSync = 0b1010;
constexpr std::uint64_t kLastSync = 0b0101;

std::uint8_t crc8(std::uint32_t number) {
  std::uint8_t crc = 0xff;
  for (int shift = 24; shift >= 0; shift -= 8) {
    crc = static_cast<std::uint8_t>(crc ^ (number >> shift));
    for (int bit = 0; bit < 8; ++bit) {
      crc = static_cast<std::uint8_t>((crc << 1) ^ ((crc & 0x80) != 0 ? 0x07 : 0));
    }
  }
  return crc;
}

// The 48 blocks as one word, the leftmost in bit 47.
std::uint64_t strip_word(std::uint32_t number) {
  return kFirstSync << 44 | std::uint64_t{number} << 12 | std::uint64_t{crc8(number)} << 4 |
         kLastSync;
}

bool block_is_white(const Picture& picture, std::int32_t x, std::int32_t y) {
  // The four pixels in the middle: ringing of a lossy codec sits at the edges.
  const auto column = static_cast<std::uint32_t>(x) + strip_block_pixels / 2;
  const auto row = static_cast<std::uint32_t>(y) + strip_block_pixels / 2;
  const int sum = picture.at(column, row).y + picture.at(column - 1, row).y +
                  picture.at(column, row - 1).y + picture.at(column - 1, row - 1).y;
  return sum > 4 * (kBlack.y + kWhite.y) / 2;
}

void paint(const Picture& picture, Box strip, std::uint64_t word) {
  const auto side = static_cast<std::int32_t>(strip_block_pixels);
  picture.fill(strip, kBlack);
  for (std::uint32_t block = 0; block < strip_blocks; ++block) {
    if ((word >> (strip_blocks - 1 - block) & 1) == 0) continue;
    picture.fill({strip.x + static_cast<std::int32_t>(block) * side, strip.y, side, side}, kWhite);
  }
}

}  // namespace

Box first_strip(Geometry) {
  return {0, 0, static_cast<std::int32_t>(strip_width),
          static_cast<std::int32_t>(strip_block_pixels)};
}

Box last_strip(Geometry geometry) {
  const std::uint32_t x = (geometry.width - strip_width) / strip_block_pixels * strip_block_pixels;
  const std::uint32_t y = geometry.height / strip_block_pixels * strip_block_pixels;
  Box strip = first_strip(geometry);
  strip.x = static_cast<std::int32_t>(x);
  strip.y = static_cast<std::int32_t>(y - strip_block_pixels);
  return strip;
}

void paint_strips(const Picture& picture, std::uint64_t number) {
  const std::uint64_t word = strip_word(static_cast<std::uint32_t>(number));
  paint(picture, first_strip(picture.geometry()), word);
  paint(picture, last_strip(picture.geometry()), word);
}

std::optional<std::uint32_t> read_strip(const Picture& picture, Box strip) {
  std::uint64_t word = 0;
  for (std::uint32_t block = 0; block < strip_blocks; ++block) {
    const std::int32_t x = strip.x + static_cast<std::int32_t>(block * strip_block_pixels);
    word = word << 1 | (block_is_white(picture, x, strip.y) ? 1U : 0U);
  }
  const auto number = static_cast<std::uint32_t>(word >> 12);
  if (word != strip_word(number)) return std::nullopt;
  return number;
}

}  // namespace petcam
