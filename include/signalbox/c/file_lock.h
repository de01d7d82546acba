/* file_lock.h: locks on a file or a range of its bytes from C, shared or exclusive, which die with
 * their holder.
 *
 *   Lives    until it is released, or the last copy of the descriptor is closed (of a process: any
 *            descriptor of that file)
 *   Threads  two threads exclude each other where each has opened the file itself
 *   Crash    the kernel releases it at any death
 *   Fork     a child shares it through its copy of the descriptor (of a process: not inherited)
 *   Limits   the machine's memory; some network file systems have no locks
 *   Polling  not possible
 *
 * They are advisory, and the three owners know nothing of each other: all users of a file must take
 * the same. signalbox/os/file_lock.hpp says more.
 */
#ifndef SIGNALBOX_C_FILE_LOCK_H
#define SIGNALBOX_C_FILE_LOCK_H

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A shared lock needs a readable descriptor, an exclusive one a writable descriptor; flock any. */
typedef enum sbx_lock_kind { SBX_LOCK_SHARED = 0, SBX_LOCK_EXCLUSIVE = 1 } sbx_lock_kind;

typedef enum sbx_lock_owner {
  SBX_OWNER_OPEN_FILE = 0, /* fcntl's lock of an open file: what you want */
  SBX_OWNER_FLOCK = 1,     /* the same for the whole file only; flock(1) knows it */
  SBX_OWNER_PROCESS = 2    /* fcntl's classic lock: closing any descriptor of the file drops it */
} sbx_lock_owner;

typedef struct sbx_file_range {
  uint64_t begin;
  uint64_t bytes; /* 0: to the end of the file, however long it becomes */
} sbx_file_range;

typedef struct sbx_file_lock_options {
  uint32_t struct_size; /* the caller's sizeof(sbx_file_lock_options) */
  uint32_t owner;       /* an sbx_lock_owner */
  sbx_file_range range; /* flock: the whole file */
} sbx_file_lock_options;

SBX_EXPORT void sbx_file_lock_options_init_sized(sbx_file_lock_options* options, size_t size);
static inline void sbx_file_lock_options_init(sbx_file_lock_options* options) {
  sbx_file_lock_options_init_sized(options, sizeof(*options));
}

/* Takes the lock on `fd`, or converts the one held to this kind; `options` may be NULL: the whole
 * file, for the open file. `on_signal` is an sbx_on_signal. With SBX_NEVER it sleeps in the kernel.
 * The kernel cannot end that sleep at a deadline, so with one it looks again and again: after 0.1
 * ms, then each time twice as long, up to 10 ms.
 * Errors: TIMED_OUT, INTERRUPTED (if so asked), BAD_ARGUMENT (the descriptor's access, or the
 * range), WOULD_DEADLOCK (of a process, without a deadline), LIMIT_REACHED, NOT_SUPPORTED. Nothing
 * has changed then, but that a conversion of flock releases first. */
SBX_EXPORT int sbx_file_lock_take(int fd, int kind, const sbx_file_lock_options* options,
                                  int64_t deadline_ns, int on_signal, sbx_error* error);
/* As take, but never waits. *taken = 0: somebody else's is in the way. Enters the kernel once. */
SBX_EXPORT int sbx_file_lock_try_take(int fd, int kind, const sbx_file_lock_options* options,
                                      int* taken, sbx_error* error);
/* Releases it; nothing if there is none. Error: BAD_ARGUMENT. Enters the kernel once. */
SBX_EXPORT int sbx_file_lock_release(int fd, const sbx_file_lock_options* options,
                                     sbx_error* error);

/* Somebody whose lock is in the way. */
typedef struct sbx_lock_holder {
  int32_t kind; /* an sbx_lock_kind */
  int32_t pid;  /* 0: unknown. Of an open file's lock always: the kernel does not keep it */
  sbx_file_range range;
} sbx_lock_holder;

/* Whose lock would stand in the way of this one? *found = 0: nobody's; it may be otherwise by now.
 * A lock of one's own is never in the way. For flock /proc/locks is read, which is slow. */
SBX_EXPORT int sbx_file_lock_holder(int fd, int kind, const sbx_file_lock_options* options,
                                    int* found, sbx_lock_holder* holder, sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_FILE_LOCK_H */
