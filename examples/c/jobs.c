/* Jobs for a worker process in a queue, the most urgent first. It is found by its name; here the
 * worker is a child, which is told to stop by the least urgent job of all. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signalbox/c/posix_queue.h"

static int work(const char* name, sbx_error* e) {
  sbx_posix_queue* jobs = NULL;
  char job[64];
  sbx_priority_message found;
  if (sbx_posix_queue_open(name, SBX_QUEUE_RECEIVE, &jobs, e) != SBX_OK) return 1;
  while (sbx_posix_queue_receive(jobs, job, sizeof(job), SBX_NEVER, 0, &found, e) == SBX_OK) {
    if (found.bytes == 0) break;
    printf("%u: %.*s\n", found.priority, (int)found.bytes, job);
  }
  sbx_posix_queue_close(jobs);
  fflush(stdout);
  return e->code;
}

int main(void) {
  sbx_error e = {0};
  char name[32];
  snprintf(name, sizeof(name), "/jobs-%d", (int)getpid());
  sbx_posix_queue_options options;
  sbx_posix_queue_options_init(&options);
  options.messages_max = 4;
  options.message_bytes_max = 64;
  sbx_posix_queue* jobs = NULL;
  if (sbx_posix_queue_create(name, &options, &jobs, &e) == SBX_OK) {
    const char* const texts[] = {"sweep", "answer the door", "put out the fire"};
    for (unsigned i = 0; i < 3; ++i)
      sbx_posix_queue_send(jobs, texts[i], strlen(texts[i]), 10 * (i + 1), SBX_NEVER, 0, &e);
    sbx_posix_queue_send(jobs, NULL, 0, 0, SBX_NEVER, 0, &e);
    const pid_t child = fork();
    if (child == 0) _exit(work(name, &e));
    waitpid(child, NULL, 0);
    sbx_posix_queue_unlink(name, NULL);
    sbx_posix_queue_close(jobs);
  }
  if (e.code != SBX_OK) fprintf(stderr, "jobs: %s\n", e.text);
  return e.code;
}
