/* wait_set.h: from C, one sleep for many sources: topics, mutexes, semaphores, descriptors.
 *
 *   Threads  one thread at a time for a set, its watches and the subscribers it watches;
 *            sbx_wait_set_wake() alone may be called from any thread and from a signal handler
 *   Crash    a publisher that is killed is noticed within 100 ms; nothing has to be cleaned up
 *   Fork     belongs to the process that made it: in a child calls answer SBX_WRONG_PROCESS
 *   Limits   65536 watches; three descriptors
 *
 * Readiness is a level: a source is reported by every wait until it is drained. Timers, signals and
 * child processes come in as descriptors: timerfd, signalfd, pidfd. signalbox/wait_set.hpp says
 * more.
 */
#ifndef SIGNALBOX_C_WAIT_SET_H
#define SIGNALBOX_C_WAIT_SET_H

#include "signalbox/c/lock.h"
#include "signalbox/c/semaphore.h"
#include "signalbox/signalbox.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_wait_set sbx_wait_set;

/* While it lives, its set reports the source. Set, source and watch may end in any order. */
typedef struct sbx_watch sbx_watch;

/* A set of bits: what a source is asked for, and what it answers. */
typedef enum sbx_events {
  SBX_READABLE = 1,       /* a take, read or accept would find something */
  SBX_WRITABLE = 2,       /* a write would be accepted; descriptors only */
  SBX_HUNG_UP = 4,        /* the other end is gone; told without being asked */
  SBX_DEADLINE_MISSED = 8 /* quiet for a whole period */
} sbx_events;

/* An empty set with room for so many watches. All its memory is taken here.
 * Errors: BAD_ARGUMENT (0, or more than 65536), LIMIT_REACHED (descriptors), SYSTEM. */
SBX_EXPORT int sbx_wait_set_create(uint32_t watches_max, sbx_wait_set** out, sbx_error* error);
/* Nobody may be in a call on it. Its watches stay to be ended. NULL is allowed. */
SBX_EXPORT void sbx_wait_set_close(sbx_wait_set* set);

/* Watches the source until sbx_watch_end(); `key` is yours, and handed back untouched. With
 * `period_ns` above 0 the end of each period in which the source stayed quiet is reported, too:
 * DEADLINE_MISSED. Errors: ALREADY_EXISTS (this set watches the descriptor, or some set the topic,
 * already), LIMIT_REACHED (watches_max or descriptors), BAD_ARGUMENT (also a period below 1 us),
 * CLOSED (the source is gone), NOT_SUPPORTED (the kernel cannot poll it), WRONG_PROCESS. */
SBX_EXPORT int sbx_wait_set_watch_subscriber(sbx_wait_set* set, sbx_subscriber* subscriber,
                                             uint64_t key, int64_t period_ns, sbx_watch** out,
                                             sbx_error* error);
/* `events`: SBX_READABLE, SBX_WRITABLE or both; with a period only SBX_READABLE. The descriptor
 * stays yours: close it after its watch. */
SBX_EXPORT int sbx_wait_set_watch_descriptor(sbx_wait_set* set, int fd, uint32_t events,
                                             uint64_t key, int64_t period_ns, sbx_watch** out,
                                             sbx_error* error);
/* Readable while a try_lock or try_acquire would succeed, and silent once the last handle of this
 * process is closed. With a period also the end of each in which it was never found free. Takes two
 * descriptors. */
SBX_EXPORT int sbx_wait_set_watch_mutex(sbx_wait_set* set, sbx_mutex* mutex, uint64_t key,
                                        int64_t period_ns, sbx_watch** out, sbx_error* error);
SBX_EXPORT int sbx_wait_set_watch_semaphore(sbx_wait_set* set, sbx_semaphore* semaphore,
                                            uint64_t key, int64_t period_ns, sbx_watch** out,
                                            sbx_error* error);
/* Stops watching and frees the watch. NULL is allowed. */
SBX_EXPORT void sbx_watch_end(sbx_watch* watch);

typedef struct sbx_ready {
  uint64_t key;
  uint32_t events; /* of sbx_events */
  uint32_t reserved;
} sbx_ready;

/* Sleeps until a source is ready. *ready receives an array of *count entries, each source once and
 * in an order that changes, which is the set's and good until its next call. 0: the deadline
 * passed, or somebody woke the set. Signal handlers may run meanwhile; the wait goes on with the
 * time that remains. Errors: WRONG_PROCESS, LIMIT_REACHED (descriptors), SYSTEM. */
SBX_EXPORT int sbx_wait_set_wait(sbx_wait_set* set, const sbx_ready** ready, size_t* count,
                                 int64_t deadline_ns, sbx_error* error);
/* Makes the wait that sleeps, or else the next one, answer nothing at once. Async-signal-safe. */
SBX_EXPORT void sbx_wait_set_wake(const sbx_wait_set* set);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_WAIT_SET_H */
