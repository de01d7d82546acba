/* A wait set from C: topics and descriptors in one sleep, periods, waking from another thread, and
 * what a caller may get wrong. Wakers run beside the wait; nothing here depends on who is first. */
#include <pthread.h>
#include <unistd.h>

#include "c/check.h"
#include "signalbox/c/wait_set.h"

typedef struct {
  uint64_t seq;
} Small;
SBX_DESCRIBE(Small, seq)

enum { TOPIC = 1, PIPE = 2, QUIET = 3 };

static sbx_wait_set* set;
static const sbx_ready* ready;

static size_t wait_until(int64_t deadline) {
  size_t count = 99;
  SBX_CHECK(sbx_wait_set_wait(set, &ready, &count, deadline, &sbx_last_error) == SBX_OK);
  return count;
}

static void* wake_the_set(void* unused) {
  (void)unused;
  sbx_wait_set_wake(set);
  return NULL;
}

static void topics_and_descriptors(void) {
  const sbx_type type = sbx_type_Small();
  sbx_publisher* publisher = NULL;
  sbx_subscriber* subscriber = NULL;
  SBX_CHECK(sbx_publisher_open("t", &type, NULL, &publisher, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_subscriber_open("t", &type, NULL, &subscriber, &sbx_last_error) == SBX_OK);
  int ends[2];
  SBX_CHECK(pipe(ends) == 0);
  sbx_watch *topic = NULL, *reader = NULL, *again = NULL;
  SBX_CHECK(sbx_wait_set_watch_subscriber(set, subscriber, TOPIC, 0, &topic, &sbx_last_error) ==
            SBX_OK);
  SBX_CHECK(wait_until(SBX_IMMEDIATE) == 0);
  SBX_CHECK(sbx_publisher_send(publisher, &(Small){1}, NULL, 0, SBX_IMMEDIATE, NULL,
                               &sbx_last_error) == SBX_OK);
  SBX_CHECK(wait_until(SBX_NEVER) == 1 && ready[0].key == TOPIC && ready[0].events == SBX_READABLE);

  SBX_CHECK(sbx_wait_set_watch_descriptor(set, ends[0], SBX_READABLE, PIPE, 0, &reader,
                                          &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_wait_set_watch_descriptor(set, ends[0], SBX_READABLE, PIPE, 0, &again,
                                          &sbx_last_error) == SBX_ALREADY_EXISTS &&
            again == NULL);
  SBX_CHECK(write(ends[1], "x", 1) == 1);
  SBX_CHECK(wait_until(SBX_NEVER) == 2 && ready[0].key + ready[1].key == TOPIC + PIPE);

  /* What is drained is told no more; nor is what is watched no more. */
  sbx_sample sample;
  int taken = 0;
  SBX_CHECK(sbx_subscriber_take(subscriber, &sample, &taken, &sbx_last_error) == SBX_OK && taken);
  sbx_sample_release(&sample);
  SBX_CHECK(wait_until(SBX_NEVER) == 1 && ready[0].key == PIPE);
  sbx_watch_end(reader);
  SBX_CHECK(wait_until(SBX_IMMEDIATE) == 0);
  close(ends[1]);
  close(ends[0]);
  sbx_subscriber_close(subscriber);
  sbx_publisher_close(publisher);
  sbx_watch_end(topic);
}

static void quiet_sources_are_told(void) {
  int ends[2];
  SBX_CHECK(pipe(ends) == 0);
  sbx_watch* watch = NULL;
  SBX_CHECK(sbx_wait_set_watch_descriptor(set, ends[0], SBX_READABLE, QUIET, 1000000, &watch,
                                          &sbx_last_error) == SBX_OK);
  SBX_CHECK(wait_until(SBX_NEVER) == 1 && ready[0].key == QUIET &&
            ready[0].events == SBX_DEADLINE_MISSED);
  sbx_watch_end(watch);
  SBX_CHECK(sbx_wait_set_watch_descriptor(set, ends[0], SBX_WRITABLE, QUIET, 1000000, &watch,
                                          &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_wait_set_watch_descriptor(set, ends[0], SBX_READABLE, QUIET, -1, &watch,
                                          &sbx_last_error) == SBX_BAD_ARGUMENT);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  use_scratch_domain();
  SBX_CHECK(sbx_wait_set_create(0, &set, &sbx_last_error) == SBX_BAD_ARGUMENT && set == NULL);
  SBX_CHECK(sbx_wait_set_create(4, &set, &sbx_last_error) == SBX_OK);
  topics_and_descriptors();
  quiet_sources_are_told();

  const int64_t soon = sbx_now_ns() + 20000000;
  SBX_CHECK(wait_until(soon) == 0 && sbx_now_ns() >= soon);
  pthread_t thread;
  SBX_CHECK(pthread_create(&thread, NULL, wake_the_set, NULL) == 0);
  SBX_CHECK(wait_until(SBX_NEVER) == 0);
  pthread_join(thread, NULL);

  size_t count = 0;
  SBX_CHECK(sbx_wait_set_wait(NULL, &ready, &count, 0, &sbx_last_error) == SBX_BAD_ARGUMENT);
  sbx_wait_set_close(set);
  sbx_wait_set_close(NULL);
  sbx_wait_set_wake(NULL);
  return 0;
}
