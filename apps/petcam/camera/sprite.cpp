#include "sprite.hpp"

#include <algorithm>
#include <array>

namespace petcam {
namespace {

constexpr Yuv kDark{48, 127, 129};
constexpr Yuv kLight{222, 128, 128};

// clang-format off
constexpr std::array<std::string_view, 17> kCatTop{
  "..........................##.....##.",
  "####......................###...###.",
  "####......................#########.",
  ".####....................###########",
  "..###....................##ww###ww##",
  "..###....................##wo###wo##",
  "..####...................###########",
  "...###...................#####oo####",
  "...####..................####o##o###",
  "....############..####...##########.",
  "....#####oo####oo###oo############..",
  "....#####oo####oo###oo############..",
  "....#####oo####oo###oo###########...",
  "....#####oo####oo###oo###########...",
  "....############################....",
  "....############################....",
  ".....###########################....",
};
constexpr std::array<std::string_view, 5> kCatFirstStep{
  ".....##########......##########.....",
  ".....##########......##########.....",
  ".....####.#####......#####.####.....",
  "....#####.####........####.#####....",
  "....#####.#####.......#####.#####...",
};
constexpr std::array<std::string_view, 5> kCatSecondStep{
  ".......######..........######.......",
  "........#####..........#####........",
  "........#####..........#####........",
  "........#####..........#####........",
  "........######.........######.......",
};

constexpr std::array<std::string_view, 28> kCatSitting{
  "..............##.....##.",
  "..............###...###.",
  "..............#########.",
  ".............###########",
  ".............##ww###ww##",
  ".............##wo###wo##",
  ".............###########",
  ".............#####oo####",
  ".............####o##o###",
  "..............#########.",
  "............##########..",
  "..........############..",
  "........#############...",
  ".......##############...",
  "......####oo#########...",
  ".....#####oo#########...",
  ".....###oo###########...",
  ".....###oo###########...",
  ".....################...",
  ".....################...",
  ".....################...",
  "##...################...",
  "###..######..########...",
  "###..######..#######....",
  "####.######..#######....",
  ".##########..#######....",
  "..#########..########...",
  "...########..#########..",
};

constexpr std::array<std::string_view, 24> kDogTop{
  "..............................########......",
  "..............................##########....",
  "............................############....",
  "............................###ww#######....",
  "............................###wo#######....",
  "##..........................################",
  "##..........................################",
  "###.........................#############ooo",
  "###.......................oo#############ooo",
  ".###......................oo################",
  ".###......................oo###############.",
  "..###.....................oo########ooooo...",
  "..####....................oo##########......",
  "...####################...oo#########.......",
  "....#######################.########........",
  "....################################........",
  "....###############################.........",
  "....####wwww#######################.........",
  "....####wwww#######################.........",
  "....###############################.........",
  "....###############################.........",
  "....##############################..........",
  "....#############################...........",
  "....#############################...........",
};
constexpr std::array<std::string_view, 6> kDogFirstStep{
  "....###########......###########............",
  "....#####.#####......#####.#####............",
  "....#####.#####......#####.#####............",
  "....####..####........####..####............",
  "....####..####........####..####............",
  "....#####.#####.......#####.#####...........",
};
constexpr std::array<std::string_view, 6> kDogSecondStep{
  "......######............######..............",
  ".......#####............#####...............",
  ".......#####............#####...............",
  ".......#####............#####...............",
  ".......#####............#####...............",
  ".......######...........######..............",
};
// clang-format on

// Grows a box, in cells, by one cell.
void include_cell(Box& box, std::int32_t x, std::int32_t y) {
  if (box.empty()) {
    box = {x, y, 1, 1};
    return;
  }
  const std::int32_t right = std::max(box.x + box.w, x + 1);
  const std::int32_t bottom = std::max(box.y + box.h, y + 1);
  box.x = std::min(box.x, x);
  box.y = std::min(box.y, y);
  box.w = right - box.x;
  box.h = bottom - box.y;
}

bool contains(Box box, std::int32_t x, std::int32_t y) {
  return x >= box.x && x < box.x + box.w && y >= box.y && y < box.y + box.h;
}

Yuv cell_colour(char cell, Yuv body) {
  if (cell == 'o') return kDark;
  if (cell == 'w') return kLight;
  return body;
}

}  // namespace

std::string_view Sprite::row(std::int32_t index) const {
  const auto at = static_cast<std::size_t>(index);
  return at < upper.size() ? upper[at] : lower[at - upper.size()];
}

Sprite cat_sitting() { return {kCatSitting, {}}; }
Sprite cat_walking(bool second_step) {
  return {kCatTop, second_step ? kCatSecondStep : kCatFirstStep};
}
Sprite dog_standing() { return {kDogTop, kDogFirstStep}; }
Sprite dog_walking(bool second_step) {
  return {kDogTop, second_step ? kDogSecondStep : kDogFirstStep};
}

Box paint_sprite(const Picture& picture, const Pose& pose, Yuv body, std::int32_t cell_pixels,
                 Box stage, Box cover) {
  Box seen;
  const std::int32_t columns = pose.sprite.columns();
  for (std::int32_t row = 0; row < pose.sprite.height(); ++row) {
    const std::string_view cells = pose.sprite.row(row);
    for (std::int32_t column = 0; column < columns; ++column) {
      const std::int32_t from = pose.looks_left ? columns - 1 - column : column;
      const char cell = cells[static_cast<std::size_t>(from)];
      const std::int32_t x = pose.x + column;
      const std::int32_t y = pose.y + row;
      if (cell == '.' || !contains(stage, x, y) || contains(cover, x, y)) continue;
      picture.fill({x * cell_pixels, y * cell_pixels, cell_pixels, cell_pixels},
                   cell_colour(cell, body));
      if (cell == '#') include_cell(seen, x, y);
    }
  }
  return seen;
}

}  // namespace petcam
