/* read_write_lock.h: from C, a lock between processes that many may hold to read, or one to write.
 *
 *   Lives    while anybody has it open; longer if its last writer died and nobody was told
 *   Threads  any number at a time on one handle; a guard belongs to the thread that locked
 *   Crash    what the dead held is free within a millisecond or so; the next writer after a writer
 *            is told, once; readers are not
 *   Fork     a child holds nothing: its copies of handles answer WRONG_PROCESS, its copies of
 *            guards release nothing
 *   Limits   128 readers at once, more wait in line; 256 waiters, those beyond look every
 *            millisecond; one descriptor and 25 KiB, and what a process's first lock takes (lock.h)
 *   Polling  not possible
 *
 * It has a name in a domain, as a topic has. Everybody goes in the order in which he came.
 * signalbox/read_write_lock.hpp says more.
 */
#ifndef SIGNALBOX_C_READ_WRITE_LOCK_H
#define SIGNALBOX_C_READ_WRITE_LOCK_H

#include "signalbox/c/lock.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_read_write_lock sbx_read_write_lock;

/* The lock that is held: memory of yours, as an sbx_mutex_guard is. */
typedef struct sbx_read_guard {
  uint64_t opaque[2];
  uint64_t thread;
  uint32_t is_held;
  uint32_t reserved;
} sbx_read_guard;

typedef struct sbx_write_guard {
  uint64_t opaque[2];
  uint64_t thread;
  uint32_t is_held;
  uint32_t reserved;
} sbx_write_guard;

/* The lock of that name, made if nobody has it open. `options` may be NULL; it is always first come
 * first served, so that one must be 0. Errors: as sbx_mutex_open(). */
SBX_EXPORT int sbx_read_write_lock_open(const char* name, const sbx_lock_options* options,
                                        sbx_read_write_lock** out, sbx_error* error);
/* Frees the handle, in which nobody may be any more. What is held can still be released, and is
 * held until then. NULL is allowed. */
SBX_EXPORT void sbx_read_write_lock_close(sbx_read_write_lock* lock);

/* Takes it together with others who read; enters the kernel only to sleep. `on_signal` is an
 * sbx_on_signal. Errors, with which nothing is held: TIMED_OUT, INTERRUPTED (if so asked),
 * WOULD_DEADLOCK (this thread holds it to write), WRONG_PROCESS, DAMAGED. */
SBX_EXPORT int sbx_lock_to_read(sbx_read_write_lock* lock, int64_t deadline_ns, int on_signal,
                                sbx_read_guard* guard, sbx_error* error);
/* Takes it alone. *owner_died = 1: the last writer died while he held it, or gave it back
 * unrepaired; it is held all the same, and what sbx_mutex_lock() says of it holds here, with
 * sbx_write_repaired(). WOULD_DEADLOCK: this thread holds it, in whatever way. */
SBX_EXPORT int sbx_lock_to_write(sbx_read_write_lock* lock, int64_t deadline_ns, int on_signal,
                                 sbx_write_guard* guard, int* owner_died, sbx_error* error);
/* The same without sleeping: WOULD_BLOCK in place of TIMED_OUT. */
SBX_EXPORT int sbx_try_lock_to_read(sbx_read_write_lock* lock, sbx_read_guard* guard,
                                    sbx_error* error);
SBX_EXPORT int sbx_try_lock_to_write(sbx_read_write_lock* lock, sbx_write_guard* guard,
                                     int* owner_died, sbx_error* error);

/* What it guards is whole again. Errors: those of release. */
SBX_EXPORT int sbx_write_repaired(sbx_write_guard* guard, sbx_error* error);
/* Both give it back, and enter the kernel only if somebody sleeps in line. Error: BAD_ARGUMENT
 * (nothing is held, or another thread locked it), with which nothing has changed. */
SBX_EXPORT int sbx_read_release(sbx_read_guard* guard, sbx_error* error);
SBX_EXPORT int sbx_write_release(sbx_write_guard* guard, sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_READ_WRITE_LOCK_H */
