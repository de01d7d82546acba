/* sysv_queue.h: System V message queues from C: whole messages with a type, received by type.
 *
 *   Lives    until sbx_sysv_queue_remove() or the machine restarts, with the messages in it
 *   Threads  any number at a time on one handle
 *   Crash    a message is in the queue whole or not at all; those of the dead stay
 *   Fork     a child may use the handle
 *   Limits   /proc/sys/kernel/msgmax (bytes of a message), msgmnb (of a queue), msgmni (queues)
 *   Polling  not possible: a POSIX queue has a descriptor
 *
 * With SBX_NEVER a wait sleeps in the kernel; with any other deadline it looks, naps and looks
 * again, up to 100 times a second, because the kernel has no timed call. For this and all else:
 * signalbox/os/sysv_queue.hpp. Errors everywhere: PERMISSION_DENIED, and REMOVED once it is gone.
 */
#ifndef SIGNALBOX_C_SYSV_QUEUE_H
#define SIGNALBOX_C_SYSV_QUEUE_H

#include "signalbox/c/semaphore_set.h" /* keys, and sbx_sysv_access */

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_sysv_queue sbx_sysv_queue;

typedef struct sbx_sysv_queue_options {
  uint32_t struct_size; /* the caller's sizeof(sbx_sysv_queue_options) */
  uint32_t mode;        /* 0600 unless asked; no umask applies */
} sbx_sysv_queue_options;

SBX_EXPORT void sbx_sysv_queue_options_init_sized(sbx_sysv_queue_options* options, size_t size);
static inline void sbx_sysv_queue_options_init(sbx_sysv_queue_options* options) {
  sbx_sysv_queue_options_init_sized(options, sizeof(*options));
}

/* Errors: ALREADY_EXISTS, NO_SPACE (msgmni queues exist), OUT_OF_MEMORY. `options` may be NULL. */
SBX_EXPORT int sbx_sysv_queue_create(int32_t key, const sbx_sysv_queue_options* options,
                                     sbx_sysv_queue** out, sbx_error* error);
/* Errors: NOT_FOUND, BAD_ARGUMENT (a private key: attach instead). */
SBX_EXPORT int sbx_sysv_queue_open(int32_t key, sbx_sysv_queue** out, sbx_error* error);
SBX_EXPORT int sbx_sysv_queue_open_or_create(int32_t key, const sbx_sysv_queue_options* options,
                                             sbx_sysv_queue** out, sbx_error* error);
/* The queue of this id, for example a private one of one's parent. Error: NOT_FOUND. */
SBX_EXPORT int sbx_sysv_queue_attach(int id, sbx_sysv_queue** out, sbx_error* error);
/* Frees the handle and leaves the queue as it is. NULL is allowed. */
SBX_EXPORT void sbx_sysv_queue_close(sbx_sysv_queue* queue);
SBX_EXPORT int sbx_sysv_queue_id(const sbx_sysv_queue* queue); /* -1 for NULL */

/* Puts a message at the end, waiting for room. Types are 1 and above; `on_signal` is an
 * sbx_on_signal. Errors: TIMED_OUT, INTERRUPTED (if so asked), BAD_ARGUMENT (a type below 1),
 * TOO_LARGE (more than msgmax). Whatever the error, nothing was queued. */
SBX_EXPORT int sbx_sysv_queue_send(sbx_sysv_queue* queue, int64_t type, const void* data,
                                   size_t bytes, int64_t deadline_ns, int on_signal,
                                   sbx_error* error);
/* *sent = 0: there is no room. */
SBX_EXPORT int sbx_sysv_queue_try_send(sbx_sysv_queue* queue, int64_t type, const void* data,
                                       size_t bytes, int* sent, sbx_error* error);

/* Which messages a receive is for. */
typedef enum sbx_filter_kind {
  SBX_FILTER_ANY = 0,    /* the oldest of all; the type does not matter */
  SBX_FILTER_EXACT = 1,  /* the oldest of this type */
  SBX_FILTER_UP_TO = 2,  /* of the lowest type that is there and not above this, the oldest */
  SBX_FILTER_ALL_BUT = 3 /* the oldest that is not of this type */
} sbx_filter_kind;
typedef struct sbx_message_filter {
  uint32_t kind; /* an sbx_filter_kind */
  uint32_t reserved;
  int64_t type;
} sbx_message_filter;

typedef struct sbx_queue_message {
  int64_t type;
  uint64_t bytes; /* now at the beginning of the buffer */
  uint32_t was_cut_off;
  uint32_t reserved;
} sbx_queue_message;

/* For `flags` of receive: of a message that is longer than the buffer the rest is lost, and
 * was_cut_off says so. Otherwise it is refused as TOO_LARGE and stays in the queue. */
#define SBX_RECEIVE_CUT_OFF ((uint32_t)1)

/* Takes the first message that the filter lets through, waiting for one.
 * Errors: TIMED_OUT, INTERRUPTED (if so asked), TOO_LARGE, BAD_ARGUMENT (a type below 1). */
SBX_EXPORT int sbx_sysv_queue_receive(sbx_sysv_queue* queue, void* buffer, size_t room,
                                      sbx_message_filter filter, uint32_t flags,
                                      int64_t deadline_ns, int on_signal,
                                      sbx_queue_message* message, sbx_error* error);
/* *received = 0: there is none. */
SBX_EXPORT int sbx_sysv_queue_try_receive(sbx_sysv_queue* queue, void* buffer, size_t room,
                                          sbx_message_filter filter, uint32_t flags,
                                          sbx_queue_message* message, int* received,
                                          sbx_error* error);
/* Copies the message at this place, 0 for the oldest, and leaves it there. *found = 0: there are
 * not so many. Errors: TOO_LARGE (longer than the buffer), NOT_SUPPORTED (the kernel lacks
 * CONFIG_CHECKPOINT_RESTORE). */
SBX_EXPORT int sbx_sysv_queue_peek(const sbx_sysv_queue* queue, size_t place, void* buffer,
                                   size_t room, sbx_queue_message* message, int* found,
                                   sbx_error* error);

/* Whoever sleeps on it wakes with REMOVED; the messages are gone. */
SBX_EXPORT int sbx_sysv_queue_remove(sbx_sysv_queue* queue, sbx_error* error);

typedef struct sbx_sysv_queue_facts {
  uint32_t struct_size; /* set it to sizeof(sbx_sysv_queue_facts) before you ask */
  int32_t id;
  sbx_sysv_access access;
  uint64_t messages; /* waiting */
  uint64_t bytes;    /* in them */
  uint64_t bytes_max;
  uint32_t last_sender; /* a pid; 0: nobody yet, or not visible in this pid name space */
  uint32_t last_receiver;
  int64_t last_send; /* seconds since 1970; 0: never */
  int64_t last_receive;
  int64_t last_change;
} sbx_sysv_queue_facts;
SBX_EXPORT int sbx_sysv_queue_look(const sbx_sysv_queue* queue, sbx_sysv_queue_facts* facts,
                                   sbx_error* error);

/* How many bytes may wait in it. Above msgmnb needs CAP_SYS_RESOURCE: LIMIT_REACHED. Two calls, as
 * set_mode. */
SBX_EXPORT int sbx_sysv_queue_set_capacity(sbx_sysv_queue* queue, uint64_t bytes, sbx_error* error);
SBX_EXPORT int sbx_sysv_queue_set_mode(sbx_sysv_queue* queue, uint32_t mode, sbx_error* error);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_SYSV_QUEUE_H */
