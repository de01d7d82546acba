#include <stdio.h>

#include "signalbox/signalbox.h"

typedef struct {
  uint64_t seq;
  double xyz[3];
} Pose;
SBX_DESCRIBE(Pose, seq, xyz)

int main(int words, char* word[]) {
  const sbx_type type = sbx_type_Pose();
  sbx_error e = {0};
  sbx_publisher* out = NULL;
  if (words == 2 && /* readme publish: type x y z and Enter */
      sbx_publisher_open("robot/pose", &type, NULL, &out, &e) == SBX_OK)
    for (Pose p = {0}; scanf("%lf%lf%lf", &p.xyz[0], &p.xyz[1], &p.xyz[2]) == 3; ++p.seq)
      sbx_publisher_send(out, &p, NULL, 0, SBX_IMMEDIATE, NULL, &e);

  sbx_subscriber* in = NULL;
  if (words == 1 && sbx_subscriber_open("robot/pose", &type, NULL, &in, &e) == SBX_OK)
    for (int n = 0; sbx_subscriber_wait(in, SBX_NEVER, &n, &e) == SBX_OK;)
      for (sbx_sample s; sbx_subscriber_take(in, &s, &n, &e) == SBX_OK && n;) {
        const double* xyz = ((const Pose*)s.data)->xyz;
        printf("%g %g %g\n", xyz[0], xyz[1], xyz[2]);
        sbx_sample_release(&s);
      }
  if (e.code != SBX_OK) fprintf(stderr, "%s: %s\n", word[0], e.text);
}
