// sprite.hpp: the animals of the synthetic room, drawn in cells of a few pixels.
//
// A sprite touches all four sides of its box with its body colour, so the tight box of that colour
// in the picture is the ground truth, also when a part is hidden: what is measured is what is
// painted. Cells are squares of an even number of pixels, so each chroma sample has one colour.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "picture.hpp"

namespace petcam {

// Agreed with the detector's colour model; nothing else in the room comes near these.
inline constexpr Rgb cat_colour{230, 120, 30};
inline constexpr Rgb dog_colour{60, 90, 210};

struct Sprite {
  // Rows of cells from the top: '#' body, 'o' dark, 'w' white, '.' nothing. The lower ones, the
  // legs, change with each step.
  std::span<const std::string_view> upper, lower;

  std::int32_t columns() const { return static_cast<std::int32_t>(upper.front().size()); }
  std::int32_t height() const { return static_cast<std::int32_t>(upper.size() + lower.size()); }
  std::string_view row(std::int32_t index) const;
};

// All of them look to the right.
Sprite cat_sitting();
Sprite cat_walking(bool second_step);
Sprite dog_standing();
Sprite dog_walking(bool second_step);

struct Pose {
  Sprite sprite;
  std::int32_t x = 0, y = 0;  // of its top-left cell, in cells
  bool looks_left = false;
};

// Paints the cells of the pose that lie inside `stage` and outside `cover`, both in cells, and
// answers the tight box, in cells, of the body colour it painted.
Box paint_sprite(const Picture& picture, const Pose& pose, Yuv body, std::int32_t cell_pixels,
                 Box stage, Box cover);

}  // namespace petcam
