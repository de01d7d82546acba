/* Message queues of the kernel from C, of both kinds: order, filters, priorities, deadlines, codes
 * and errno, and facts. Objects are private, or named after this process. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "c/check.h"
#include "signalbox/c/posix_queue.h"
#include "signalbox/c/sysv_queue.h"

static const sbx_message_filter any = {.kind = SBX_FILTER_ANY};

static sbx_message_filter only(uint32_t kind, int64_t type) {
  return (sbx_message_filter){.kind = kind, .type = type};
}

static void put(sbx_sysv_queue* queue, int64_t type, const char* text) {
  SBX_CHECK(sbx_sysv_queue_send(queue, type, text, strlen(text), SBX_NEVER, 0, &sbx_last_error) ==
            SBX_OK);
}

/* Takes one and expects it to be this. */
static void expect(sbx_sysv_queue* queue, sbx_message_filter filter, int64_t type,
                   const char* text) {
  char buffer[16];
  sbx_queue_message message;
  SBX_CHECK(sbx_sysv_queue_receive(queue, buffer, sizeof(buffer), filter, 0, SBX_NEVER, 0, &message,
                                   &sbx_last_error) == SBX_OK);
  SBX_CHECK(message.type == type && message.bytes == strlen(text) &&
            memcmp(buffer, text, strlen(text)) == 0);
}

static void messages_come_by_type(sbx_sysv_queue* queue) {
  put(queue, 3, "three");
  put(queue, 1, "one");
  put(queue, 2, "two");
  put(queue, 3, "again");
  char buffer[16];
  sbx_queue_message message;
  int found = 0;
  SBX_CHECK(sbx_sysv_queue_peek(queue, 1, buffer, sizeof(buffer), &message, &found,
                                &sbx_last_error) == SBX_OK);
  SBX_CHECK(found && message.type == 1 && memcmp(buffer, "one", 3) == 0);
  expect(queue, only(SBX_FILTER_UP_TO, 2), 1, "one");
  expect(queue, only(SBX_FILTER_ALL_BUT, 3), 2, "two");
  expect(queue, only(SBX_FILTER_EXACT, 3), 3, "three");
  expect(queue, any, 3, "again");
}

static void what_does_not_fit(sbx_sysv_queue* queue) {
  put(queue, 1, "long message");
  char buffer[4];
  sbx_queue_message message;
  int received = 1;
  SBX_CHECK(sbx_sysv_queue_receive(queue, buffer, 4, any, 0, SBX_NEVER, 0, &message,
                                   &sbx_last_error) == SBX_TOO_LARGE);
  SBX_CHECK(sbx_last_error.sys_errno == E2BIG);
  SBX_CHECK(sbx_sysv_queue_try_receive(queue, buffer, 4, any, SBX_RECEIVE_CUT_OFF, &message,
                                       &received, &sbx_last_error) == SBX_OK);
  SBX_CHECK(received && message.was_cut_off && message.bytes == 4 && buffer[3] == 'g');
  SBX_CHECK(sbx_sysv_queue_try_receive(queue, buffer, 4, any, 0, &message, &received,
                                       &sbx_last_error) == SBX_OK &&
            !received);
  const int64_t soon = sbx_now_ns() + 20000000;
  SBX_CHECK(sbx_sysv_queue_receive(queue, buffer, 4, any, 0, soon, 0, &message, &sbx_last_error) ==
                SBX_TIMED_OUT &&
            sbx_now_ns() >= soon);
  SBX_CHECK(sbx_sysv_queue_receive(queue, buffer, 4, only(9, 1), 0, soon, 0, &message,
                                   &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_sysv_queue_send(queue, 0, "x", 1, SBX_NEVER, 0, &sbx_last_error) ==
            SBX_BAD_ARGUMENT);
}

static void a_full_queue_says_so(sbx_sysv_queue* queue) {
  SBX_CHECK(sbx_sysv_queue_set_capacity(queue, 8, &sbx_last_error) == SBX_OK);
  int sent = 0;
  SBX_CHECK(sbx_sysv_queue_try_send(queue, 1, "12345678", 8, &sent, &sbx_last_error) == SBX_OK &&
            sent);
  SBX_CHECK(sbx_sysv_queue_try_send(queue, 1, "9", 1, &sent, &sbx_last_error) == SBX_OK && !sent);
  sbx_sysv_queue_facts facts = {.struct_size = sizeof(facts)};
  SBX_CHECK(sbx_sysv_queue_look(queue, &facts, &sbx_last_error) == SBX_OK);
  SBX_CHECK(facts.messages == 1 && facts.bytes == 8 && facts.bytes_max == 8);
  SBX_CHECK(facts.last_sender == (uint32_t)getpid() && facts.id == sbx_sysv_queue_id(queue));
  expect(queue, any, 1, "12345678");
}

static void sysv_queues(void) {
  sbx_sysv_queue *queue = NULL, *attached = NULL;
  SBX_CHECK(sbx_sysv_queue_create(SBX_SYSV_PRIVATE, NULL, &queue, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_sysv_queue_attach(sbx_sysv_queue_id(queue), &attached, &sbx_last_error) == SBX_OK);
  messages_come_by_type(attached);
  what_does_not_fit(queue);
  a_full_queue_says_so(queue);
  SBX_CHECK(sbx_sysv_queue_remove(queue, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_sysv_queue_send(attached, 1, "x", 1, SBX_NEVER, 0, &sbx_last_error) == SBX_REMOVED);
  sbx_sysv_queue_close(queue);
  sbx_sysv_queue_close(attached);
  sbx_sysv_queue_close(NULL);
}

static void urgent_ones_come_first(sbx_posix_queue* queue) {
  struct pollfd wanted = {.fd = sbx_posix_queue_descriptor(queue), .events = POLLIN | POLLOUT};
  SBX_CHECK(poll(&wanted, 1, 0) == 1 && wanted.revents == POLLOUT);
  int sent = 0;
  SBX_CHECK(sbx_posix_queue_send(queue, "low", 3, 1, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_posix_queue_try_send(queue, "high", 4, 9, &sent, &sbx_last_error) == SBX_OK &&
            sent);
  SBX_CHECK(sbx_posix_queue_try_send(queue, "no", 2, 9, &sent, &sbx_last_error) == SBX_OK && !sent);
  SBX_CHECK(poll(&wanted, 1, 0) == 1 && wanted.revents == POLLIN);
  const int64_t soon = sbx_now_ns() + 20000000;
  SBX_CHECK(sbx_posix_queue_send(queue, "no", 2, 1, soon, 0, &sbx_last_error) == SBX_TIMED_OUT &&
            sbx_now_ns() >= soon);
  char buffer[16];
  sbx_priority_message message;
  int received = 0;
  SBX_CHECK(sbx_posix_queue_receive(queue, buffer, 4, SBX_NEVER, 0, &message, &sbx_last_error) ==
            SBX_TOO_LARGE);
  SBX_CHECK(sbx_posix_queue_receive(queue, buffer, sizeof(buffer), SBX_NEVER, 0, &message,
                                    &sbx_last_error) == SBX_OK);
  SBX_CHECK(message.priority == 9 && message.bytes == 4 && memcmp(buffer, "high", 4) == 0);
  SBX_CHECK(sbx_posix_queue_try_receive(queue, buffer, sizeof(buffer), &message, &received,
                                        &sbx_last_error) == SBX_OK);
  SBX_CHECK(received && message.priority == 1);
  SBX_CHECK(sbx_posix_queue_try_receive(queue, buffer, sizeof(buffer), &message, &received,
                                        &sbx_last_error) == SBX_OK &&
            !received);
}

static void posix_queues(void) {
  char name[64];
  snprintf(name, sizeof(name), "/sbx-c-test-%d", (int)getpid());
  sbx_posix_queue_options options;
  sbx_posix_queue_options_init(&options);
  options.messages_max = 2;
  options.message_bytes_max = 16;
  sbx_posix_queue *queue = NULL, *sender = NULL;
  const int made = sbx_posix_queue_create(name, &options, &queue, &sbx_last_error);
  if (made == SBX_NOT_SUPPORTED) {
    fprintf(stderr, "no POSIX queues here: %s\n", sbx_last_error.text);
    return;
  }
  SBX_CHECK(made == SBX_OK);
  urgent_ones_come_first(queue);
  SBX_CHECK(sbx_posix_queue_open(name, SBX_QUEUE_SEND, &sender, &sbx_last_error) == SBX_OK);
  char buffer[16];
  sbx_priority_message message;
  SBX_CHECK(sbx_posix_queue_receive(sender, buffer, 16, SBX_IMMEDIATE, 0, &message,
                                    &sbx_last_error) == SBX_PERMISSION_DENIED);
  SBX_CHECK(sbx_posix_queue_notify_once(queue, SIGURG, 5, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_posix_queue_notify_once(queue, SIGURG, 5, &sbx_last_error) == SBX_ALREADY_EXISTS);
  SBX_CHECK(sbx_posix_queue_forget_notice(queue, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_posix_queue_send(sender, "x", 1, 0, SBX_NEVER, 0, &sbx_last_error) == SBX_OK);
  sbx_posix_queue_facts facts = {.struct_size = sizeof(facts)};
  SBX_CHECK(sbx_posix_queue_look(queue, &facts, &sbx_last_error) == SBX_OK);
  SBX_CHECK(facts.messages == 1 && facts.messages_max == 2 && facts.message_bytes_max == 16);
  SBX_CHECK(sbx_posix_queue_open(name, 7, &sender, &sbx_last_error) == SBX_BAD_ARGUMENT);
  SBX_CHECK(sbx_posix_queue_unlink(name, &sbx_last_error) == SBX_OK);
  SBX_CHECK(sbx_posix_queue_unlink(name, &sbx_last_error) == SBX_NOT_FOUND);
  sbx_posix_queue_close(queue);
  sbx_posix_queue_close(sender);
  SBX_CHECK(sbx_posix_queue_descriptor(NULL) == -1);
}

int main(void) {
  sysv_queues();
  posix_queues();
  return 0;
}
