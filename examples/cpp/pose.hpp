// pose.hpp: the message that publish.cpp and subscribe.cpp exchange, and their C namesakes.
#pragma once

#include <cstdint>

#include "signalbox/describe.hpp"

struct Pose {
  std::uint64_t seq;
  double xyz[3];
  char label[16];
};
SBX_DESCRIBE(Pose, seq, xyz, label);
