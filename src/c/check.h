/* check.h: the assertion of the C tests; they are plain C so that the header is tried by a C
 * compiler. */
#ifndef SIGNALBOX_C_CHECK_H
#define SIGNALBOX_C_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signalbox/signalbox.h"

/* Stops the test with the place and the last error's text when `condition` is false. */
#define SBX_CHECK(condition)                                                                 \
  do {                                                                                       \
    if (!(condition)) {                                                                      \
      fprintf(stderr, "%s:%d: failed: %s\nlast error: %s\n", __FILE__, __LINE__, #condition, \
              sbx_last_error.text);                                                          \
      exit(1);                                                                               \
    }                                                                                        \
  } while (0)

/* What every call of a test reports into. */
static sbx_error sbx_last_error;

/* Whether the last error is `code` and says `part`. */
static inline int last_error_says(int code, const char* part) {
  return sbx_last_error.code == code && strstr(sbx_last_error.text, part) != NULL;
}

static char sbx_scratch[] = "/dev/shm/sbx-c-test-XXXXXX";

static void remove_scratch(void) {
  char command[128];
  snprintf(command, sizeof(command), "rm -rf '%s'", sbx_scratch);
  if (system(command) != 0) fprintf(stderr, "cannot remove %s\n", sbx_scratch);
}

/* Gives the program a directory of its own for its topics, removed when it exits. */
static inline void use_scratch_domain(void) {
  SBX_CHECK(mkdtemp(sbx_scratch) != NULL && setenv("SIGNALBOX_DIR", sbx_scratch, 1) == 0);
  atexit(remove_scratch);
}

#endif /* SIGNALBOX_C_CHECK_H */
