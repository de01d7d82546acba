#include <cstdio>

#include "signalbox/topic.hpp"

struct Pose {
  std::uint64_t seq;
  double xyz[3];
};
SBX_DESCRIBE(Pose, seq, xyz);

int main(int words, char**) {
  if (words == 2) {  // readme publish: type x y z and Enter
    auto poses = signalbox::Publisher<Pose>::open("robot/pose").value();
    Pose pose{};
    for (; std::scanf("%lf%lf%lf", &pose.xyz[0], &pose.xyz[1], &pose.xyz[2]) == 3; ++pose.seq)
      if (!poses.send(pose)) return 1;
  } else {
    auto poses = signalbox::Subscriber<Pose>::open("robot/pose").value();
    while (poses.wait(signalbox::Deadline::never()))  // asleep until there is one
      while (auto pose = poses.take())                // read where it lies
        std::printf("%g %g %g\n", pose->xyz[0], pose->xyz[1], pose->xyz[2]);
  }
}
