/* Named POSIX semaphores by signalbox/c/named_semaphore.h. */
#include "signalbox/c/named_semaphore.h"

#include <errno.h>

#include "c_operations.h"

static Handles semaphores;

static sbx_named_semaphore* semaphore_of(const SaidWords* said) {
  return handle(&semaphores, word(said, 0));
}

static void keep_semaphore(const SaidWords* said, Answer* out, int code, sbx_named_semaphore* made,
                           const sbx_error* error) {
  if (code == SBX_OK) sbx_named_semaphore_close(keep(&semaphores, word(said, 0), made));
  told(out, code, error);
}

static void create(const SaidWords* said, Answer* out) {
  sbx_named_semaphore_options options;
  sbx_named_semaphore_options_init(&options);
  options.mode = mode(said, 3);
  sbx_named_semaphore* made = NULL;
  sbx_error error;
  const int code =
      sbx_named_semaphore_create(word(said, 1), (uint32_t)number(said, 2), &options, &made, &error);
  keep_semaphore(said, out, code, made, &error);
}

static void open_or_create(const SaidWords* said, Answer* out) {
  sbx_named_semaphore* made = NULL;
  sbx_error error;
  const int code = sbx_named_semaphore_open_or_create(word(said, 1), (uint32_t)number(said, 2),
                                                      NULL, &made, &error);
  keep_semaphore(said, out, code, made, &error);
}

static void open_semaphore(const SaidWords* said, Answer* out) {
  sbx_named_semaphore* made = NULL;
  sbx_error error;
  const int code = sbx_named_semaphore_open(word(said, 1), &made, &error);
  keep_semaphore(said, out, code, made, &error);
}

static void unnamed(const SaidWords* said, Answer* out) {
  (void)said;
  not_in_language(out, "unnamed semaphores are for C++, where they lie in a struct of one's own");
}

static void wait_until(const SaidWords* said, int64_t until, Answer* out) {
  sbx_error error;
  told(out, sbx_named_semaphore_wait(semaphore_of(said), until, SBX_ON_SIGNAL_GIVE_UP, &error),
       &error);
}

static void wait_for_ever(const SaidWords* said, Answer* out) { wait_until(said, SBX_NEVER, out); }

static void timed(const SaidWords* said, Answer* out) { wait_until(said, deadline(said, 1), out); }

static void try_wait(const SaidWords* said, Answer* out) {
  int taken = 0;
  sbx_error error;
  const int code = sbx_named_semaphore_try_wait(semaphore_of(said), &taken, &error);
  told_if_done(out, code, &error, taken, EAGAIN);
}

static void post(const SaidWords* said, Answer* out) {
  sbx_error error;
  told(out, sbx_named_semaphore_post(semaphore_of(said), &error), &error);
}

static void value(const SaidWords* said, Answer* out) {
  int32_t found = 0;
  sbx_error error;
  if (sbx_named_semaphore_value(semaphore_of(said), &found, &error) != SBX_OK) {
    failed(out, &error);
  } else {
    ok(out, "%d", found);
  }
}

static void close_semaphore(const SaidWords* said, Answer* out) {
  sbx_named_semaphore_close(semaphore_of(said));
  forget(&semaphores, word(said, 0));
  told(out, SBX_OK, NULL);
}

static void unlink_name(const SaidWords* said, Answer* out) {
  sbx_error error;
  told(out, sbx_named_semaphore_unlink(word(said, 0), &error), &error);
}

const COperation posix_semaphore_operations[] = {
    {"sem_create", create},       {"sem_open_or_create", open_or_create},
    {"sem_open", open_semaphore}, {"sem_unnamed", unnamed},
    {"sem_wait", wait_for_ever},  {"sem_timed", timed},
    {"sem_try", try_wait},        {"sem_post", post},
    {"sem_value", value},         {"sem_close", close_semaphore},
    {"sem_unlink", unlink_name},  {NULL, NULL},
};
