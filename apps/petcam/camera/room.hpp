// room.hpp: the synthetic room: a scene whose every frame, and what is in it, follows from the
// frame number and the seed.
//
// One round lasts 80 seconds and repeats:
//
//   0.5 s  the cat walks in from the left, sits by the bowl
//   14 s   it walks on and hides behind the sofa
//   21 s   the dog comes in from the right, stops in the middle of the room
//   25 s   the cat comes out from behind the sofa and leaves to the right
//   30 s   the noise of the picture is alive for six seconds, else it stands still
//   37 s   the dog leaves to the left; by 45 s the room is empty
//   50 s   three seconds of darker picture, as when a cloud passes
//   53 s   nothing moves until the round is over
//
// The light in the window changes slowly during the first 45 seconds, the clock once a minute.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages.hpp"
#include "picture.hpp"
#include "sprite.hpp"

namespace petcam {

struct TruthList {
  std::array<Truth, std::size(Frame{}.truth)> items{};
  std::uint32_t count = 0;
};

class Room {
 public:
  // Why a room cannot be drawn at this size; empty if it can.
  static std::optional<std::string> refusal(Geometry geometry);

  // Draws everything that never moves once, so that a frame is a copy and a few boxes.
  Room(Geometry geometry, double frames_per_s, std::uint32_t seed);

  Geometry geometry() const { return geometry_; }

  // Paints all of frame `number` and answers what is visible in it.
  TruthList paint(const Picture& picture, std::uint64_t number) const;

 private:
  // Where the furniture stands, in cells.
  struct Plan {
    std::int32_t columns, rows;
    std::int32_t horizon;  // the first row of the floor
    std::int32_t cat_feet, dog_feet;
    std::int32_t cat_stop, dog_stop;
    Box window, clock, sofa, bowl;
  };
  struct Moment {
    std::uint64_t tick;   // thirtieths of a second since frame 0
    std::uint64_t scene;  // the same within the round
  };

  static Plan plan(Geometry geometry, std::int32_t cell_pixels, std::uint32_t seed);
  Moment moment(std::uint64_t number) const;
  void draw_furniture(const Picture& picture) const;
  void paint_light(const Picture& picture, Moment moment) const;
  void paint_clock(const Picture& picture, Moment moment) const;
  std::optional<Pose> cat_pose(Moment moment) const;
  std::optional<Pose> dog_pose(Moment moment) const;
  void paint_animal(const Picture& picture, const std::optional<Pose>& pose, const char* label,
                    Rgb colour, Box cover, TruthList& truth) const;
  void fill_cells(const Picture& picture, Box cells, Rgb colour) const;
  Box stage() const { return {0, 0, plan_.columns, plan_.rows}; }

  Geometry geometry_;
  double ticks_per_frame_;
  std::int32_t cell_pixels_;
  Plan plan_;
  std::array<std::vector<std::byte>, 4> backgrounds_;  // the same picture with four noises
};

}  // namespace petcam
