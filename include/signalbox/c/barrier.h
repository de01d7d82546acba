/* barrier.h: from C, a place between processes where so many must have arrived before any goes on.
 *
 *   Lives    while anybody has it open
 *   Threads  any number at a time on one handle; a party is one call that waits
 *   Crash    when a party dies while it waits, all who wait with it are told, once each: ABANDONED
 *   Fork     a child's copies of handles answer WRONG_PROCESS
 *   Limits   256 parties; one descriptor and 17 KiB, and what a process's first lock takes (lock.h)
 *   Polling  not possible
 *
 * It is used again and again by the same number of parties. signalbox/barrier.hpp says more.
 */
#ifndef SIGNALBOX_C_BARRIER_H
#define SIGNALBOX_C_BARRIER_H

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_barrier sbx_barrier;

/* The barrier of that name in `domain` (NULL: $SIGNALBOX_DOMAIN, else "default"), made if nobody
 * has it open. Enters the kernel. Errors: BAD_ARGUMENT (parties is 0 or above 256), else as
 * sbx_mutex_open() of lock.h. */
SBX_EXPORT int sbx_barrier_open(const char* name, uint32_t parties, const char* domain,
                                sbx_barrier** out, sbx_error* error);
/* Frees the handle, in which nobody may be any more. NULL is allowed. */
SBX_EXPORT void sbx_barrier_close(sbx_barrier* barrier);

/* Arrives, and waits until all have; enters the kernel. `on_signal` is an sbx_on_signal. Errors:
 * ABANDONED (one of those who waited died; meet again when somebody has come in its place),
 * TIMED_OUT and INTERRUPTED (it is as if we had not come), WRONG_PROCESS, DAMAGED, LIMIT_REACHED
 * (far more than `parties` wait). */
SBX_EXPORT int sbx_barrier_arrive_and_wait(sbx_barrier* barrier, int64_t deadline_ns, int on_signal,
                                           sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_BARRIER_H */
