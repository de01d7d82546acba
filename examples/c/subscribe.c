/* Prints every pose, sleeping in between. Publishers may come, die and return in the meantime. */
#include <inttypes.h>
#include <stdio.h>

#include "pose.h"

int main(void) {
  sbx_error error;
  sbx_type type = sbx_type_Pose();
  sbx_subscriber_options options;
  sbx_subscriber_options_init(&options);
  options.start = SBX_START_NEXT;
  sbx_subscriber* poses = NULL;
  if (sbx_subscriber_open("robot/pose", &type, &options, &poses, &error) != SBX_OK) {
    fprintf(stderr, "%s\n", error.text);
    return 1;
  }
  for (int wake = 0; sbx_subscriber_wait(poses, SBX_NEVER, &wake, &error) == SBX_OK;) {
    sbx_sample sample;
    for (int taken = 0; sbx_subscriber_take(poses, &sample, &taken, &error) == SBX_OK && taken;) {
      const Pose* pose = sample.data;
      printf("%.16s says: pose %" PRIu64 " at x = %g\n", pose->label, pose->seq, pose->xyz[0]);
      fflush(stdout);
      sbx_sample_release(&sample);
    }
  }
  fprintf(stderr, "%s\n", error.text);
  return 1;
}
