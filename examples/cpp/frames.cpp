// A large message is filled where it lies and read where it lies: nothing copies the picture.
#include <algorithm>
#include <cstdio>

#include "signalbox/topic.hpp"

struct Picture {
  static constexpr bool sbx_tail = true;  // the pixels follow the struct
  std::uint32_t width, height;
};
SBX_DESCRIBE(Picture, width, height);

int main() {
  constexpr std::uint32_t width = 1920, height = 1080;
  auto pictures = signalbox::Publisher<Picture>::open(
      "camera/pictures", {.depth = 4, .tail_bytes_max = width * height});
  auto viewer = signalbox::Subscriber<Picture>::open("camera/pictures");
  if (!pictures || !viewer) {
    std::fprintf(stderr, "%s\n", (!pictures ? pictures.error() : viewer.error()).text.c_str());
    return 1;
  }

  auto loan = pictures->loan(width * height);
  if (!loan) {
    std::fprintf(stderr, "%s\n", pictures->why().text.c_str());
    return 1;
  }
  loan->width = width;
  loan->height = height;
  std::ranges::fill(loan.tail(), std::byte{0x80});
  if (!pictures->publish(std::move(loan))) return 1;

  // The sample pins the picture: it stays as it is until the sample goes out of scope, however much
  // is published meanwhile.
  if (auto picture = viewer->take()) {
    const auto grey = std::ranges::count(picture.tail(), std::byte{0x80});
    std::printf("%u x %u, %td grey pixels\n", picture->width, picture->height, grey);
  }
}
