/* native_sleep.h: how a sleep in C is ended by Go.
 *
 * A call that may sleep tells its thread while it does, so that Go can end the sleep by a signal to
 * that thread.
 */
#ifndef SIGNALBOX_GO_NATIVE_SLEEP_H
#define SIGNALBOX_GO_NATIVE_SLEEP_H

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

static inline void sbxgo_fall_asleep(int32_t* thread) {
  __atomic_store_n(thread, (int32_t)gettid(), __ATOMIC_SEQ_CST);
}
static inline void sbxgo_awake(int32_t* thread) { __atomic_store_n(thread, 0, __ATOMIC_SEQ_CST); }

/* Interrupts a sleep. Go has a handler for this signal, and takes needless ones for granted. */
static inline void sbxgo_kick(int32_t thread) { tgkill(getpid(), thread, SIGURG); }

#endif /* SIGNALBOX_GO_NATIVE_SLEEP_H */
