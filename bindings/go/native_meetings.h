/* native_meetings.h: what each Go call on a reader/writer lock, a condition or a barrier does in C.
 */
#ifndef SIGNALBOX_GO_NATIVE_MEETINGS_H
#define SIGNALBOX_GO_NATIVE_MEETINGS_H

#include "native_locks.h"
#include "signalbox/c/barrier.h"
#include "signalbox/c/condition.h"
#include "signalbox/c/read_write_lock.h"

static inline int sbxgo_read_write_lock_open(const char* name, const char* domain,
                                             sbx_read_write_lock** out, sbxgo_result* result) {
  sbx_lock_options options;
  sbx_lock_options_init(&options);
  options.domain = domain;
  options.any_thread = 1;
  return sbx_read_write_lock_open(name, &options, out, &result->error);
}

static inline int sbxgo_lock_to_read(sbx_read_write_lock* lock, int32_t* thread,
                                     sbx_read_guard* guard, sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code = sbx_lock_to_read(lock, SBX_NEVER, SBX_ON_SIGNAL_GIVE_UP, guard, &result->error);
  sbxgo_awake(thread);
  return code;
}

/* done: the last writer died. */
static inline int sbxgo_lock_to_write(sbx_read_write_lock* lock, int32_t* thread,
                                      sbx_write_guard* guard, sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code = sbx_lock_to_write(lock, SBX_NEVER, SBX_ON_SIGNAL_GIVE_UP, guard, &result->done,
                                     &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_try_lock_to_write(sbx_read_write_lock* lock, sbx_write_guard* guard,
                                          sbxgo_result* result) {
  return sbx_try_lock_to_write(lock, guard, &result->done, &result->error);
}

/* done: an owner of the mutex died. Where nobody will end the wait no signal has to. */
static inline int sbxgo_condition_wait(sbx_condition* condition, sbx_mutex_guard* guard, int ends,
                                       int32_t* thread, sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code = sbx_condition_wait(condition, guard, SBX_NEVER,
                                      ends ? SBX_ON_SIGNAL_GIVE_UP : SBX_ON_SIGNAL_GO_ON,
                                      &result->done, &result->error);
  sbxgo_awake(thread);
  return code;
}

static inline int sbxgo_barrier_arrive_and_wait(sbx_barrier* barrier, int32_t* thread,
                                                sbxgo_result* result) {
  sbxgo_fall_asleep(thread);
  const int code =
      sbx_barrier_arrive_and_wait(barrier, SBX_NEVER, SBX_ON_SIGNAL_GIVE_UP, &result->error);
  sbxgo_awake(thread);
  return code;
}

#endif /* SIGNALBOX_GO_NATIVE_MEETINGS_H */
