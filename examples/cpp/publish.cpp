// Publishes a pose ten times a second until Ctrl-C. Start subscribe.cpp, or its sibling in another
// language, before or after; kill either and start it again.
#include <chrono>
#include <cstdio>
#include <thread>

#include "pose.hpp"
#include "signalbox/topic.hpp"

int main() {
  auto poses = signalbox::Publisher<Pose>::open("robot/pose");
  if (!poses) {
    std::fprintf(stderr, "%s\n", poses.error().text.c_str());
    return 1;
  }
  for (std::uint64_t seq = 0;; ++seq) {
    const double x = 0.25 * static_cast<double>(seq);
    const auto sent = poses->send({.seq = seq, .xyz = {x, 0, 0}, .label = "cpp"});
    if (!sent) std::fprintf(stderr, "%s\n", sent.error().text.c_str());
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}
