/* semaphore_set.h: System V semaphores from C: several counts changed as one step, or not at all.
 *
 *   Lives    until sbx_semaphore_set_remove() or the machine restarts; closing deletes nothing
 *   Threads  any number at a time on one handle; what is to be undone belongs to the process
 *   Crash    steps marked SBX_SEM_UNDO are reverted when the process ends, even by SIGKILL
 *   Fork     a child may use the handle; it does not inherit what its parent has to undo
 *   Limits   /proc/sys/kernel/sem; a count stays within 0 and 32767
 *   Polling  not possible; a wait sleeps in the kernel
 *
 * signalbox/os/semaphore_set.hpp says more. Every call enters the kernel once unless it says
 * otherwise. Errors everywhere: PERMISSION_DENIED, and REMOVED once the set is gone.
 */
#ifndef SIGNALBOX_C_SEMAPHORE_SET_H
#define SIGNALBOX_C_SEMAPHORE_SET_H

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_semaphore_set sbx_semaphore_set;

/* Keys of System V objects are plain numbers, as another program may document them. */
/* A new object at every create; relatives attach by its id. */
#define SBX_SYSV_PRIVATE ((int32_t)0)

/* The key that ftok(3) makes of a file that exists and a project number of 1 to 255. Two files may
 * give the same. Errors: NOT_FOUND, PERMISSION_DENIED, BAD_ARGUMENT (project 0). */
SBX_EXPORT int sbx_sysv_key_of_file(const char* path, uint8_t project, int32_t* key,
                                    sbx_error* error);

typedef struct sbx_semaphore_set_options {
  uint32_t struct_size; /* the caller's sizeof(sbx_semaphore_set_options) */
  uint32_t mode;        /* 0600 unless asked; no umask applies */
} sbx_semaphore_set_options;

SBX_EXPORT void sbx_semaphore_set_options_init_sized(sbx_semaphore_set_options* options,
                                                     size_t size);
static inline void sbx_semaphore_set_options_init(sbx_semaphore_set_options* options) {
  sbx_semaphore_set_options_init_sized(options, sizeof(*options));
}

/* Makes a new set of `count` semaphores with these counts. `options` may be NULL.
 * Errors: ALREADY_EXISTS, NO_SPACE (sets or semaphores are used up), BAD_ARGUMENT (no semaphore, or
 * more than SEMMSL), OUT_OF_RANGE (a count above 32767). */
SBX_EXPORT int sbx_semaphore_set_create(int32_t key, const uint16_t* initial, size_t count,
                                        const sbx_semaphore_set_options* options,
                                        sbx_semaphore_set** out, sbx_error* error);
/* Opens a set of at least `count` semaphores (0: of any size) once its creator has set its counts.
 * Errors: NOT_FOUND, BAD_ARGUMENT (fewer semaphores, a private key), ABANDONED (the deadline
 * passed: its creator died before that; open_as_is and remove it). */
SBX_EXPORT int sbx_semaphore_set_open(int32_t key, int32_t count, int64_t deadline_ns,
                                      sbx_semaphore_set** out, sbx_error* error);
/* Opens it, or creates it with these counts; who opens never sees it half made. */
SBX_EXPORT int sbx_semaphore_set_open_or_create(int32_t key, const uint16_t* initial, size_t count,
                                                int64_t deadline_ns,
                                                const sbx_semaphore_set_options* options,
                                                sbx_semaphore_set** out, sbx_error* error);
/* Opens what there is, even if nobody has used it yet. Errors: NOT_FOUND, BAD_ARGUMENT. */
SBX_EXPORT int sbx_semaphore_set_open_as_is(int32_t key, sbx_semaphore_set** out, sbx_error* error);
/* The set of this id, for example a private one of one's parent. Error: NOT_FOUND. */
SBX_EXPORT int sbx_semaphore_set_attach(int id, sbx_semaphore_set** out, sbx_error* error);

/* Frees the handle and leaves the set as it is. NULL is allowed. */
SBX_EXPORT void sbx_semaphore_set_close(sbx_semaphore_set* set);
/* Valid in every process of the name space until the set is removed; -1 for NULL. */
SBX_EXPORT int sbx_semaphore_set_id(const sbx_semaphore_set* set);

/* One step on one count: below zero takes, above zero gives, zero waits until the count is zero. */
typedef struct sbx_sem_op {
  uint16_t index;
  int16_t delta;
  uint32_t flags; /* 0 or SBX_SEM_UNDO */
} sbx_sem_op;

/* The kernel reverts it when this process ends, in whatever way. */
#define SBX_SEM_UNDO ((uint32_t)1)

/* Performs all operations in order as one step, sleeping until that is possible; `on_signal` is an
 * sbx_on_signal. Whatever the error, nothing changed. Errors: TIMED_OUT, INTERRUPTED (if so asked),
 * REMOVED, OUT_OF_RANGE (an index, or a count that would leave 0 to 32767), TOO_LARGE (more than
 * SEMOPM operations), BAD_ARGUMENT (none), NO_SPACE and OUT_OF_MEMORY (for what is to be undone).
 * More than 64 operations are copied to the heap, fewer to the stack. */
SBX_EXPORT int sbx_semaphore_set_apply(sbx_semaphore_set* set, const sbx_sem_op* ops, size_t count,
                                       int64_t deadline_ns, int on_signal, sbx_error* error);
/* As apply, but never sleeps. *done = 0: it would have had to, and nothing was changed. */
SBX_EXPORT int sbx_semaphore_set_try_apply(sbx_semaphore_set* set, const sbx_sem_op* ops,
                                           size_t count, int* done, sbx_error* error);

/* A critical section under one count, which says how many may be inside: takes one unit, and gives
 * it back. Both are marked SBX_SEM_UNDO, so a process that dies inside has left. Who leaves must be
 * the process that entered. Errors: those of apply. */
SBX_EXPORT int sbx_semaphore_set_enter(sbx_semaphore_set* set, uint16_t index, int64_t deadline_ns,
                                       int on_signal, sbx_error* error);
SBX_EXPORT int sbx_semaphore_set_leave(sbx_semaphore_set* set, uint16_t index, sbx_error* error);

/* Every sleeper wakes with REMOVED, and every later call answers it. */
SBX_EXPORT int sbx_semaphore_set_remove(sbx_semaphore_set* set, sbx_error* error);

/* What a count is. Error of all that take an index: OUT_OF_RANGE. */
SBX_EXPORT int sbx_semaphore_set_value(const sbx_semaphore_set* set, uint16_t index,
                                       uint16_t* value, sbx_error* error);
/* All counts at one instant, two calls. *count receives how many there are; `values` those for
 * which there is `room`. */
SBX_EXPORT int sbx_semaphore_set_values(const sbx_semaphore_set* set, uint16_t* values, size_t room,
                                        size_t* count, sbx_error* error);

/* Who uses a count: the process that last changed it (0: none yet, or not visible in this pid name
 * space), how many sleep until it grows, and until it is zero. Three calls. */
typedef struct sbx_semaphore_users {
  uint32_t last_pid;
  uint32_t waiting_to_take;
  uint32_t waiting_for_zero;
} sbx_semaphore_users;
SBX_EXPORT int sbx_semaphore_set_users(const sbx_semaphore_set* set, uint16_t index,
                                       sbx_semaphore_users* users, sbx_error* error);

/* Whose a System V object is. */
typedef struct sbx_sysv_access {
  int32_t key;
  uint32_t owner_uid;
  uint32_t owner_gid;
  uint32_t creator_uid; /* may do what the owner may, and stays the same */
  uint32_t creator_gid;
  uint32_t mode;
} sbx_sysv_access;

typedef struct sbx_semaphore_set_facts {
  uint32_t struct_size; /* set it to sizeof(sbx_semaphore_set_facts) before you ask */
  int32_t id;
  sbx_sysv_access access;
  uint32_t count; /* of semaphores */
  uint32_t reserved;
  int64_t last_operation; /* seconds since 1970; 0: none yet */
  int64_t last_change;    /* when it was made, its counts set, or its access changed */
} sbx_semaphore_set_facts;
SBX_EXPORT int sbx_semaphore_set_look(const sbx_semaphore_set* set, sbx_semaphore_set_facts* facts,
                                      sbx_error* error);

/* Sets counts whatever they are, wakes whom that lets go on, and makes the kernel forget what any
 * process had to undo on them. Errors: OUT_OF_RANGE (index, or value not within 0 and 32767),
 * BAD_ARGUMENT (not one value for each semaphore). set_values needs two calls. */
SBX_EXPORT int sbx_semaphore_set_set_value(sbx_semaphore_set* set, uint16_t index, int32_t value,
                                           sbx_error* error);
SBX_EXPORT int sbx_semaphore_set_set_values(sbx_semaphore_set* set, const uint16_t* values,
                                            size_t count, sbx_error* error);
/* Changes who may use it; for its owner and creator. Two calls. */
SBX_EXPORT int sbx_semaphore_set_set_mode(sbx_semaphore_set* set, uint32_t mode, sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_SEMAPHORE_SET_H */
