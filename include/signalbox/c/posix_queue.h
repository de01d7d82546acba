/* posix_queue.h: POSIX message queues from C: whole messages, the most urgent first, and a
 * descriptor to wait on.
 *
 *   Lives    until sbx_posix_queue_unlink() and the last handle, or the machine restarts
 *   Threads  any number at a time on one handle
 *   Crash    a message is in the queue whole or not at all; those of the dead stay
 *   Fork     a child shares the handle until it execs
 *   Limits   /proc/sys/fs/mqueue, RLIMIT_MSGQUEUE, RLIMIT_NOFILE; priorities 0 to 32767
 *   Polling  sbx_posix_queue_descriptor()
 *
 * A name has one slash, at its beginning: "/jobs". signalbox/os/posix_queue.hpp says more.
 */
#ifndef SIGNALBOX_C_POSIX_QUEUE_H
#define SIGNALBOX_C_POSIX_QUEUE_H

#include "signalbox/c/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct sbx_posix_queue sbx_posix_queue;

typedef enum sbx_queue_access {
  SBX_QUEUE_RECEIVE = 0,
  SBX_QUEUE_SEND = 1,
  SBX_QUEUE_BOTH = 2
} sbx_queue_access;

typedef struct sbx_posix_queue_options {
  uint32_t struct_size; /* the caller's sizeof(sbx_posix_queue_options) */
  uint32_t mode;        /* 0600 unless asked; exactly this, whatever the umask */
  /* How many messages wait at most, and how long each may be. 0: the machine's usual, which
   * /proc/sys/fs/mqueue/msg_default and msgsize_default say. */
  int64_t messages_max;
  int64_t message_bytes_max;
  uint32_t access; /* an sbx_queue_access; both unless asked */
  uint32_t reserved;
} sbx_posix_queue_options;

SBX_EXPORT void sbx_posix_queue_options_init_sized(sbx_posix_queue_options* options, size_t size);
static inline void sbx_posix_queue_options_init(sbx_posix_queue_options* options) {
  sbx_posix_queue_options_init_sized(options, sizeof(*options));
}

/* Makes a new queue; `options` may be NULL. Errors: ALREADY_EXISTS, BAD_NAME, BAD_ARGUMENT (a limit
 * of /proc/sys/fs/mqueue), LIMIT_REACHED (RLIMIT_MSGQUEUE or descriptors), NO_SPACE (queues_max
 * queues exist), PERMISSION_DENIED, NOT_SUPPORTED. */
SBX_EXPORT int sbx_posix_queue_create(const char* name, const sbx_posix_queue_options* options,
                                      sbx_posix_queue** out, sbx_error* error);
/* `access` is an sbx_queue_access. Error besides: NOT_FOUND. */
SBX_EXPORT int sbx_posix_queue_open(const char* name, uint32_t access, sbx_posix_queue** out,
                                    sbx_error* error);
/* Opens it, or creates it with these options. Who opens takes its size as it is. */
SBX_EXPORT int sbx_posix_queue_open_or_create(const char* name,
                                              const sbx_posix_queue_options* options,
                                              sbx_posix_queue** out, sbx_error* error);
/* Removes the name at once; those who have it open go on with the same queue.
 * Errors: NOT_FOUND, PERMISSION_DENIED, BAD_NAME. */
SBX_EXPORT int sbx_posix_queue_unlink(const char* name, sbx_error* error);
/* Closes the handle, which nobody may use meanwhile. NULL is allowed. */
SBX_EXPORT void sbx_posix_queue_close(sbx_posix_queue* queue);

/* Puts a message behind those that are as urgent or more, waiting for room; higher is sooner.
 * `on_signal` is an sbx_on_signal. Errors: TIMED_OUT, INTERRUPTED (if so asked), TOO_LARGE (more
 * than message_bytes_max), BAD_ARGUMENT (a priority above 32767), PERMISSION_DENIED (opened to
 * receive). Whatever the error, nothing was queued. */
SBX_EXPORT int sbx_posix_queue_send(sbx_posix_queue* queue, const void* data, size_t bytes,
                                    uint32_t priority, int64_t deadline_ns, int on_signal,
                                    sbx_error* error);
/* *sent = 0: there is no room. */
SBX_EXPORT int sbx_posix_queue_try_send(sbx_posix_queue* queue, const void* data, size_t bytes,
                                        uint32_t priority, int* sent, sbx_error* error);

typedef struct sbx_priority_message {
  uint64_t bytes; /* now at the beginning of the buffer */
  uint32_t priority;
  uint32_t reserved;
} sbx_priority_message;

/* Takes the oldest of the most urgent messages, waiting for one. Errors: TIMED_OUT, INTERRUPTED (if
 * so asked), TOO_LARGE (the buffer has less than message_bytes_max, however short the message is),
 * PERMISSION_DENIED (opened to send). */
SBX_EXPORT int sbx_posix_queue_receive(sbx_posix_queue* queue, void* buffer, size_t room,
                                       int64_t deadline_ns, int on_signal,
                                       sbx_priority_message* message, sbx_error* error);
/* *received = 0: there is none. */
SBX_EXPORT int sbx_posix_queue_try_receive(sbx_posix_queue* queue, void* buffer, size_t room,
                                           sbx_priority_message* message, int* received,
                                           sbx_error* error);

typedef struct sbx_posix_queue_facts {
  uint32_t struct_size; /* set it to sizeof(sbx_posix_queue_facts) before you ask */
  uint32_t reserved;
  int64_t messages_max;
  int64_t message_bytes_max;
  int64_t messages; /* waiting now */
} sbx_posix_queue_facts;
SBX_EXPORT int sbx_posix_queue_look(const sbx_posix_queue* queue, sbx_posix_queue_facts* facts,
                                    sbx_error* error);

/* Asks for one signal, with this value in its siginfo, when a message comes into the empty queue.
 * One process at a time may ask: ALREADY_EXISTS. forget_notice takes it back, as closing does. */
SBX_EXPORT int sbx_posix_queue_notify_once(sbx_posix_queue* queue, int signal, int value,
                                           sbx_error* error);
SBX_EXPORT int sbx_posix_queue_forget_notice(sbx_posix_queue* queue, sbx_error* error);

/* Readable while there is a message, writable while there is room. It belongs to the queue: do not
 * close it. -1 for NULL. */
SBX_EXPORT int sbx_posix_queue_descriptor(const sbx_posix_queue* queue);

#ifdef __cplusplus
}
#endif

#endif /* SIGNALBOX_C_POSIX_QUEUE_H */
