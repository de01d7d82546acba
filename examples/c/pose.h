/* pose.h: the message that publish.c and subscribe.c exchange; the same bytes as ../cpp/pose.hpp.
 */
#ifndef EXAMPLES_C_POSE_H
#define EXAMPLES_C_POSE_H

#include "signalbox/signalbox.h"

typedef struct Pose {
  uint64_t seq;
  double xyz[3];
  char label[16];
} Pose;
SBX_DESCRIBE(Pose, seq, xyz, label)

#endif
