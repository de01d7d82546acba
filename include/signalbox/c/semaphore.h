/* semaphore.h: a counting semaphore between processes from C, whose units come back from the dead.
 *
 *   Lives    while anybody has it open
 *   Threads  any number at a time on one handle; any thread may release a permit
 *   Crash    units held are given back within a millisecond or so of the holder's end; what was
 *            posted or used up stays so
 *   Fork     a child holds nothing: its copies of handles answer WRONG_PROCESS, its copies of
 *            permits release nothing
 *   Limits   4096 units; 256 waiters in line, those beyond look every millisecond
 *   Polling  sbx_wait_set_watch_semaphore() of wait_set.h
 *
 * It has a name in a domain, as a topic has, and a fixed number of units, each of which is free,
 * held by a process, or absent. signalbox/semaphore.hpp says more.
 */
#ifndef SIGNALBOX_C_SEMAPHORE_H
#define SIGNALBOX_C_SEMAPHORE_H

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_semaphore sbx_semaphore;

/* `units` of sbx_semaphore_options: as many as units_max. */
#define SBX_ALL_UNITS UINT32_MAX

typedef struct sbx_semaphore_options {
  uint32_t struct_size; /* the caller's sizeof(sbx_semaphore_options) */
  uint32_t units;       /* how many are free when it is made; SBX_ALL_UNITS unless set */
  const char* domain;   /* NULL: $SIGNALBOX_DOMAIN, else "default" */
  uint32_t first_come_first_served; /* 1: nobody overtakes who stands in line; all users must ask
                                       for the same */
  uint32_t reserved;                /* 0 */
} sbx_semaphore_options;

SBX_EXPORT void sbx_semaphore_options_init_sized(sbx_semaphore_options* options, size_t size);
static inline void sbx_semaphore_options_init(sbx_semaphore_options* options) {
  sbx_semaphore_options_init_sized(options, sizeof(*options));
}

/* A unit that is held: memory of yours, which begins as {0} and is {0} again when nothing is held.
 * While something is, do not copy it but to move it. */
typedef struct sbx_permit {
  uint64_t opaque[2];
  uint32_t is_held;
  uint32_t reserved;
} sbx_permit;

/* The semaphore of that name, made if nobody has it open. All users must ask for the same
 * units_max; `options` may be NULL. Enters the kernel. Errors: BAD_ARGUMENT (units_max is 0 or
 * above 4096, or units above it), BAD_NAME, TYPE_MISMATCH (it is another kind of object, or of
 * other options), DAMAGED, LAYOUT_MISMATCH, NO_SPACE, PERMISSION_DENIED, LIMIT_REACHED, ABANDONED,
 * SYSTEM. */
SBX_EXPORT int sbx_semaphore_open(const char* name, uint32_t units_max,
                                  const sbx_semaphore_options* options, sbx_semaphore** out,
                                  sbx_error* error);
/* Frees the handle, in which nobody may be any more. What is held can still be released, and is
 * held until then. NULL is allowed. */
SBX_EXPORT void sbx_semaphore_close(sbx_semaphore* semaphore);

/* Takes a unit that comes back with the permit, or with our death. Sleeps in line while none is
 * free; enters the kernel only for that. `on_signal` is an sbx_on_signal. Errors: TIMED_OUT,
 * INTERRUPTED (if so asked), WRONG_PROCESS, DAMAGED. */
SBX_EXPORT int sbx_semaphore_acquire(sbx_semaphore* semaphore, int64_t deadline_ns, int on_signal,
                                     sbx_permit* permit, sbx_error* error);
/* As acquire, but never sleeps: WOULD_BLOCK in place of TIMED_OUT. Where none is free the kernel is
 * asked whether their holders live. */
SBX_EXPORT int sbx_semaphore_try_acquire(sbx_semaphore* semaphore, sbx_permit* permit,
                                         sbx_error* error);
/* Gives the unit back. Enters the kernel only if somebody sleeps in line. Error of both:
 * BAD_ARGUMENT (nothing is held). */
SBX_EXPORT int sbx_permit_release(sbx_permit* permit, sbx_error* error);
/* The unit is absent from now on: what it stood for was taken away. Does not enter the kernel. */
SBX_EXPORT int sbx_permit_use_up(sbx_permit* permit, sbx_error* error);

/* Takes a unit away for good, in one step: sem_wait(). Errors: as acquire and try_acquire. */
SBX_EXPORT int sbx_semaphore_consume(sbx_semaphore* semaphore, int64_t deadline_ns, int on_signal,
                                     sbx_error* error);
SBX_EXPORT int sbx_semaphore_try_consume(sbx_semaphore* semaphore, sbx_error* error);
/* Makes an absent unit free, and wakes one who waits: sem_post(). Enters the kernel only for that.
 * Errors: OUT_OF_RANGE (no unit is absent), WRONG_PROCESS, DAMAGED. */
SBX_EXPORT int sbx_semaphore_post(sbx_semaphore* semaphore, sbx_error* error);
/* How many are free at this moment: for people, it may have changed already. */
SBX_EXPORT int sbx_semaphore_value(const sbx_semaphore* semaphore, uint32_t* value,
                                   sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_SEMAPHORE_H */
