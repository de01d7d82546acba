/* native.h: what each Go call does in C, shaped so that every Go call crosses into C once.
 *
 * No pointer to Go memory is kept here. The structs below always lie in C memory: `data` of an
 * sbx_sample or sbx_loan may point into the struct itself, and Go's stacks move.
 */
#ifndef SIGNALBOX_GO_NATIVE_H
#define SIGNALBOX_GO_NATIVE_H

#include <stdlib.h>

#include "native_sleep.h"
#include "signalbox/signalbox.h"

/* A sample and whether it holds a message, so that a second release does nothing. */
typedef struct sbxgo_sample {
  sbx_sample sample;
  int held;
} sbxgo_sample;

/* A loan and the position that publishing gave it. */
typedef struct sbxgo_loan {
  sbx_loan loan;
  uint64_t position;
} sbxgo_loan;

/* Answers 1: taken, 0: nothing new, or a negative sbx_code. */
static inline int sbxgo_take(sbx_subscriber* subscriber, int latest, sbxgo_sample* out,
                             sbx_error* error) {
  int taken = 0;
  const int code = latest ? sbx_subscriber_take_latest(subscriber, &out->sample, &taken, error)
                          : sbx_subscriber_take(subscriber, &out->sample, &taken, error);
  if (code != SBX_OK) return -code;
  out->held = taken;
  return taken;
}

/* As sbxgo_take(), looking up to `looks` times: crossing into C costs more than a look. */
static inline int sbxgo_take_looking(sbx_subscriber* subscriber, uint32_t looks, sbxgo_sample* out,
                                     sbx_error* error) {
  int taken = 0;
  for (; looks > 0 && taken == 0; --looks) taken = sbxgo_take(subscriber, 0, out, error);
  return taken;
}

/* Sleeps until there is something to take, and takes it; as sbxgo_take(), and 0 also when a signal
 * handler ran in this thread, which is told meanwhile. */
static inline int sbxgo_sleep_and_take(sbx_subscriber* subscriber, int32_t* thread,
                                       sbxgo_sample* out, sbx_error* error) {
  int wake = SBX_WAKE_READY;
  sbxgo_fall_asleep(thread);
  const int code = sbx_subscriber_wait(subscriber, SBX_NEVER, &wake, error);
  sbxgo_awake(thread);
  return code == SBX_OK ? sbxgo_take(subscriber, 0, out, error) : -code;
}

/* Answers a code; how many were taken comes back in *taken, which lies in the handle's C memory. */
static inline int sbxgo_take_batch(sbx_subscriber* subscriber, unsigned char* messages,
                                   uint64_t room, size_t* taken, sbx_error* error) {
  return sbx_subscriber_take_batch(subscriber, messages, (size_t)room, taken, error);
}

static inline void sbxgo_release(sbxgo_sample* held) {
  if (!held->held) return;
  held->held = 0;
  sbx_sample_release(&held->sample);
}

static inline void sbxgo_release_and_free(sbxgo_sample* held) {
  sbxgo_release(held);
  free(held);
}

/* A moment `wait_ns` from now on the library's clock; 0: do not wait. */
static inline int64_t sbxgo_deadline(int64_t wait_ns) {
  return wait_ns <= 0 ? SBX_IMMEDIATE : sbx_now_ns() + wait_ns;
}

static inline int sbxgo_publish(sbx_publisher* publisher, sbxgo_loan* lent, int64_t wait_ns,
                                sbx_error* error) {
  return sbx_publisher_publish(publisher, &lent->loan, sbxgo_deadline(wait_ns), &lent->position,
                               error);
}

/* sbx_publisher_publish_batch() for at most sbxgo_loans_max loans that lie apart: a loan says where
 * its message is, and may be copied. */
enum { sbxgo_loans_max = 64 };
static inline int sbxgo_publish_batch(sbx_publisher* publisher, sbxgo_loan** lent, uint64_t count,
                                      int64_t wait_ns, size_t* published, sbx_error* error) {
  sbx_loan loans[sbxgo_loans_max];
  for (uint64_t i = 0; i < count; ++i) loans[i] = lent[i]->loan;
  return sbx_publisher_publish_batch(publisher, loans, (size_t)count, sbxgo_deadline(wait_ns),
                                     published, error);
}

/* The position comes back in *position, which lies in the handle's C memory. */
static inline int sbxgo_send(sbx_publisher* publisher, const unsigned char* data,
                             const unsigned char* tail, uint64_t tail_bytes, uint64_t* position,
                             sbx_error* error) {
  return sbx_publisher_send(publisher, data, tail, tail_bytes, SBX_IMMEDIATE, position, error);
}

/* As sbxgo_send() for many, and may wait like sbxgo_publish(). */
static inline int sbxgo_send_batch(sbx_publisher* publisher, const unsigned char* messages,
                                   uint64_t count, int64_t wait_ns, size_t* sent,
                                   sbx_error* error) {
  return sbx_publisher_send_batch(publisher, messages, (size_t)count, sbxgo_deadline(wait_ns), sent,
                                  error);
}

/* Where the C side of one handle leaves its answers; owned by the handle, in C memory. */
typedef struct sbxgo_answer {
  sbx_error error;
  uint64_t position;
  size_t count; /* of a batch */
  int descriptor;
} sbxgo_answer;

/* What Go asked for, where 0 stands for the default. */
static inline sbx_publisher_options sbxgo_or_defaults(const sbx_publisher_options* asked) {
  sbx_publisher_options defaults;
  sbx_publisher_options_init(&defaults);
  sbx_publisher_options options = *asked;
  options.struct_size = defaults.struct_size;
  if (options.depth == 0) options.depth = defaults.depth;
  if (options.loans_max == 0) options.loans_max = defaults.loans_max;
  if (options.held_max == 0) options.held_max = defaults.held_max;
  return options;
}

static inline int sbxgo_open_publisher(const char* topic, const char* type_name,
                                       const char* description, const sbx_publisher_options* asked,
                                       sbx_publisher** out, sbx_error* error) {
  const sbx_type type = {type_name, description};
  const sbx_publisher_options options = sbxgo_or_defaults(asked);
  return sbx_publisher_open(topic, &type, &options, out, error);
}

static inline int sbxgo_open_subscriber(const char* topic, const char* type_name,
                                        const char* description, uint64_t start, uint32_t reliable,
                                        const char* domain, uint32_t tier, uint32_t writable_ring,
                                        sbx_subscriber** out, sbx_error* error) {
  const sbx_type type = {type_name, description};
  sbx_subscriber_options options;
  sbx_subscriber_options_init(&options);
  options.start = start;
  options.reliable = reliable;
  options.spin_max_ns = 0; /* Go looks again and again by itself */
  options.domain = domain;
  options.tier = tier;
  options.writable_ring = writable_ring;
  return sbx_subscriber_open(topic, &type, &options, out, error);
}

#endif /* SIGNALBOX_GO_NATIVE_H */
