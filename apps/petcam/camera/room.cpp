#include "room.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "strip.hpp"

namespace petcam {
namespace {

constexpr double kTicksPerSecond = 30;
constexpr std::uint64_t kRoundTicks = 80 * 30;
constexpr std::uint64_t kClockTicks = 60 * 30;

// The script, in ticks of the round.
constexpr std::uint64_t kCatEnters = 15;
constexpr std::uint64_t kCatWalksOn = 420;
constexpr std::uint64_t kCatLeaves = 760;
constexpr std::uint64_t kDogEnters = 640;
constexpr std::uint64_t kDogLeaves = 1100;
constexpr std::uint64_t kNoiseFrom = 900, kNoiseUntil = 1080;
constexpr std::uint64_t kLightUntil = 1350;
constexpr std::uint64_t kDarkFrom = 1500, kDarkUntil = 1590;

constexpr int kDarkening = 18;
constexpr int kNoiseAmplitude = 2;
constexpr std::uint64_t kStepTicks = 6;

constexpr std::int32_t kCatColumns = 36;
constexpr std::int32_t kDogColumns = 44;
constexpr std::uint32_t kWidthMin = 480;
constexpr std::uint32_t kHeightMin = 270;

// Everything is pale or grey: the animals' colours must not be met by chance.
constexpr Rgb kWall{216, 212, 202};
constexpr Rgb kSkirting{180, 172, 160};
constexpr Rgb kFloor{196, 184, 166};
constexpr Rgb kPlank{186, 174, 157};
constexpr Rgb kFrame{242, 240, 236};
constexpr Rgb kSky{196, 212, 216};
constexpr Rgb kSofa{104, 124, 104};
constexpr Rgb kCushion{120, 142, 120};
constexpr Rgb kSofaDark{82, 98, 82};
constexpr Rgb kBowl{206, 160, 176};
constexpr Rgb kBowlRim{226, 190, 202};
constexpr Rgb kFood{120, 96, 78};
constexpr Rgb kClockFace{46, 50, 48};
constexpr Rgb kDigit{190, 236, 196};

// Digits of three by five cells, a row in three bits, the top row first.
constexpr std::array<std::array<std::uint8_t, 5>, 10> kDigits{{{7, 5, 5, 5, 7},
                                                               {2, 6, 2, 2, 7},
                                                               {7, 1, 7, 4, 7},
                                                               {7, 1, 7, 1, 7},
                                                               {5, 5, 7, 1, 1},
                                                               {7, 4, 7, 1, 7},
                                                               {7, 4, 7, 5, 7},
                                                               {7, 1, 1, 1, 1},
                                                               {7, 5, 7, 5, 7},
                                                               {7, 5, 7, 1, 7}}};

std::uint32_t next_random(std::uint32_t& state) {
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return state;
}

// Never 0, from which the generator would not move.
std::uint32_t random_state(std::uint32_t seed) { return (seed * 2654435761U) | 1U; }

void add_noise(const Picture& picture, std::uint32_t seed) {
  std::uint32_t state = random_state(seed);
  for (std::uint8_t& luma : std::span(picture.y(), picture.luma_bytes())) {
    const auto step = static_cast<int>(next_random(state) >> 8U) % (2 * kNoiseAmplitude + 1);
    luma = static_cast<std::uint8_t>(luma + step - kNoiseAmplitude);
  }
}

// The furniture's luma is far from 0, so this cannot wrap.
void darken(const Picture& picture) {
  for (std::uint8_t& luma : std::span(picture.y(), picture.luma_bytes())) {
    luma = static_cast<std::uint8_t>(luma - kDarkening);
  }
}

std::int32_t cells(std::uint64_t ticks) { return static_cast<std::int32_t>(ticks); }

Truth truth_of(const char* label, Box box) {
  Truth truth{};
  std::strncpy(truth.label, label, sizeof(truth.label) - 1);
  truth.x = static_cast<float>(box.x);
  truth.y = static_cast<float>(box.y);
  truth.w = static_cast<float>(box.w);
  truth.h = static_cast<float>(box.h);
  return truth;
}

}  // namespace

std::optional<std::string> Room::refusal(Geometry geometry) {
  if (geometry.width >= kWidthMin && geometry.height >= kHeightMin && geometry.width % 2 == 0 &&
      geometry.height % 2 == 0) {
    return std::nullopt;
  }
  return "the synthetic room needs an even size of at least " + std::to_string(kWidthMin) + " x " +
         std::to_string(kHeightMin) + " pixels, not " + std::to_string(geometry.width) + " x " +
         std::to_string(geometry.height);
}

Room::Room(Geometry geometry, double frames_per_s, std::uint32_t seed)
    : geometry_(geometry),
      ticks_per_frame_(kTicksPerSecond / frames_per_s),
      cell_pixels_(std::max(2, static_cast<std::int32_t>(geometry.width / 320 / 2 * 2))),
      plan_(plan(geometry, cell_pixels_, seed)) {
  std::uint32_t noise = seed;
  for (std::vector<std::byte>& background : backgrounds_) {
    background.resize(i420_bytes(geometry));
    const Picture picture(background, geometry);
    draw_furniture(picture);
    add_noise(picture, noise++);
  }
}

Room::Plan Room::plan(Geometry geometry, std::int32_t cell_pixels, std::uint32_t seed) {
  Plan plan{};
  plan.columns = static_cast<std::int32_t>(geometry.width) / cell_pixels;
  plan.rows = static_cast<std::int32_t>(geometry.height) / cell_pixels;
  plan.horizon = plan.rows * 5 / 9;
  plan.cat_feet = plan.rows - 48;
  plan.dog_feet = plan.rows - 12;
  std::uint32_t state = random_state(seed);
  plan.cat_stop = plan.columns / 4 + static_cast<std::int32_t>(next_random(state) % 9) - 4;
  plan.dog_stop = plan.columns * 15 / 32 + static_cast<std::int32_t>(next_random(state) % 9) - 4;
  plan.window = {plan.columns / 10, 14, 60, 40};
  plan.clock = {plan.columns * 15 / 32, 20, 23, 11};
  plan.sofa = {plan.columns - 130, plan.cat_feet - 44, 80, 52};
  plan.bowl = {plan.cat_stop + 40, plan.cat_feet - 6, 16, 6};
  return plan;
}

Room::Moment Room::moment(std::uint64_t number) const {
  const auto tick = static_cast<std::uint64_t>(static_cast<double>(number) * ticks_per_frame_);
  return {tick, tick % kRoundTicks};
}

void Room::fill_cells(const Picture& picture, Box box, Rgb colour) const {
  picture.fill(
      {box.x * cell_pixels_, box.y * cell_pixels_, box.w * cell_pixels_, box.h * cell_pixels_},
      to_yuv(colour));
}

void Room::draw_furniture(const Picture& picture) const {
  const Box sofa = plan_.sofa;
  const Box bowl = plan_.bowl;
  const std::int32_t horizon = plan_.horizon;
  const auto width = static_cast<std::int32_t>(geometry_.width);
  picture.fill({0, 0, width, static_cast<std::int32_t>(geometry_.height)}, to_yuv(kFloor));
  for (std::int32_t row = horizon + 10; row < plan_.rows; row += 12) {
    picture.fill({0, row * cell_pixels_, width, cell_pixels_}, to_yuv(kPlank));
  }
  picture.fill({0, 0, width, horizon * cell_pixels_}, to_yuv(kWall));
  picture.fill({0, (horizon - 3) * cell_pixels_, width, 3 * cell_pixels_}, to_yuv(kSkirting));

  fill_cells(picture, plan_.window, kFrame);
  fill_cells(picture, plan_.clock, kClockFace);

  fill_cells(picture, sofa, kSofa);
  fill_cells(picture, {sofa.x + 8, sofa.y + 6, 31, 18}, kCushion);
  fill_cells(picture, {sofa.x + 41, sofa.y + 6, 31, 18}, kCushion);
  fill_cells(picture, {sofa.x + 8, sofa.y + 26, 64, 1}, kSofaDark);
  fill_cells(picture, {sofa.x, sofa.y + 48, 80, 4}, kSofaDark);

  fill_cells(picture, bowl, kBowl);
  fill_cells(picture, {bowl.x, bowl.y, bowl.w, 1}, kBowlRim);
  fill_cells(picture, {bowl.x + 3, bowl.y, bowl.w - 6, 1}, kFood);
}

TruthList Room::paint(const Picture& picture, std::uint64_t number) const {
  const Moment now = moment(number);
  const bool noise_lives = now.scene >= kNoiseFrom && now.scene < kNoiseUntil;
  const std::vector<std::byte>& background =
      backgrounds_[noise_lives ? number % backgrounds_.size() : 0];
  std::memcpy(picture.y(), background.data(), background.size());
  if (now.scene >= kDarkFrom && now.scene < kDarkUntil) darken(picture);
  paint_light(picture, now);
  paint_clock(picture, now);

  TruthList truth;
  paint_animal(picture, cat_pose(now), "cat", cat_colour, plan_.sofa, truth);
  paint_animal(picture, dog_pose(now), "dog", dog_colour, {}, truth);
  paint_strips(picture, number);
  return truth;
}

void Room::paint_light(const Picture& picture, Moment now) const {
  constexpr double half = kLightUntil / 2.0;
  const double at = std::min<double>(static_cast<double>(now.scene), kLightUntil);
  const auto light = static_cast<int>(20 * (1 - std::abs(at - half) / half));
  Yuv sky = to_yuv(kSky);
  sky.y = static_cast<std::uint8_t>(sky.y + light);
  const Box window = plan_.window;
  const Box pane{window.x + 2, window.y + 2, (window.w - 6) / 2, window.h - 4};
  for (const std::int32_t x : {pane.x, window.x + window.w - 2 - pane.w}) {
    picture.fill(
        {x * cell_pixels_, pane.y * cell_pixels_, pane.w * cell_pixels_, pane.h * cell_pixels_},
        sky);
  }
}

void Room::paint_clock(const Picture& picture, Moment now) const {
  const std::uint64_t minutes = now.tick / kClockTicks;
  const std::uint64_t hour = (12 + minutes / 60) % 24;
  const std::array<std::uint64_t, 4> digits{hour / 10, hour % 10, minutes % 60 / 10, minutes % 10};
  std::int32_t x = plan_.clock.x + 3;
  const std::int32_t y = plan_.clock.y + 3;
  for (std::size_t place = 0; place < digits.size(); ++place) {
    for (std::int32_t row = 0; row < 5; ++row) {
      const unsigned bits = kDigits[digits[place]][static_cast<std::size_t>(row)];
      for (std::int32_t column = 0; column < 3; ++column) {
        if ((bits >> (2 - column) & 1U) != 0)
          fill_cells(picture, {x + column, y + row, 1, 1}, kDigit);
      }
    }
    x += place == 1 ? 6 : 4;
  }
  fill_cells(picture, {plan_.clock.x + 11, y + 1, 1, 1}, kDigit);
  fill_cells(picture, {plan_.clock.x + 11, y + 3, 1, 1}, kDigit);
}

std::optional<Pose> Room::cat_pose(Moment now) const {
  const bool second_step = now.tick / kStepTicks % 2 == 1;
  const std::int32_t hidden = plan_.sofa.x + (plan_.sofa.w - kCatColumns) / 2;
  if (now.scene < kCatEnters) return std::nullopt;
  std::int32_t x = plan_.cat_stop;
  if (now.scene < kCatWalksOn) {
    x = -kCatColumns + cells(now.scene - kCatEnters);
    if (x >= plan_.cat_stop) {
      const Sprite sitting = cat_sitting();
      return Pose{sitting, plan_.cat_stop + 8, plan_.cat_feet - sitting.height()};
    }
  } else if (now.scene < kCatLeaves) {
    x = std::min(hidden, plan_.cat_stop + cells(now.scene - kCatWalksOn));
  } else {
    x = hidden + cells(now.scene - kCatLeaves);
  }
  const Sprite walking = cat_walking(second_step);
  return Pose{walking, x, plan_.cat_feet - walking.height()};
}

std::optional<Pose> Room::dog_pose(Moment now) const {
  if (now.scene < kDogEnters) return std::nullopt;
  Sprite sprite = dog_walking(now.tick / kStepTicks % 2 == 1);
  std::int32_t x = plan_.columns - cells(now.scene - kDogEnters);
  if (now.scene >= kDogLeaves) {
    x = plan_.dog_stop - cells(now.scene - kDogLeaves);
  } else if (x <= plan_.dog_stop) {
    x = plan_.dog_stop;
    sprite = dog_standing();
  }
  return Pose{sprite, x, plan_.dog_feet - sprite.height(), true};
}

void Room::paint_animal(const Picture& picture, const std::optional<Pose>& pose, const char* label,
                        Rgb colour, Box cover, TruthList& truth) const {
  if (!pose) return;
  const Box seen = paint_sprite(picture, *pose, to_yuv(colour), cell_pixels_, stage(), cover);
  if (seen.empty()) return;
  truth.items[truth.count++] = truth_of(label, {seen.x * cell_pixels_, seen.y * cell_pixels_,
                                                seen.w * cell_pixels_, seen.h * cell_pixels_});
}

}  // namespace petcam
