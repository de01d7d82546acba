/* native_objects.h: what each Go call on an object of the kernel does in C.
 *
 * A call that may sleep tells its thread while it does, so that Go can end the sleep by a signal to
 * that thread: these objects cannot be polled.
 */
#ifndef SIGNALBOX_GO_NATIVE_OBJECTS_H
#define SIGNALBOX_GO_NATIVE_OBJECTS_H

#include <stdlib.h>

#include "native_sleep.h"
#include "signalbox/c/named_semaphore.h"
#include "signalbox/c/posix_queue.h"
#include "signalbox/c/semaphore_set.h"
#include "signalbox/c/sysv_queue.h"
#include "signalbox/c/wait_set.h"

/* Where calls leave small answers; in Go's memory, without pointers. */
typedef struct sbxgo_result {
  sbx_error error;
  int done;
  int32_t value;
  uint16_t count;
} sbxgo_result;

static inline int sbxgo_set_create(int32_t key, const uint16_t* initial, uint64_t count,
                                   uint32_t mode, sbx_semaphore_set** out, sbxgo_result* result) {
  sbx_semaphore_set_options options;
  sbx_semaphore_set_options_init(&options);
  options.mode = mode;
  return sbx_semaphore_set_create(key, initial, (size_t)count, &options, out, &result->error);
}

/* -1 and 0 as the deadline mean never and at once. */
static inline int64_t sbxgo_until(int64_t wait_ns) {
  return wait_ns < 0 ? SBX_NEVER : wait_ns == 0 ? SBX_IMMEDIATE : sbx_now_ns() + wait_ns;
}

static inline int sbxgo_set_open(int32_t key, int32_t count, int64_t wait_ns,
                                 sbx_semaphore_set** out, sbxgo_result* result) {
  return sbx_semaphore_set_open(key, count, sbxgo_until(wait_ns), out, &result->error);
}

static inline int sbxgo_set_open_or_create(int32_t key, const uint16_t* initial, uint64_t count,
                                           uint32_t mode, int64_t wait_ns, sbx_semaphore_set** out,
                                           sbxgo_result* result) {
  sbx_semaphore_set_options options;
  sbx_semaphore_set_options_init(&options);
  options.mode = mode;
  return sbx_semaphore_set_open_or_create(key, initial, (size_t)count, sbxgo_until(wait_ns),
                                          &options, out, &result->error);
}

static inline int sbxgo_set_apply(sbx_semaphore_set* set, const sbx_sem_op* ops, uint64_t count,
                                  int32_t* thread, sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code = sbx_semaphore_set_apply(set, ops, (size_t)count, SBX_NEVER,
                                           SBX_ON_SIGNAL_GIVE_UP, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_set_try_apply(sbx_semaphore_set* set, const sbx_sem_op* ops, uint64_t count,
                                      sbxgo_result* result) {
  return sbx_semaphore_set_try_apply(set, ops, (size_t)count, &result->done, &result->error);
}

static inline int sbxgo_set_value(sbx_semaphore_set* set, uint16_t index, sbxgo_result* result) {
  return sbx_semaphore_set_value(set, index, &result->count, &result->error);
}

static inline int sbxgo_named_create(const char* name, uint32_t initial, uint32_t mode, int or_open,
                                     sbx_named_semaphore** out, sbxgo_result* result) {
  sbx_named_semaphore_options options;
  sbx_named_semaphore_options_init(&options);
  options.mode = mode;
  return or_open ? sbx_named_semaphore_open_or_create(name, initial, &options, out, &result->error)
                 : sbx_named_semaphore_create(name, initial, &options, out, &result->error);
}

/* The end of a wait that has none but is to be ended by a signal: the kernel goes on with a wait
 * for ever by itself when a handler has run, but not with one that has an end. */
static inline int64_t sbxgo_far_away(void) { return sbx_now_ns() + (int64_t)86400 * 1000000000; }

static inline int sbxgo_named_wait(sbx_named_semaphore* semaphore, int32_t* thread,
                                   sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code =
      sbx_named_semaphore_wait(semaphore, sbxgo_far_away(), SBX_ON_SIGNAL_GIVE_UP, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_named_try_wait(sbx_named_semaphore* semaphore, sbxgo_result* result) {
  return sbx_named_semaphore_try_wait(semaphore, &result->done, &result->error);
}

static inline int sbxgo_named_value(sbx_named_semaphore* semaphore, sbxgo_result* result) {
  return sbx_named_semaphore_value(semaphore, &result->value, &result->error);
}

static inline int sbxgo_posix_create(const char* name, int64_t messages_max,
                                     int64_t message_bytes_max, uint32_t mode, uint32_t access,
                                     int or_open, sbx_posix_queue** out, sbxgo_result* result) {
  sbx_posix_queue_options options;
  sbx_posix_queue_options_init(&options);
  options.messages_max = messages_max;
  options.message_bytes_max = message_bytes_max;
  options.mode = mode;
  options.access = access;
  return or_open ? sbx_posix_queue_open_or_create(name, &options, out, &result->error)
                 : sbx_posix_queue_create(name, &options, out, &result->error);
}

static inline int sbxgo_posix_try_send(sbx_posix_queue* queue, const unsigned char* data,
                                       uint64_t bytes, uint32_t priority, sbxgo_result* result) {
  return sbx_posix_queue_try_send(queue, data, (size_t)bytes, priority, &result->done,
                                  &result->error);
}

static inline int sbxgo_posix_try_receive(sbx_posix_queue* queue, unsigned char* buffer,
                                          uint64_t room, sbx_priority_message* message,
                                          sbxgo_result* result) {
  return sbx_posix_queue_try_receive(queue, buffer, (size_t)room, message, &result->done,
                                     &result->error);
}

static inline int sbxgo_sysv_create(int32_t key, uint32_t mode, int or_open, sbx_sysv_queue** out,
                                    sbxgo_result* result) {
  sbx_sysv_queue_options options;
  sbx_sysv_queue_options_init(&options);
  options.mode = mode;
  return or_open ? sbx_sysv_queue_open_or_create(key, &options, out, &result->error)
                 : sbx_sysv_queue_create(key, &options, out, &result->error);
}

/* For ever, as far as the kernel knows: any other deadline would be waited for by napping. */
static inline int sbxgo_sysv_send(sbx_sysv_queue* queue, int64_t type, const unsigned char* data,
                                  uint64_t bytes, int32_t* thread, sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code = sbx_sysv_queue_send(queue, type, data, (size_t)bytes, SBX_NEVER,
                                       SBX_ON_SIGNAL_GIVE_UP, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_sysv_try_send(sbx_sysv_queue* queue, int64_t type,
                                      const unsigned char* data, uint64_t bytes,
                                      sbxgo_result* result) {
  return sbx_sysv_queue_try_send(queue, type, data, (size_t)bytes, &result->done, &result->error);
}

static inline int sbxgo_sysv_receive(sbx_sysv_queue* queue, unsigned char* buffer, uint64_t room,
                                     uint32_t kind, int64_t type, int32_t* thread,
                                     sbx_queue_message* message, sbxgo_result* result) {
  const sbx_message_filter filter = {kind, 0, type};
  sbxgo_fall_asleep(thread);
  const int code = sbx_sysv_queue_receive(queue, buffer, (size_t)room, filter, 0, SBX_NEVER,
                                          SBX_ON_SIGNAL_GIVE_UP, message, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_sysv_try_receive(sbx_sysv_queue* queue, unsigned char* buffer,
                                         uint64_t room, uint32_t kind, int64_t type,
                                         sbx_queue_message* message, sbxgo_result* result) {
  const sbx_message_filter filter = {kind, 0, type};
  return sbx_sysv_queue_try_receive(queue, buffer, (size_t)room, filter, 0, message, &result->done,
                                    &result->error);
}

#endif /* SIGNALBOX_GO_NATIVE_OBJECTS_H */
