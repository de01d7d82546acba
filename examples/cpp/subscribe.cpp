// Prints every pose, sleeping in between. Publishers may come, die and return in the meantime.
#include <cinttypes>
#include <cstdio>

#include "pose.hpp"
#include "signalbox/topic.hpp"

int main() {
  auto poses = signalbox::Subscriber<Pose>::open("robot/pose", signalbox::Start::next);
  if (!poses) {
    std::fprintf(stderr, "%s\n", poses.error().text.c_str());
    return 1;
  }
  while (poses->wait(signalbox::Deadline::never())) {
    while (auto pose = poses->take()) {
      std::printf("%.16s says: pose %" PRIu64 " at x = %g\n", pose->label, pose->seq, pose->xyz[0]);
      std::fflush(stdout);
    }
  }
}
