/* named_semaphore.h: POSIX semaphores from C: one count that others find by a name.
 *
 *   Lives    until sbx_named_semaphore_unlink() and the last handle
 *   Threads  any number at a time on one handle
 *   Crash    units that the dead took stay taken
 *   Fork     a child inherits the handle
 *   Limits   a count of 0 to 2147483647; a slash and 1 to 251 bytes of name; the space of /dev/shm
 *   Polling  not possible
 *
 * A name has one slash, at its beginning: "/printer". signalbox/os/posix_semaphore.hpp says more.
 */
#ifndef SIGNALBOX_C_NAMED_SEMAPHORE_H
#define SIGNALBOX_C_NAMED_SEMAPHORE_H

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_named_semaphore sbx_named_semaphore;

typedef struct sbx_named_semaphore_options {
  uint32_t struct_size; /* the caller's sizeof(sbx_named_semaphore_options) */
  uint32_t mode;        /* 0600 unless asked; exactly this, whatever the umask */
} sbx_named_semaphore_options;

SBX_EXPORT void sbx_named_semaphore_options_init_sized(sbx_named_semaphore_options* options,
                                                       size_t size);
static inline void sbx_named_semaphore_options_init(sbx_named_semaphore_options* options) {
  sbx_named_semaphore_options_init_sized(options, sizeof(*options));
}

/* Makes a new one; `options` may be NULL. Errors: ALREADY_EXISTS, BAD_NAME, OUT_OF_RANGE (the
 * initial count), NO_SPACE, LIMIT_REACHED (descriptors), PERMISSION_DENIED. Each of these three
 * enters the kernel several times. */
SBX_EXPORT int sbx_named_semaphore_create(const char* name, uint32_t initial,
                                          const sbx_named_semaphore_options* options,
                                          sbx_named_semaphore** out, sbx_error* error);
/* Error besides: NOT_FOUND. Needs the rights to read and to write. */
SBX_EXPORT int sbx_named_semaphore_open(const char* name, sbx_named_semaphore** out,
                                        sbx_error* error);
/* The initial count and the mode count only for who creates it. */
SBX_EXPORT int sbx_named_semaphore_open_or_create(const char* name, uint32_t initial,
                                                  const sbx_named_semaphore_options* options,
                                                  sbx_named_semaphore** out, sbx_error* error);
/* Removes the name at once; those who have it open go on with the same semaphore.
 * Errors: NOT_FOUND, PERMISSION_DENIED, BAD_NAME. */
SBX_EXPORT int sbx_named_semaphore_unlink(const char* name, sbx_error* error);
/* Frees the handle, on which nobody may sleep any more. NULL is allowed. */
SBX_EXPORT void sbx_named_semaphore_close(sbx_named_semaphore* semaphore);

/* Takes one unit, sleeping until there is one; enters the kernel only to sleep. `on_signal` is an
 * sbx_on_signal. Errors: TIMED_OUT, INTERRUPTED (if so asked); the count is unchanged then. */
SBX_EXPORT int sbx_named_semaphore_wait(sbx_named_semaphore* semaphore, int64_t deadline_ns,
                                        int on_signal, sbx_error* error);
/* As wait, but never sleeps. *taken = 0: the count was zero. Does not enter the kernel. */
SBX_EXPORT int sbx_named_semaphore_try_wait(sbx_named_semaphore* semaphore, int* taken,
                                            sbx_error* error);
/* Gives one unit and wakes one sleeper; async-signal-safe while it succeeds. Enters the kernel only
 * where somebody sleeps. Error: OUT_OF_RANGE (the count is at its maximum). */
SBX_EXPORT int sbx_named_semaphore_post(sbx_named_semaphore* semaphore, sbx_error* error);
/* How many units there are; by the time you look it may be another number. */
SBX_EXPORT int sbx_named_semaphore_value(const sbx_named_semaphore* semaphore, int32_t* value,
                                         sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_NAMED_SEMAPHORE_H */
