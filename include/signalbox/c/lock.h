/* lock.h: a mutex between processes from C, whose holder may die.
 *
 *   Lives    while anybody has it open; longer if its last holder died and nobody was told
 *   Threads  any number at a time on one handle; a guard belongs to the thread that locked
 *   Crash    the holder's lock is given back within a millisecond or so of his end, and the next
 *            owner told, once
 *   Fork     a child holds nothing: its copies of handles answer WRONG_PROCESS, its copies of
 *            guards release nothing
 *   Limits   256 waiters in line, those beyond look every millisecond; one descriptor and 17 KiB a
 *            lock. The first of a process in a domain takes nine descriptors more and a thread,
 *            which watches for deaths; both go with the last, but for one descriptor
 *   Polling  sbx_wait_set_watch_mutex() of wait_set.h
 *
 * It has a name in a domain, as a topic has. signalbox/lock.hpp says more.
 */
#ifndef SIGNALBOX_C_LOCK_H
#define SIGNALBOX_C_LOCK_H

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_mutex sbx_mutex;

typedef struct sbx_lock_options {
  uint32_t struct_size;             /* the caller's sizeof(sbx_lock_options) */
  uint32_t first_come_first_served; /* 1: nobody overtakes who stands in line, which costs
                                       throughput; all users must ask for the same */
  const char* domain;               /* NULL: $SIGNALBOX_DOMAIN, else "default" */
  uint32_t any_thread; /* 1: what is locked through this handle belongs to no thread. Any may
                          release it; who holds it and locks again waits, and is told no
                          WOULD_DEADLOCK. For languages whose tasks change threads */
  uint32_t reserved;   /* 0 */
} sbx_lock_options;

SBX_EXPORT void sbx_lock_options_init_sized(sbx_lock_options* options, size_t size);
static inline void sbx_lock_options_init(sbx_lock_options* options) {
  sbx_lock_options_init_sized(options, sizeof(*options));
}

/* A mutex that is held: memory of yours, which begins as {0} and is {0} again when nothing is held.
 * While something is, do not copy it but to move it. */
typedef struct sbx_mutex_guard {
  uint64_t opaque[2];
  uint64_t thread;
  uint32_t is_held;
  uint32_t reserved;
} sbx_mutex_guard;

/* The mutex of that name, made if nobody has it open; `options` may be NULL. Enters the kernel.
 * Errors: BAD_NAME, TYPE_MISMATCH (it is another kind of object, or of other options), DAMAGED,
 * LAYOUT_MISMATCH, NO_SPACE, PERMISSION_DENIED, LIMIT_REACHED, ABANDONED, SYSTEM. */
SBX_EXPORT int sbx_mutex_open(const char* name, const sbx_lock_options* options, sbx_mutex** out,
                              sbx_error* error);
/* Frees the handle, in which nobody may be any more. What is held can still be released, and is
 * held until then. NULL is allowed. */
SBX_EXPORT void sbx_mutex_close(sbx_mutex* mutex);

/* Takes it, sleeping in line until it is free; enters the kernel only for that. `on_signal` is an
 * sbx_on_signal.
 *
 * *owner_died = 1: the last owner died while he held it, or gave it back unrepaired, so what it
 * guards may be half changed. You hold it all the same. Repair that, say so by sbx_mutex_repaired()
 * and go on; or release it, which leaves it marked, and the next owner is told.
 *
 * Errors, with which nothing is held: TIMED_OUT, INTERRUPTED (if so asked), WOULD_DEADLOCK (this
 * thread holds it), WRONG_PROCESS, DAMAGED. */
SBX_EXPORT int sbx_mutex_lock(sbx_mutex* mutex, int64_t deadline_ns, int on_signal,
                              sbx_mutex_guard* guard, int* owner_died, sbx_error* error);
/* As lock, but never sleeps. Errors: WOULD_BLOCK in place of TIMED_OUT. Where it is not free the
 * kernel is asked whether the owner lives. */
SBX_EXPORT int sbx_mutex_try_lock(sbx_mutex* mutex, sbx_mutex_guard* guard, int* owner_died,
                                  sbx_error* error);

/* What it guards is whole again: the next owner is told nothing. Does not enter the kernel.
 * Errors: those of release. */
SBX_EXPORT int sbx_mutex_repaired(sbx_mutex_guard* guard, sbx_error* error);
/* Gives it back. Enters the kernel only if somebody sleeps in line. Error: BAD_ARGUMENT (nothing is
 * held, or another thread locked it), with which nothing has changed. */
SBX_EXPORT int sbx_mutex_release(sbx_mutex_guard* guard, sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_LOCK_H */
