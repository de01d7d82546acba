/* Publishes a pose ten times a second until Ctrl-C, filled in place. Start subscribe.c, or its
 * sibling in another language, before or after; kill either and start it again. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "pose.h"

int main(void) {
  sbx_error error;
  sbx_type type = sbx_type_Pose();
  sbx_publisher* poses = NULL;
  if (sbx_publisher_open("robot/pose", &type, NULL, &poses, &error) != SBX_OK) {
    fprintf(stderr, "%s\n", error.text);
    return 1;
  }
  for (uint64_t seq = 0;; ++seq) {
    sbx_loan loan;
    if (sbx_publisher_loan(poses, 0, &loan, &error) == SBX_OK) {
      Pose* pose = loan.data;
      *pose = (Pose){.seq = seq, .xyz = {0.25 * (double)seq, 0, 0}, .label = "c"};
      sbx_publisher_publish(poses, &loan, SBX_IMMEDIATE, NULL, &error);
    } else {
      fprintf(stderr, "%s\n", error.text);
    }
    nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
  }
}
