/* Two processes that write their brackets in pieces, and never inside each other's: a semaphore set
 * with one place. That a process dies inside does not matter: the kernel gives its place back. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signalbox/c/semaphore_set.h"

static int write_alone(sbx_semaphore_set* terminal, const char* who, sbx_error* e) {
  for (int i = 1; i <= 3; ++i) {
    if (sbx_semaphore_set_enter(terminal, 0, SBX_NEVER, 0, e) != SBX_OK) return 1;
    printf("(%s ", who);
    fflush(stdout);
    printf("%d)\n", i);
    fflush(stdout);
    if (sbx_semaphore_set_leave(terminal, 0, e) != SBX_OK) return 1;
  }
  return 0;
}

int main(void) {
  sbx_error e = {0};
  sbx_semaphore_set* terminal = NULL;
  const uint16_t places = 1; /* more than one: so many at once */
  if (sbx_semaphore_set_create(SBX_SYSV_PRIVATE, &places, 1, NULL, &terminal, &e) == SBX_OK) {
    const pid_t child = fork();
    if (child == 0) _exit(write_alone(terminal, "child", &e));
    int status = 1;
    if (write_alone(terminal, "parent", &e) == 0 && waitpid(child, &status, 0) == child &&
        status == 0) {
      printf("done\n");
    }
    sbx_semaphore_set_remove(terminal, NULL);
    sbx_semaphore_set_close(terminal);
  }
  if (e.code != SBX_OK) fprintf(stderr, "exclusive: %s\n", e.text);
  return e.code;
}
