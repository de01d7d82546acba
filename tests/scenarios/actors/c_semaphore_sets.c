/* System V semaphore sets by signalbox/c/semaphore_set.h. */
#include "signalbox/c/semaphore_set.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "c_operations.h"

enum { semaphores_max = 65536, operations_max = 2048 };

static Handles sets;

static sbx_semaphore_set* set_of(const SaidWords* said) { return handle(&sets, word(said, 0)); }

static uint16_t index_of(const SaidWords* said) { return (uint16_t)number(said, 1); }

static int32_t key_of(const SaidWords* said) {
  return strcmp(word(said, 1), "private") == 0 ? SBX_SYSV_PRIVATE : (int32_t)number(said, 1);
}

static void keep_set(const SaidWords* said, Answer* out, int code, sbx_semaphore_set* made,
                     const sbx_error* error) {
  if (code == SBX_OK) sbx_semaphore_set_close(keep(&sets, word(said, 0), made));
  told(out, code, error);
}

static void create(const SaidWords* said, Answer* out) {
  static const uint16_t zeroes[semaphores_max];
  sbx_semaphore_set_options options;
  sbx_semaphore_set_options_init(&options);
  options.mode = mode(said, 3);
  sbx_semaphore_set* made = NULL;
  sbx_error error;
  const int code = sbx_semaphore_set_create(key_of(said), zeroes, (size_t)number(said, 2), &options,
                                            &made, &error);
  keep_set(said, out, code, made, &error);
}

/* Who may not read a set cannot learn either whether it is ready: it opens it as it is. */
static void open_set(const SaidWords* said, Answer* out) {
  const int32_t count = (int32_t)number(said, 2);
  const int64_t patience_ns = 10000000000;
  sbx_semaphore_set* made = NULL;
  sbx_error error;
  const int code = count == 0 ? sbx_semaphore_set_open_as_is(key_of(said), &made, &error)
                              : sbx_semaphore_set_open(key_of(said), count,
                                                       sbx_now_ns() + patience_ns, &made, &error);
  keep_set(said, out, code, made, &error);
}

/* "0:-1~" is take one of semaphore 0, with undo; "x501" repeats the last up to so many. */
static size_t operations_of(const SaidWords* said, size_t first, sbx_sem_op* operations) {
  size_t count = 0;
  for (size_t i = first; i < said->count; ++i) {
    const char* const text = said->at[i];
    if (text[0] == 'x') {
      const size_t wanted = strtoul(text + 1, NULL, 10);
      if (count == 0 || wanted > operations_max) abort();
      for (; count < wanted; ++count) operations[count] = operations[count - 1];
      continue;
    }
    char* rest = NULL;
    sbx_sem_op* const step = &operations[count++];
    step->index = (uint16_t)strtoul(text, &rest, 10);
    step->delta = (int16_t)strtol(rest + 1, &rest, 10);
    step->flags = *rest == '~' ? SBX_SEM_UNDO : 0;
  }
  return count;
}

/* Of all calls that take a deadline the kernel's semtimedop() alone says EAGAIN when it passes. */
static void told_of_set(Answer* out, int code, const sbx_error* error) {
  if (code == SBX_TIMED_OUT) {
    failed_as(out, error->sys_errno);
  } else {
    told(out, code, error);
  }
}

static void apply_until(const SaidWords* said, size_t first, int64_t until, Answer* out) {
  sbx_sem_op operations[operations_max];
  const size_t count = operations_of(said, first, operations);
  sbx_error error;
  told_of_set(out,
              sbx_semaphore_set_apply(set_of(said), operations, count, until, SBX_ON_SIGNAL_GIVE_UP,
                                      &error),
              &error);
}

static void apply(const SaidWords* said, Answer* out) { apply_until(said, 1, SBX_NEVER, out); }

static void timed(const SaidWords* said, Answer* out) {
  apply_until(said, 2, deadline(said, 1), out);
}

static void try_apply(const SaidWords* said, Answer* out) {
  sbx_sem_op operations[operations_max];
  const size_t count = operations_of(said, 1, operations);
  int done = 0;
  sbx_error error;
  const int code = sbx_semaphore_set_try_apply(set_of(said), operations, count, &done, &error);
  told_if_done(out, code, &error, done, EAGAIN);
}

static void put(const SaidWords* said, Answer* out) {
  sbx_error error;
  told(out,
       sbx_semaphore_set_set_value(set_of(said), index_of(said), (int32_t)number(said, 2), &error),
       &error);
}

static void put_all(const SaidWords* said, Answer* out) {
  uint16_t values[handles_max];
  const size_t count = said->count - 1;
  if (count > handles_max) abort();
  for (size_t i = 0; i < count; ++i) values[i] = (uint16_t)number(said, i + 1);
  sbx_error error;
  told(out, sbx_semaphore_set_set_values(set_of(said), values, count, &error), &error);
}

static void all(const SaidWords* said, Answer* out) {
  uint16_t values[handles_max];
  size_t count = 0;
  sbx_error error;
  const int code = sbx_semaphore_set_values(set_of(said), values, handles_max, &count, &error);
  told(out, code, &error);
  if (code != SBX_OK) return;
  size_t end = strlen(out->text);
  for (size_t i = 0; i < count && i < handles_max; ++i) {
    end += (size_t)snprintf(out->text + end, sizeof out->text - end, " %u", values[i]);
  }
}

static void at(const SaidWords* said, Answer* out) {
  uint16_t value = 0;
  sbx_error error;
  const int code = sbx_semaphore_set_value(set_of(said), index_of(said), &value, &error);
  if (code != SBX_OK) {
    failed(out, &error);
  } else {
    ok(out, "%u", value);
  }
}

/* What the kernel knows of who uses a count; `tell` picks. */
static void tell_users(const SaidWords* said, Answer* out,
                       void (*tell)(Answer*, const sbx_semaphore_users*)) {
  sbx_semaphore_users users;
  sbx_error error;
  if (sbx_semaphore_set_users(set_of(said), index_of(said), &users, &error) != SBX_OK) {
    failed(out, &error);
  } else {
    tell(out, &users);
  }
}

static void tell_last_pid(Answer* out, const sbx_semaphore_users* users) {
  ok(out, "%u", users->last_pid);
}

static void tell_waiters(Answer* out, const sbx_semaphore_users* users) {
  ok(out, "%u %u", users->waiting_to_take, users->waiting_for_zero);
}

static void last_pid(const SaidWords* said, Answer* out) { tell_users(said, out, tell_last_pid); }

static void waiters(const SaidWords* said, Answer* out) { tell_users(said, out, tell_waiters); }

static void status(const SaidWords* said, Answer* out) {
  sbx_semaphore_set_facts facts = {.struct_size = sizeof facts};
  sbx_error error;
  if (sbx_semaphore_set_look(set_of(said), &facts, &error) != SBX_OK) {
    failed(out, &error);
  } else {
    ok(out, "%u %03o", facts.count, facts.access.mode);
  }
}

static void remove_set(const SaidWords* said, Answer* out) {
  sbx_error error;
  told(out, sbx_semaphore_set_remove(set_of(said), &error), &error);
}

const COperation semaphore_set_operations[] = {
    {"set_create", create},
    {"set_open", open_set},
    {"set_apply", apply},
    {"set_try", try_apply},
    {"set_timed", timed},
    {"set_put", put},
    {"set_put_all", put_all},
    {"set_all", all},
    {"set_at", at},
    {"set_last_pid", last_pid},
    {"set_waiters", waiters},
    {"set_status", status},
    {"set_remove", remove_set},
    {NULL, NULL},
};
