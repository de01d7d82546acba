/* POSIX message queues by signalbox/c/posix_queue.h. */
#include "signalbox/c/posix_queue.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "c_operations.h"

static Handles queues;

static sbx_posix_queue* queue_of(const SaidWords* said) { return handle(&queues, word(said, 0)); }

static void keep_queue(const SaidWords* said, Answer* out, int code, sbx_posix_queue* made,
                       const sbx_error* error) {
  if (code == SBX_OK) sbx_posix_queue_close(keep(&queues, word(said, 0), made));
  told(out, code, error);
}

/* A size of 0 means the machine's usual one to us and nonsense to the kernel: -1 is nonsense to
 * both. */
static int64_t size_of(const SaidWords* said, size_t index) {
  return number(said, index) == 0 ? -1 : number(said, index);
}

static void create(const SaidWords* said, Answer* out) {
  sbx_posix_queue_options options;
  sbx_posix_queue_options_init(&options);
  options.messages_max = size_of(said, 2);
  options.message_bytes_max = size_of(said, 3);
  options.mode = mode(said, 4);
  sbx_posix_queue* made = NULL;
  sbx_error error;
  const int code = sbx_posix_queue_create(word(said, 1), &options, &made, &error);
  keep_queue(said, out, code, made, &error);
}

static void open_queue(const SaidWords* said, Answer* out) {
  const uint32_t access = !has(said, 2)                     ? SBX_QUEUE_BOTH
                          : strcmp(word(said, 2), "r") == 0 ? SBX_QUEUE_RECEIVE
                                                            : SBX_QUEUE_SEND;
  sbx_posix_queue* made = NULL;
  sbx_error error;
  const int code = sbx_posix_queue_open(word(said, 1), access, &made, &error);
  keep_queue(said, out, code, made, &error);
}

static void close_queue(const SaidWords* said, Answer* out) {
  sbx_posix_queue_close(queue_of(said));
  forget(&queues, word(said, 0));
  told(out, SBX_OK, NULL);
}

static void unlink_name(const SaidWords* said, Answer* out) {
  sbx_error error;
  told(out, sbx_posix_queue_unlink(word(said, 0), &error), &error);
}

/* NAME [SPAN] PRIORITY TEXT */
static void send_until(const SaidWords* said, size_t first, int64_t until, Answer* out) {
  size_t count = 0;
  const char* const text = bytes(said, first + 1, &count);
  sbx_error error;
  told(out,
       sbx_posix_queue_send(queue_of(said), text, count, (uint32_t)number(said, first), until,
                            SBX_ON_SIGNAL_GIVE_UP, &error),
       &error);
}

static void send(const SaidWords* said, Answer* out) { send_until(said, 1, SBX_NEVER, out); }

static void timed_send(const SaidWords* said, Answer* out) {
  send_until(said, 2, deadline(said, 1), out);
}

static void try_send(const SaidWords* said, Answer* out) {
  size_t count = 0;
  const char* const text = bytes(said, 2, &count);
  int sent = 0;
  sbx_error error;
  const int code = sbx_posix_queue_try_send(queue_of(said), text, count, (uint32_t)number(said, 1),
                                            &sent, &error);
  told_if_done(out, code, &error, sent, EAGAIN);
}

static char buffer[text_max];

/* As asked, or as long as the queue's messages may be. */
static size_t room_of(const SaidWords* said, size_t index) {
  if (has(said, index)) return (size_t)number(said, index);
  sbx_posix_queue_facts facts = {.struct_size = sizeof facts};
  sbx_error error;
  if (sbx_posix_queue_look(queue_of(said), &facts, &error) != SBX_OK) return 0;
  return (size_t)facts.message_bytes_max;
}

static void received(Answer* out, int code, const sbx_error* error,
                     const sbx_priority_message* message, int is_there) {
  if (code == SBX_OK && is_there) {
    ok_message(out, message->priority, buffer, message->bytes);
  } else {
    told_if_done(out, code, error, is_there, EAGAIN);
  }
}

static void receive_until(const SaidWords* said, size_t first, int64_t until, Answer* out) {
  sbx_priority_message message;
  sbx_error error;
  const int code = sbx_posix_queue_receive(queue_of(said), buffer, room_of(said, first), until,
                                           SBX_ON_SIGNAL_GIVE_UP, &message, &error);
  received(out, code, &error, &message, 1);
}

static void receive(const SaidWords* said, Answer* out) { receive_until(said, 1, SBX_NEVER, out); }

static void timed_receive(const SaidWords* said, Answer* out) {
  receive_until(said, 2, deadline(said, 1), out);
}

static void try_receive(const SaidWords* said, Answer* out) {
  sbx_priority_message message;
  int is_there = 0;
  sbx_error error;
  const int code = sbx_posix_queue_try_receive(queue_of(said), buffer, room_of(said, 1), &message,
                                               &is_there, &error);
  received(out, code, &error, &message, is_there);
}

static void attributes(const SaidWords* said, Answer* out) {
  sbx_posix_queue_facts facts = {.struct_size = sizeof facts};
  sbx_error error;
  if (sbx_posix_queue_look(queue_of(said), &facts, &error) != SBX_OK) {
    failed(out, &error);
  } else {
    ok(out, "%lld %lld %lld", (long long)facts.messages_max, (long long)facts.message_bytes_max,
       (long long)facts.messages);
  }
}

static void notify(const SaidWords* said, Answer* out) {
  sigset_t notices;
  sigemptyset(&notices);
  sigaddset(&notices, SIGRTMIN);
  sigprocmask(SIG_BLOCK, &notices, NULL);
  sbx_error error;
  told(out, sbx_posix_queue_notify_once(queue_of(said), SIGRTMIN, (int)number(said, 1), &error),
       &error);
}

static void stop_notices(const SaidWords* said, Answer* out) {
  sbx_error error;
  told(out, sbx_posix_queue_forget_notice(queue_of(said), &error), &error);
}

static void notice(const SaidWords* said, Answer* out) {
  (void)said;
  sigset_t notices;
  sigemptyset(&notices);
  sigaddset(&notices, SIGRTMIN);
  siginfo_t info;
  const struct timespec at_once = {0, 0};
  if (sigtimedwait(&notices, &info, &at_once) < 0) {
    failed_as(out, errno);
  } else {
    ok(out, "%d %d %u", info.si_value.sival_int, (int)info.si_pid, (unsigned)info.si_uid);
  }
}

const COperation posix_queue_operations[] = {
    {"mq_create", create},
    {"mq_open", open_queue},
    {"mq_close", close_queue},
    {"mq_unlink", unlink_name},
    {"mq_send", send},
    {"mq_timed_send", timed_send},
    {"mq_try_send", try_send},
    {"mq_receive", receive},
    {"mq_timed_receive", timed_receive},
    {"mq_try_receive", try_receive},
    {"mq_attributes", attributes},
    {"mq_notify", notify},
    {"mq_stop_notices", stop_notices},
    {"mq_notice", notice},
    {NULL, NULL},
};
