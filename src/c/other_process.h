/* other_process.h: for tests in C: a second process that holds something until it is told, or
 * killed. It ends with this one at the latest. */
#ifndef SIGNALBOX_C_OTHER_PROCESS_H
#define SIGNALBOX_C_OTHER_PROCESS_H

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "c/check.h"

typedef struct {
  pid_t pid;
  int hear, tell;
} Other;

static int said, heard;

/* In the other process: says that it holds something, and waits to be told. */
static inline void say(void) {
  if (write(said, ".", 1) != 1) _exit(3);
}
static inline void say_and_listen(void) {
  char word = 0;
  say();
  if (read(heard, &word, 1) != 1) _exit(3);
}

/* Answers once `work`, which runs in the other process, has said so. */
static inline Other start(void (*work)(void)) {
  int up[2], down[2];
  SBX_CHECK(pipe(up) == 0 && pipe(down) == 0);
  const pid_t pid = fork();
  SBX_CHECK(pid >= 0);
  if (pid == 0) {
    close(up[0]);
    close(down[1]);
    said = up[1];
    heard = down[0];
    work();
    _exit(0);
  }
  close(up[1]);
  close(down[0]);
  char word = 0;
  SBX_CHECK(read(up[0], &word, 1) == 1);
  return (Other){pid, up[0], down[1]};
}

static inline void tell(Other other) { SBX_CHECK(write(other.tell, ".", 1) == 1); }

static inline int reaped(Other other) {
  int status = -1;
  SBX_CHECK(waitpid(other.pid, &status, 0) == other.pid);
  close(other.hear);
  close(other.tell);
  return status;
}

/* Whether the main thread of a process sleeps in the kernel. */
static inline int is_asleep(pid_t pid) {
  char path[64], text[256];
  snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
  FILE* stat = fopen(path, "r");
  if (stat == NULL) return 0;
  const size_t length = fread(text, 1, sizeof(text) - 1, stat);
  fclose(stat);
  text[length] = 0;
  const char* const name_end = strrchr(text, ')');
  return name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
}

/* Tells it to end (0), or kills it. */
static inline void end(Other other, int signal_number) {
  if (signal_number == 0) {
    tell(other);
    SBX_CHECK(reaped(other) == 0);
    return;
  }
  SBX_CHECK(kill(other.pid, signal_number) == 0);
  SBX_CHECK(WTERMSIG(reaped(other)) == signal_number);
}

#endif /* SIGNALBOX_C_OTHER_PROCESS_H */
