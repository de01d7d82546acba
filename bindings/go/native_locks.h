/* native_locks.h: what each Go call on a lock does in C.
 *
 * A goroutine may be run by another thread when it releases what it locked, so locks belong to no
 * thread here.
 */
#ifndef SIGNALBOX_GO_NATIVE_LOCKS_H
#define SIGNALBOX_GO_NATIVE_LOCKS_H

#include "native_objects.h"
#include "signalbox/c/file_lock.h"
#include "signalbox/c/lock.h"
#include "signalbox/c/semaphore.h"

static inline int sbxgo_mutex_open(const char* name, const char* domain, int fair, sbx_mutex** out,
                                   sbxgo_result* result) {
  sbx_lock_options options;
  sbx_lock_options_init(&options);
  options.domain = domain;
  options.first_come_first_served = fair != 0;
  options.any_thread = 1;
  return sbx_mutex_open(name, &options, out, &result->error);
}

/* done: the last owner died. */
static inline int sbxgo_mutex_lock(sbx_mutex* mutex, int32_t* thread, sbx_mutex_guard* guard,
                                   sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code =
      sbx_mutex_lock(mutex, SBX_NEVER, SBX_ON_SIGNAL_GIVE_UP, guard, &result->done, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_mutex_try_lock(sbx_mutex* mutex, sbx_mutex_guard* guard,
                                       sbxgo_result* result) {
  return sbx_mutex_try_lock(mutex, guard, &result->done, &result->error);
}

static inline int sbxgo_semaphore_open(const char* name, uint32_t units_max, uint32_t units,
                                       const char* domain, int fair, sbx_semaphore** out,
                                       sbxgo_result* result) {
  sbx_semaphore_options options;
  sbx_semaphore_options_init(&options);
  options.units = units;
  options.domain = domain;
  options.first_come_first_served = fair != 0;
  return sbx_semaphore_open(name, units_max, &options, out, &result->error);
}

static inline int sbxgo_semaphore_acquire(sbx_semaphore* semaphore, int32_t* thread,
                                          sbx_permit* permit, sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code =
      sbx_semaphore_acquire(semaphore, SBX_NEVER, SBX_ON_SIGNAL_GIVE_UP, permit, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_semaphore_consume(sbx_semaphore* semaphore, int32_t* thread,
                                          sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code =
      sbx_semaphore_consume(semaphore, SBX_NEVER, SBX_ON_SIGNAL_GIVE_UP, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline sbx_file_lock_options sbxgo_file_lock_options(uint32_t owner, uint64_t begin,
                                                            uint64_t bytes) {
  sbx_file_lock_options options;
  sbx_file_lock_options_init(&options);
  options.owner = owner;
  options.range.begin = begin;
  options.range.bytes = bytes;
  return options;
}

/* With an end that is far away it is a nap again and again, which a signal ends. */
static inline int sbxgo_file_lock_take(int fd, int kind, uint32_t owner, uint64_t begin,
                                       uint64_t bytes, int ends, int32_t* thread,
                                       sbxgo_result* result) {
  const sbx_file_lock_options options = sbxgo_file_lock_options(owner, begin, bytes);
  sbxgo_fall_asleep(thread);
  const int code = sbx_file_lock_take(fd, kind, &options, ends ? sbxgo_far_away() : SBX_NEVER,
                                      SBX_ON_SIGNAL_GIVE_UP, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_file_lock_try_take(int fd, int kind, uint32_t owner, uint64_t begin,
                                           uint64_t bytes, sbxgo_result* result) {
  const sbx_file_lock_options options = sbxgo_file_lock_options(owner, begin, bytes);
  return sbx_file_lock_try_take(fd, kind, &options, &result->done, &result->error);
}

static inline int sbxgo_file_lock_release(int fd, uint32_t owner, uint64_t begin, uint64_t bytes,
                                          sbxgo_result* result) {
  const sbx_file_lock_options options = sbxgo_file_lock_options(owner, begin, bytes);
  return sbx_file_lock_release(fd, &options, &result->error);
}

/* done: somebody's is in the way. */
static inline int sbxgo_file_lock_holder(int fd, int kind, uint32_t owner, uint64_t begin,
                                         uint64_t bytes, sbx_lock_holder* holder,
                                         sbxgo_result* result) {
  const sbx_file_lock_options options = sbxgo_file_lock_options(owner, begin, bytes);
  return sbx_file_lock_holder(fd, kind, &options, &result->done, holder, &result->error);
}

#endif /* SIGNALBOX_GO_NATIVE_LOCKS_H */
