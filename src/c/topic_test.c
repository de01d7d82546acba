/* Topics through the C ABI against real shared memory: what signalbox.h promises about loans,
 * samples, their addresses and lifetimes, options, and the answer to each wrong argument. */
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
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

static sbx_publisher* publisher_of(const char* topic, sbx_type type, uint32_t loans_max,
                                   uint64_t tail_bytes_max) {
  sbx_publisher_options options;
  sbx_publisher_options_init(&options);
  options.depth = 128;
  options.held_max = 80;
  options.loans_max = loans_max;
  options.tail_bytes_max = tail_bytes_max;
  sbx_publisher* publisher = NULL;
  SBX_CHECK(sbx_publisher_open(topic, &type, &options, &publisher, &sbx_last_error) == SBX_OK);
  return publisher;
}

static sbx_subscriber* subscriber_of(const char* topic, sbx_type type) {
  sbx_subscriber* subscriber = NULL;
  SBX_CHECK(sbx_subscriber_open(topic, &type, NULL, &subscriber, &sbx_last_error) == SBX_OK);
  return subscriber;
}

static void send(sbx_publisher* publisher, const void* data) {
  SBX_CHECK(sbx_publisher_send(publisher, data, NULL, 0, SBX_IMMEDIATE, NULL, &sbx_last_error) ==
            SBX_OK);
}

static sbx_sample take(sbx_subscriber* subscriber, sbx_sample* sample) {
  int taken = 0;
  SBX_CHECK(sbx_subscriber_take(subscriber, sample, &taken, &sbx_last_error) == SBX_OK);
  SBX_CHECK(taken == 1);
  return *sample;
}

static int lies_in(const void* part, const sbx_sample* sample) {
  return (const char*)part >= (const char*)sample && (const char*)part < (const char*)(sample + 1);
}

static void a_small_message_is_copied_and_may_move(void) {
  sbx_publisher* out = publisher_of("c/small", sbx_type_Small(), 1, 0);
  sbx_subscriber* in = subscriber_of("c/small", sbx_type_Small());
  const Small sent = {7, 0.5};
  uint64_t position = 99;
  SBX_CHECK(sbx_publisher_send(out, &sent, NULL, 0, SBX_IMMEDIATE, &position, &sbx_last_error) ==
            SBX_OK);
  SBX_CHECK(position == 0);

  sbx_sample first;
  take(in, &first);
  SBX_CHECK(first.data_bytes == sizeof(Small) && first.tail == NULL && first.tail_bytes == 0);
  SBX_CHECK(first.position == 0 && first.publisher != 0);
  SBX_CHECK(lies_in(first.data, &first));

  sbx_sample second;
  sbx_sample_move(&second, &first);
  SBX_CHECK(first.data == NULL && first.data_bytes == 0);
  SBX_CHECK(lies_in(second.data, &second));
  SBX_CHECK(((const Small*)second.data)->seq == 7 && ((const Small*)second.data)->value == 0.5);
  sbx_sample_move(&second, &second);
  SBX_CHECK(lies_in(second.data, &second));
  sbx_sample_release(&second);
  sbx_sample_release(&second);
  SBX_CHECK(second.data == NULL);

  int taken = 1;
  memset(&second, 0x5a, sizeof(second));
  SBX_CHECK(sbx_subscriber_take(in, &second, &taken, &sbx_last_error) == SBX_OK && taken == 0);
  SBX_CHECK(second.data_bytes == 0x5a5a5a5a5a5a5a5a);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void* release_elsewhere(void* sample) {
  sbx_sample_release(sample);
  return NULL;
}

static void a_large_message_outlives_its_subscriber_and_is_released_by_any_thread(void) {
  sbx_publisher* out = publisher_of("c/large", sbx_type_Large(), 1, 0);
  sbx_subscriber* in = subscriber_of("c/large", sbx_type_Large());
  Large sent = {.seq = 3};
  memset(sent.bytes, 0xab, sizeof(sent.bytes));
  send(out, &sent);

  sbx_sample sample, moved;
  take(in, &sample);
  SBX_CHECK(!lies_in(sample.data, &sample));
  SBX_CHECK((uintptr_t)sample.data % 64 == 0);
  sbx_sample_move(&moved, &sample);
  sbx_sample_release(&sample); /* empty: releases nothing */
  sbx_subscriber_close(in);
  SBX_CHECK(memcmp(moved.data, &sent, sizeof(sent)) == 0);

  pthread_t thread = 0;
  SBX_CHECK(pthread_create(&thread, NULL, release_elsewhere, &moved) == 0);
  SBX_CHECK(pthread_join(thread, NULL) == 0);
  SBX_CHECK(moved.data == NULL);
  sbx_publisher_close(out);
}

static void the_65th_held_sample_is_refused_until_one_is_released(void) {
  sbx_publisher* out = publisher_of("c/held", sbx_type_Large(), 1, 0);
  sbx_subscriber* in = subscriber_of("c/held", sbx_type_Large());
  static sbx_sample held[SBX_PINS_MAX + 1];
  for (uint64_t i = 0; i <= SBX_PINS_MAX; ++i) send(out, &(Large){.seq = i});
  for (int i = 0; i < SBX_PINS_MAX; ++i) take(in, &held[i]);

  int taken = 1;
  SBX_CHECK(sbx_subscriber_take(in, &held[SBX_PINS_MAX], &taken, &sbx_last_error) ==
            SBX_LIMIT_REACHED);
  SBX_CHECK(taken == 0);
  sbx_sample_release(&held[10]);
  take(in, &held[SBX_PINS_MAX]);
  for (uint64_t i = 0; i <= SBX_PINS_MAX; ++i) {
    if (i == 10) continue;
    SBX_CHECK(((const Large*)held[i].data)->seq == i);
    sbx_sample_release(&held[i]);
  }
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void a_loan_is_filled_in_place_shortened_and_published_once(void) {
  const sbx_type type = {"bytes behind a number", "{seq:u64@0}#8+u8[]"};
  sbx_publisher* out = publisher_of("c/loan", type, 2, 1000);
  sbx_subscriber* in = subscriber_of("c/loan", type);
  sbx_loan loan, other, third;
  SBX_CHECK(sbx_publisher_loan(out, 1000, &loan, &sbx_last_error) == SBX_OK);
  SBX_CHECK(loan.data_bytes == 8 && loan.tail_bytes == 1000);
  SBX_CHECK((uintptr_t)loan.tail % 64 == 0);
  SBX_CHECK(sbx_publisher_loan(out, 0, &other, &sbx_last_error) == SBX_OK && other.tail == NULL);
  SBX_CHECK(sbx_publisher_loan(out, 0, &third, &sbx_last_error) == SBX_LIMIT_REACHED);
  SBX_CHECK(sbx_publisher_publish(out, &third, 0, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "not an open loan"));

  memcpy(loan.data, &(uint64_t){42}, 8);
  memset(loan.tail, 'x', 1000);
  SBX_CHECK(sbx_loan_shorten(&loan, 1001, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_loan_shorten(&loan, 5, &sbx_last_error) == SBX_OK && loan.tail_bytes == 5);
  const sbx_loan copy = loan;
  SBX_CHECK(sbx_publisher_publish(out, &loan, 0, NULL, &sbx_last_error) == SBX_OK);
  SBX_CHECK(loan.data == NULL && loan.tail == NULL);
  sbx_loan stale = copy;
  SBX_CHECK(sbx_publisher_publish(out, &stale, 0, NULL, &sbx_last_error) == SBX_BAD_ARGUMENT);
  sbx_publisher_drop(out, &stale);
  sbx_publisher_drop(out, &other);
  sbx_publisher_drop(out, &other);
  SBX_CHECK(sbx_publisher_loan(out, 1001, &loan, &sbx_last_error) == SBX_TOO_LARGE);

  sbx_sample sample;
  take(in, &sample);
  SBX_CHECK(sample.tail_bytes == 5 && memcmp(sample.tail, "xxxxx", 5) == 0);
  SBX_CHECK(*(const uint64_t*)sample.data == 42);
  sbx_sample_release(&sample);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void plain_bytes_have_only_a_tail(void) {
  const sbx_type bytes = {NULL, SBX_BYTES_DESCRIPTION};
  sbx_publisher* out = publisher_of("c/bytes", bytes, 1, 4096);
  sbx_subscriber* in = subscriber_of("c/bytes", bytes);
  static char long_text[4096];
  memset(long_text, 'y', sizeof(long_text));
  SBX_CHECK(sbx_publisher_send(out, NULL, "short", 5, 0, NULL, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_publisher_send(out, NULL, long_text, 4096, 0, NULL, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_publisher_send(out, NULL, NULL, 0, 0, NULL, &sbx_last_error) == SBX_OK);

  sbx_sample sample, moved;
  take(in, &sample);
  sbx_sample_move(&moved, &sample);
  SBX_CHECK(moved.data == NULL && moved.tail_bytes == 5 && memcmp(moved.tail, "short", 5) == 0);
  take(in, &sample);
  SBX_CHECK(sample.tail_bytes == 4096 && memcmp(sample.tail, long_text, 4096) == 0);
  sbx_sample_release(&sample);
  take(in, &sample);
  SBX_CHECK(sample.data == NULL && sample.tail == NULL && sample.tail_bytes == 0);
  sbx_sample_release(&sample);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void a_short_loan_after_a_long_one_is_its_own(void) {
  const sbx_type bytes = {"bytes", SBX_BYTES_DESCRIPTION};
  sbx_publisher* out = publisher_of("c/lengths", bytes, 1, 1000);
  sbx_subscriber* in = subscriber_of("c/lengths", bytes);
  sbx_sample sample;
  for (int round = 0; round < 20; ++round) {
    /* Longer and shorter than what travels in a slot, in turn. */
    const size_t length = round % 2 == 0 ? 1000 : 10;
    sbx_loan loan;
    SBX_CHECK(sbx_publisher_loan(out, length, &loan, &sbx_last_error) == SBX_OK);
    memset(loan.tail, 'a' + round, length);
    SBX_CHECK(sbx_publisher_publish(out, &loan, 0, NULL, &sbx_last_error) == SBX_OK);
    take(in, &sample);
    SBX_CHECK(sample.tail_bytes == length && (length == 10) == lies_in(sample.tail, &sample));
    for (size_t i = 0; i < length; ++i) SBX_CHECK(((const char*)sample.tail)[i] == 'a' + round);
    sbx_sample_release(&sample);
  }
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void waiting_and_polling_tell_when_to_take(void) {
  sbx_publisher* out = publisher_of("c/wait", sbx_type_Small(), 1, 0);
  sbx_subscriber* in = subscriber_of("c/wait", sbx_type_Small());
  SBX_CHECK(sbx_publisher_subscriber_count(out) == 1 && sbx_subscriber_publisher_count(in) == 1);
  int wake = -1, fd = -1, taken = 1;
  SBX_CHECK(sbx_subscriber_wait(in, SBX_IMMEDIATE, &wake, &sbx_last_error) == SBX_OK);
  SBX_CHECK(wake == SBX_WAKE_TIMED_OUT);
  SBX_CHECK(sbx_subscriber_descriptor(in, &fd, &sbx_last_error) == SBX_OK);
  sbx_sample sample;
  do { /* take until empty: arms the descriptor */
    SBX_CHECK(sbx_subscriber_take(in, &sample, &taken, &sbx_last_error) == SBX_OK);
  } while (taken);
  send(out, &(Small){1, 1});
  struct pollfd readable = {.fd = fd, .events = POLLIN};
  SBX_CHECK(poll(&readable, 1, 30000) == 1);
  SBX_CHECK(sbx_subscriber_wait(in, SBX_NEVER, &wake, &sbx_last_error) == SBX_OK);
  SBX_CHECK(wake == SBX_WAKE_READY);

  send(out, &(Small){2, 2});
  SBX_CHECK(sbx_subscriber_take_latest(in, &sample, &taken, &sbx_last_error) == SBX_OK && taken);
  SBX_CHECK(((const Small*)sample.data)->seq == 2 && sbx_subscriber_skipped_count(in) == 1);
  SBX_CHECK(sbx_subscriber_lost_count(in) == 0);
  for (uint64_t i = 0; i < 200; ++i) send(out, &(Small){i, 0});
  uint64_t received = 0;
  while (sbx_subscriber_take(in, &sample, &taken, &sbx_last_error) == SBX_OK && taken) ++received;
  SBX_CHECK(received > 0 && received <= 128);
  SBX_CHECK(received + sbx_subscriber_lost_count(in) == 200);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

static void another_idea_of_the_type_is_refused_by_name(void) {
  sbx_publisher* out = publisher_of("c/type", sbx_type_Small(), 1, 0);
  sbx_subscriber* in = (sbx_subscriber*)&in;
  const sbx_type other = {NULL, "{seq:u64@0,value:f32@8}#16"};
  SBX_CHECK(sbx_subscriber_open("c/type", &other, NULL, &in, &sbx_last_error) == SBX_TYPE_MISMATCH);
  SBX_CHECK(in == NULL);
  SBX_CHECK(last_error_says(SBX_TYPE_MISMATCH, "field 'value' is f64 at byte 8"));
  SBX_CHECK(last_error_says(SBX_TYPE_MISMATCH, "the caller has an unnamed type (16 bytes)"));
  sbx_publisher_close(out);
}

static void options_are_checked(void) {
  const sbx_type type = sbx_type_Small();
  sbx_publisher* out = NULL;
  sbx_publisher_options options = {0};
  SBX_CHECK(sbx_publisher_open("c/options", &type, &options, &out, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "struct_size"));
  struct {
    sbx_publisher_options known;
    uint64_t unknown;
  } newer = {.unknown = 0};
  sbx_publisher_options_init(&newer.known);
  newer.known.struct_size = sizeof(newer);
  SBX_CHECK(sbx_publisher_open("c/options", &type, &newer.known, &out, &sbx_last_error) == SBX_OK);
  sbx_publisher_close(out);
  newer.unknown = 1;
  SBX_CHECK(sbx_publisher_open("c/options", &type, &newer.known, &out, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
  sbx_subscriber* in = NULL;
  sbx_subscriber_options reading;
  sbx_subscriber_options_init(&reading);
  reading.reliable = 2;
  SBX_CHECK(sbx_subscriber_open("c/options", &type, &reading, &in, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
}

static void null_is_answered_and_never_followed(void) {
  const sbx_type type = sbx_type_Small(), unstated = {"Small", NULL};
  sbx_error* e = &sbx_last_error;
  sbx_publisher* out = NULL;
  sbx_subscriber* in = NULL;
  sbx_loan loan = {0};
  sbx_sample sample;
  int number = 0;
  SBX_CHECK(sbx_publisher_open("c/null", &type, NULL, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_open(NULL, &type, NULL, &out, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "sbx_publisher_open: 'topic' is NULL"));
  SBX_CHECK(sbx_publisher_open("c/null", NULL, NULL, &out, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_open("c/null", &unstated, NULL, &out, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_loan(NULL, 0, &loan, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_publish(NULL, &loan, 0, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_send(NULL, &loan, NULL, 0, 0, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_loan_shorten(NULL, 0, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_loan_shorten(&loan, 0, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_open(NULL, &type, NULL, &in, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_open("c/null", &type, NULL, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_open("c/null", &unstated, NULL, &in, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_take(NULL, &sample, &number, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_wait(NULL, 0, &number, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_descriptor(NULL, &number, e) == SBX_BAD_ARGUMENT);

  out = publisher_of("c/null", type, 1, 0);
  in = subscriber_of("c/null", type);
  SBX_CHECK(sbx_publisher_loan(out, 0, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_publish(out, NULL, 0, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_publisher_send(out, NULL, NULL, 0, 0, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(last_error_says(SBX_BAD_ARGUMENT, "'data' is NULL"));
  SBX_CHECK(sbx_publisher_send(out, &type, NULL, 1, 0, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_take(in, NULL, &number, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_take(in, &sample, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_wait(in, 0, NULL, e) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_subscriber_descriptor(in, NULL, NULL) == SBX_BAD_ARGUMENT);

  sbx_publisher_options_init(NULL);
  sbx_subscriber_options_init(NULL);
  sbx_publisher_drop(NULL, &loan);
  sbx_publisher_drop(out, NULL);
  sbx_sample_release(NULL);
  sbx_sample_move(NULL, &sample);
  sbx_sample_move(&sample, NULL);
  SBX_CHECK(sbx_publisher_subscriber_count(NULL) == 0);
  SBX_CHECK(sbx_subscriber_publisher_count(NULL) == 0);
  SBX_CHECK(sbx_subscriber_lost_count(NULL) == 0 && sbx_subscriber_skipped_count(NULL) == 0);
  SBX_CHECK(sbx_subscriber_dropped_count(NULL) == 0);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
  sbx_subscriber_close(NULL);
  sbx_publisher_close(NULL);
}

static void a_forked_child_is_refused_and_harms_nobody(void) {
  sbx_publisher* out = publisher_of("c/fork", sbx_type_Large(), 1, 0);
  sbx_subscriber* in = subscriber_of("c/fork", sbx_type_Large());
  sbx_sample held, sample;
  sbx_loan loan, second;
  send(out, &(Large){.seq = 1});
  take(in, &held);
  SBX_CHECK(sbx_publisher_loan(out, 0, &loan, &sbx_last_error) == SBX_OK);
  const pid_t child = fork();
  if (child == 0) {
    sbx_error* e = &sbx_last_error;
    int number = 0;
    SBX_CHECK(sbx_publisher_loan(out, 0, &second, e) == SBX_WRONG_PROCESS);
    SBX_CHECK(sbx_publisher_publish(out, &loan, 0, NULL, e) == SBX_WRONG_PROCESS);
    SBX_CHECK(sbx_publisher_send(out, &sample, NULL, 0, 0, NULL, e) == SBX_WRONG_PROCESS);
    SBX_CHECK(sbx_subscriber_take(in, &sample, &number, e) == SBX_WRONG_PROCESS);
    SBX_CHECK(sbx_subscriber_take_latest(in, &sample, &number, e) == SBX_WRONG_PROCESS);
    SBX_CHECK(sbx_subscriber_wait(in, SBX_NEVER, &number, e) == SBX_WRONG_PROCESS);
    SBX_CHECK(sbx_subscriber_descriptor(in, &number, e) == SBX_WRONG_PROCESS);
    sbx_sample_release(&held);
    sbx_publisher_drop(out, &loan);
    sbx_subscriber_close(in);
    sbx_publisher_close(out);
    _exit(0);
  }
  int status = -1;
  SBX_CHECK(waitpid(child, &status, 0) == child && status == 0);
  SBX_CHECK(((const Large*)held.data)->seq == 1);
  sbx_sample_release(&held);
  ((Large*)loan.data)->seq = 2;
  SBX_CHECK(sbx_publisher_publish(out, &loan, 0, NULL, &sbx_last_error) == SBX_OK);
  take(in, &sample);
  SBX_CHECK(((const Large*)sample.data)->seq == 2);
  sbx_sample_release(&sample);
  sbx_subscriber_close(in);
  sbx_publisher_close(out);
}

int main(void) {
  use_scratch_domain();
  a_small_message_is_copied_and_may_move();
  a_large_message_outlives_its_subscriber_and_is_released_by_any_thread();
  the_65th_held_sample_is_refused_until_one_is_released();
  a_loan_is_filled_in_place_shortened_and_published_once();
  plain_bytes_have_only_a_tail();
  a_short_loan_after_a_long_one_is_its_own();
  waiting_and_polling_tell_when_to_take();
  another_idea_of_the_type_is_refused_by_name();
  options_are_checked();
  null_is_answered_and_never_followed();
  a_forked_child_is_refused_and_harms_nobody();
  return 0;
}
