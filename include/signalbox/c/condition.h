/* condition.h: from C, a condition between processes, to be waited for under a mutex of lock.h.
 *
 *   Lives    while anybody has it open
 *   Threads  any number at a time on one handle
 *   Crash    when a process that has it open dies all waiters wake and look again: nothing that
 *            the dead one was told, or had still to tell, is lost
 *   Fork     a child's copies of handles answer WRONG_PROCESS
 *   Limits   256 waiters and processes that have it open together; one descriptor and 17 KiB, and
 *            what a process's first lock takes (lock.h)
 *   Polling  not possible: what it tells is only true under the mutex
 *
 * Use one condition with one mutex, and look at what you wait for after each wait.
 * signalbox/condition.hpp says more.
 */
#ifndef SIGNALBOX_C_CONDITION_H
#define SIGNALBOX_C_CONDITION_H

#include "signalbox/c/lock.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_condition sbx_condition;

/* The condition of that name in `domain` (NULL: $SIGNALBOX_DOMAIN, else "default"), made if nobody
 * has it open. Enters the kernel. Errors: as sbx_mutex_open(); LIMIT_REACHED also if 256 wait
 * for it or have it open. */
SBX_EXPORT int sbx_condition_open(const char* name, const char* domain, sbx_condition** out,
                                  sbx_error* error);
/* Frees the handle, in which nobody may be any more. NULL is allowed. */
SBX_EXPORT void sbx_condition_close(sbx_condition* condition);

/* Gives the mutex back, sleeps until it is notified, the deadline passes or (if so asked by
 * `on_signal`) a signal handler has run, and takes the mutex again, however long that lasts: SBX_OK
 * whichever it was, with the mutex held by `guard`. A wait may also end for nothing. An owner of
 * the mutex may have died meanwhile: *owner_died is what sbx_mutex_lock() says.
 *
 * Errors: BAD_ARGUMENT (nothing is held, or by another thread, or what the mutex guards is still
 * to be repaired), with which nothing has changed. With all others the mutex was given back and
 * `guard` is empty: LIMIT_REACHED (256 wait or have it open), WRONG_PROCESS, DAMAGED. */
SBX_EXPORT int sbx_condition_wait(sbx_condition* condition, sbx_mutex_guard* guard,
                                  int64_t deadline_ns, int on_signal, int* owner_died,
                                  sbx_error* error);
/* Wakes the one who has waited longest, or all. Best under the mutex. Enters the kernel only if
 * somebody waits; nothing happens in a forked child. Error: BAD_ARGUMENT (NULL). */
SBX_EXPORT int sbx_condition_notify_one(sbx_condition* condition, sbx_error* error);
SBX_EXPORT int sbx_condition_notify_all(sbx_condition* condition, sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_CONDITION_H */
