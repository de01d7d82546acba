// strip.hpp: the frame number painted into the picture, so that whoever decodes it can prove that
// the picture is whole and which one it is.
//
// A strip is one row of 48 blocks of 8 x 8 pixels, black for 0 and white for 1:
//
//   1010 | 32 bits of the number, most significant first | 8 bits of CRC | 0101
//
// The CRC has the polynomial x^8+x^2+x+1 and starts from 0xff, over the four bytes of the number,
// most significant first. Blocks lie on multiples of 8, the grid of JPEG, so lossy coding leaves
// each one flat. The number stands top-left and bottom-right: a torn picture carries two numbers.
#pragma once

#include <cstdint>
#include <optional>

#include "picture.hpp"

namespace petcam {

inline constexpr std::uint32_t strip_block_pixels = 8;
inline constexpr std::uint32_t strip_blocks = 48;
inline constexpr std::uint32_t strip_width = strip_block_pixels * strip_blocks;

// Where the two strips are; the picture must be at least strip_width wide.
Box first_strip(Geometry geometry);
Box last_strip(Geometry geometry);

// Paints the low 32 bits of the number into both strips.
void paint_strips(const Picture& picture, std::uint64_t number);

// Reads one strip; empty when its sync bits or its CRC are wrong.
std::optional<std::uint32_t> read_strip(const Picture& picture, Box strip);

}  // namespace petcam
