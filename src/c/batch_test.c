/* Policies and batches through the C ABI: what happens to a reliable subscriber that is behind, who
 * is told and what is counted; and batches that are the same messages in the same order. */
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "c/check.h"
#include "signalbox/signalbox.h"

typedef struct {
  uint64_t seq;
  double value;
} Small;
SBX_DESCRIBE(Small, seq, value)

typedef struct {
  uint64_t seq;
  uint8_t bytes[504];
} Large;
SBX_DESCRIBE(Large, seq, bytes)

enum { DEPTH = 8 };

static sbx_publisher* publisher_of(const char* topic, sbx_type type, uint32_t when_behind,
                                   uint32_t wake) {
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.depth = DEPTH;
  options.when_behind = when_behind;
  options.wake = wake;
  sbx_publisher* publisher = NULL;
  SBX_CHECK(sbx_publisher_open(topic, &type, &options, &publisher, &sbx_last_error) == SBX_OK);
  return publisher;
}

static sbx_subscriber* subscriber_of(const char* topic, sbx_type type, uint32_t reliable) {
  sbx_subscriber_options options;
  sbx_subscriber_options_init(&options);
  options.start = SBX_START_OLDEST;
  options.reliable = reliable;
  options.spin_max_ns = 0;
  sbx_subscriber* subscriber = NULL;
  SBX_CHECK(sbx_subscriber_open(topic, &type, &options, &subscriber, &sbx_last_error) == SBX_OK);
  return subscriber;
}

/* Sends the messages first to first + count - 1 at once and answers the code. */
static int send_batch(sbx_publisher* publisher, uint64_t first, size_t count, size_t* sent) {
  Small messages[4 * DEPTH];
  for (size_t i = 0; i < count; ++i) messages[i] = (Small){first + i, 0.5};
  return sbx_publisher_send_batch(publisher, messages, count, SBX_IMMEDIATE, sent, &sbx_last_error);
}

static void expect_batch(sbx_subscriber* subscriber, uint64_t first, size_t count) {
  Small messages[4 * DEPTH];
  size_t taken = 0;
  SBX_CHECK(sbx_subscriber_take_batch(subscriber, messages, 4 * DEPTH, &taken, &sbx_last_error) ==
            SBX_OK);
  SBX_CHECK(taken == count);
  for (size_t i = 0; i < taken; ++i) {
    SBX_CHECK(messages[i].seq == first + i && messages[i].value == 0.5);
  }
}

static void a_batch_is_the_same_messages_in_order(void) {
  sbx_publisher* out = publisher_of("test/batch", sbx_type_Small(), SBX_WHEN_BEHIND_WAIT, 0);
  sbx_subscriber* in = subscriber_of("test/batch", sbx_type_Small(), 1);
  size_t sent = 0;
  for (uint64_t first = 0; first < 3 * DEPTH; first += DEPTH) {
    SBX_CHECK(send_batch(out, first, DEPTH, &sent) == SBX_OK && sent == DEPTH);
    expect_batch(in, first, DEPTH);
  }
  expect_batch(in, 0, 0);
  /* The ring is full after DEPTH of them: the rest is told, and what was sent is there. */
  SBX_CHECK(send_batch(out, 100, DEPTH + 3, &sent) == SBX_WOULD_BLOCK && sent == DEPTH);
  expect_batch(in, 100, DEPTH);
  SBX_CHECK(sbx_publisher_dropped_count(out) == 0 && sbx_publisher_evicted_count(out) == 0);
  /* A batch is cut where the room ends, and goes on there. */
  SBX_CHECK(send_batch(out, 200, 5, NULL) == SBX_OK);
  Small two[2];
  size_t taken = 0;
  SBX_CHECK(sbx_subscriber_take_batch(in, two, 2, &taken, &sbx_last_error) == SBX_OK);
  SBX_CHECK(taken == 2 && two[0].seq == 200 && two[1].seq == 201);
  expect_batch(in, 202, 3);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void large_messages_come_in_batches_too(void) {
  sbx_publisher* out = publisher_of("test/large", sbx_type_Large(), SBX_WHEN_BEHIND_WAIT, 0);
  sbx_subscriber* in = subscriber_of("test/large", sbx_type_Large(), 1);
  Large messages[DEPTH];
  memset(messages, 0, sizeof(messages));
  for (size_t i = 0; i < DEPTH; ++i) {
    messages[i].seq = i;
    messages[i].bytes[119] = (uint8_t)(i + 1);
  }
  size_t done = 0;
  SBX_CHECK(sbx_publisher_send_batch(out, messages, DEPTH, SBX_IMMEDIATE, &done, &sbx_last_error) ==
            SBX_OK);
  SBX_CHECK(done == DEPTH);
  Large received[DEPTH + 1];
  SBX_CHECK(sbx_subscriber_take_batch(in, received, DEPTH + 1, &done, &sbx_last_error) == SBX_OK);
  SBX_CHECK(done == DEPTH && memcmp(received, messages, sizeof(messages)) == 0);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void drop_new_gives_messages_up_and_counts_them(void) {
  sbx_publisher* out = publisher_of("test/drop", sbx_type_Small(), SBX_WHEN_BEHIND_DROP_NEW, 0);
  sbx_subscriber* in = subscriber_of("test/drop", sbx_type_Small(), 1);
  SBX_CHECK(send_batch(out, 0, DEPTH, NULL) == SBX_OK);
  for (uint64_t i = 1; i <= 3; ++i) {
    const Small late = {1000, 0.5};
    SBX_CHECK(sbx_publisher_send(out, &late, NULL, 0, SBX_NEVER, NULL, &sbx_last_error) ==
              SBX_WOULD_BLOCK);
    SBX_CHECK(sbx_publisher_dropped_count(out) == i);
    SBX_CHECK(sbx_subscriber_dropped_count(in) == i);
  }
  expect_batch(in, 0, DEPTH);
  SBX_CHECK(send_batch(out, 50, 1, NULL) == SBX_OK);
  expect_batch(in, 50, 1);
  SBX_CHECK(sbx_subscriber_lost_count(in) == 0);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void evict_leaves_the_slow_behind_and_tells_them(void) {
  sbx_publisher* out = publisher_of("test/evict", sbx_type_Small(), SBX_WHEN_BEHIND_EVICT, 0);
  sbx_subscriber* in = subscriber_of("test/evict", sbx_type_Small(), 1);
  SBX_CHECK(send_batch(out, 0, DEPTH + 1, NULL) == SBX_OK);
  SBX_CHECK(sbx_publisher_evicted_count(out) == 1);
  Small one;
  size_t taken = 1;
  SBX_CHECK(sbx_subscriber_take_batch(in, &one, 1, &taken, &sbx_last_error) == SBX_EVICTED);
  SBX_CHECK(taken == 0);
  sbx_sample sample;
  int found = 1;
  SBX_CHECK(sbx_subscriber_take(in, &sample, &found, &sbx_last_error) == SBX_EVICTED && !found);
  int wake = -1;
  SBX_CHECK(sbx_subscriber_wait(in, SBX_IMMEDIATE, &wake, &sbx_last_error) == SBX_EVICTED);
  SBX_CHECK(sbx_subscriber_wait(in, SBX_IMMEDIATE, &wake, &sbx_last_error) == SBX_OK);
  SBX_CHECK(wake == SBX_WAKE_TIMED_OUT);
  SBX_CHECK(sbx_subscriber_lost_count(in) == DEPTH + 1);
  SBX_CHECK(send_batch(out, 0, 2, NULL) == SBX_OK);
  SBX_CHECK(sbx_subscriber_lost_count(in) == DEPTH + 3);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void a_silent_publisher_rings_at_nobodys_door(void) {
  sbx_publisher* out =
      publisher_of("test/silent", sbx_type_Small(), SBX_WHEN_BEHIND_WAIT, SBX_WAKE_SLEEPERS_NO);
  sbx_subscriber* in = subscriber_of("test/silent", sbx_type_Small(), 0);
  sbx_loan loan;
  SBX_CHECK(sbx_publisher_loan(out, 0, &loan, &sbx_last_error) == SBX_OK);
  int fd = -1;
  const int64_t begun = sbx_now_ns();
  SBX_CHECK(sbx_subscriber_descriptor(in, &fd, &sbx_last_error) == SBX_OK);
  expect_batch(in, 0, 0); /* arms the descriptor */
  *(Small*)loan.data = (Small){7, 0.5};
  SBX_CHECK(sbx_publisher_publish(out, &loan, SBX_IMMEDIATE, NULL, &sbx_last_error) == SBX_OK);
  struct pollfd door = {fd, POLLIN, 0};
  /* Ten times a second it rings of itself, to look. */
  SBX_CHECK(poll(&door, 1, 0) == 0 || sbx_now_ns() - begun > 90 * 1000 * 1000);
  int wake = -1; /* who sleeps looks by himself */
  SBX_CHECK(sbx_subscriber_wait(in, SBX_NEVER, &wake, &sbx_last_error) == SBX_OK);
  SBX_CHECK(wake == SBX_WAKE_READY);
  expect_batch(in, 7, 1);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

/* Frames of a topic that grows: lent together, filled in place, published together. */
static void loans_come_and_go_in_batches(void) {
  const sbx_type bytes = {NULL, SBX_BYTES_DESCRIPTION};
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.depth = DEPTH;
  options.loans_max = 4;
  options.tail_bytes_max = 100;
  options.grown_tail_bytes_max = 100000;
  sbx_publisher* out = NULL;
  SBX_CHECK(sbx_publisher_open("test/loans", &bytes, &options, &out, &sbx_last_error) == SBX_OK);
  sbx_subscriber* in = subscriber_of("test/loans", bytes, 1);
  sbx_loan loans[5];
  size_t lent = 0;
  SBX_CHECK(sbx_publisher_loan_batch(out, 50000, loans, 5, &lent, &sbx_last_error) ==
            SBX_LIMIT_REACHED);
  SBX_CHECK(lent == 4 && loans[3].tail_bytes == 50000 && loans[4].tail == NULL);
  for (size_t i = 0; i < lent; ++i) memset(loans[i].tail, (int)i + 1, loans[i].tail_bytes);
  size_t published = 9;
  SBX_CHECK(sbx_publisher_publish_batch(out, loans, 5, SBX_IMMEDIATE, &published,
                                        &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(published == 0 && loans[0].tail != NULL);
  SBX_CHECK(sbx_publisher_publish_batch(out, loans, 4, SBX_IMMEDIATE, &published,
                                        &sbx_last_error) == SBX_OK);
  SBX_CHECK(published == 4 && loans[0].tail == NULL);
  for (int i = 0; i < 4; ++i) {
    sbx_sample sample;
    int taken = 0;
    SBX_CHECK(sbx_subscriber_take(in, &sample, &taken, &sbx_last_error) == SBX_OK && taken);
    const unsigned char* tail = sample.tail;
    SBX_CHECK(sample.tail_bytes == 50000 && tail[0] == i + 1 && tail[49999] == i + 1);
    sbx_sample_release(&sample);
  }
  SBX_CHECK(sbx_publisher_loan_batch(out, 100001, loans, 1, &lent, &sbx_last_error) ==
            SBX_TOO_LARGE);
  SBX_CHECK(lent == 0 && last_error_says(SBX_TOO_LARGE, "grown_tail_bytes_max 100000"));
  SBX_CHECK(sbx_publisher_loan_batch(out, 1, loans, 1, NULL, NULL) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_loan_batch(NULL, 1, loans, 1, &lent, NULL) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_publish_batch(NULL, loans, 1, 0, NULL, NULL) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_publish_batch(out, NULL, 0, 0, &published, NULL) == SBX_OK);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void wrong_arguments_are_answered(void) {
  const sbx_type bytes = {NULL, SBX_BYTES_DESCRIPTION};
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.tail_bytes_max = 8;
  sbx_publisher* tails = NULL;
  sbx_subscriber* in = NULL;
  SBX_CHECK(sbx_publisher_open("test/tails", &bytes, &options, &tails, NULL) == SBX_OK);
  SBX_CHECK(sbx_subscriber_open("test/tails", &bytes, NULL, &in, NULL) == SBX_OK);
  size_t done = 9;
  SBX_CHECK(sbx_publisher_send_batch(tails, "x", 1, 0, &done, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(done == 0 && last_error_says(SBX_BAD_ARGUMENT, "no fixed part"));
  char room[8];
  SBX_CHECK(sbx_subscriber_take_batch(in, room, 1, &done, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_send_batch(NULL, "x", 1, 0, &done, NULL) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_take_batch(NULL, room, 1, &done, NULL) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_take_batch(in, room, 1, NULL, NULL) == SBX_BAD_ARGUMENT);
  sbx_subscriber_close(in);
  sbx_publisher_close(tails);
  sbx_publisher* out = publisher_of("test/null", sbx_type_Small(), SBX_WHEN_BEHIND_WAIT, 0);
  SBX_CHECK(sbx_publisher_send_batch(out, NULL, 1, 0, &done, NULL) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_send_batch(out, NULL, 0, 0, &done, NULL) == SBX_OK && done == 0);
  sbx_publisher_close(out);
  SBX_CHECK(sbx_publisher_dropped_count(NULL) == 0 && sbx_publisher_evicted_count(NULL) == 0);
}

int main(void) {
  use_scratch_domain();
  a_batch_is_the_same_messages_in_order();
  large_messages_come_in_batches_too();
  drop_new_gives_messages_up_and_counts_them();
  evict_leaves_the_slow_behind_and_tells_them();
  a_silent_publisher_rings_at_nobodys_door();
  loans_come_and_go_in_batches();
  wrong_arguments_are_answered();
  return 0;
}
