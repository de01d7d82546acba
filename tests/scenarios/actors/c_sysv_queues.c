/* System V message queues by signalbox/c/sysv_queue.h. */
#include "signalbox/c/sysv_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "c_operations.h"

static Handles queues;

static sbx_sysv_queue* queue_of(const SaidWords* said) { return handle(&queues, word(said, 0)); }

static int32_t key_of(const SaidWords* said) {
  return strcmp(word(said, 1), "private") == 0 ? SBX_SYSV_PRIVATE : (int32_t)number(said, 1);
}

static void keep_queue(const SaidWords* said, Answer* out, int code, sbx_sysv_queue* made,
                       const sbx_error* error) {
  if (code == SBX_OK) sbx_sysv_queue_close(keep(&queues, word(said, 0), made));
  told(out, code, error);
}

static void create(const SaidWords* said, Answer* out) {
  sbx_sysv_queue* made = NULL;
  sbx_error error;
  const int code = sbx_sysv_queue_create(key_of(said), NULL, &made, &error);
  keep_queue(said, out, code, made, &error);
}

static void open_queue(const SaidWords* said, Answer* out) {
  sbx_sysv_queue* made = NULL;
  sbx_error error;
  const int code = sbx_sysv_queue_open(key_of(said), &made, &error);
  keep_queue(said, out, code, made, &error);
}

static void send(const SaidWords* said, Answer* out) {
  size_t count = 0;
  const char* const text = bytes(said, 2, &count);
  sbx_error error;
  told(out,
       sbx_sysv_queue_send(queue_of(said), number(said, 1), text, count, SBX_NEVER,
                           SBX_ON_SIGNAL_GIVE_UP, &error),
       &error);
}

static void try_send(const SaidWords* said, Answer* out) {
  size_t count = 0;
  const char* const text = bytes(said, 2, &count);
  int sent = 0;
  sbx_error error;
  const int code =
      sbx_sysv_queue_try_send(queue_of(said), number(said, 1), text, count, &sent, &error);
  told_if_done(out, code, &error, sent, EAGAIN);
}

/* any, =TYPE, <=TYPE or !=TYPE */
static sbx_message_filter filter_of(const SaidWords* said) {
  const char* const text = word(said, 1);
  sbx_message_filter filter = {.kind = SBX_FILTER_ANY};
  if (strcmp(text, "any") == 0) return filter;
  filter.kind = text[0] == '='   ? SBX_FILTER_EXACT
                : text[0] == '<' ? SBX_FILTER_UP_TO
                                 : SBX_FILTER_ALL_BUT;
  filter.type = strtoll(text + (text[0] == '=' ? 1 : 2), NULL, 10);
  return filter;
}

static uint32_t flags_of(const SaidWords* said) {
  return contains(said, "truncate") ? SBX_RECEIVE_CUT_OFF : 0;
}

static char buffer[text_max];

static size_t room_of(const SaidWords* said) {
  const int64_t room = number(said, 2);
  if (room > text_max) abort();
  return (size_t)room;
}

static void received(Answer* out, int code, const sbx_error* error,
                     const sbx_queue_message* message, int is_there) {
  if (code == SBX_OK && is_there) {
    ok_message(out, message->type, buffer, message->bytes);
  } else {
    told_if_done(out, code, error, is_there, ENOMSG);
  }
}

static void receive(const SaidWords* said, Answer* out) {
  sbx_queue_message message;
  sbx_error error;
  const int code =
      sbx_sysv_queue_receive(queue_of(said), buffer, room_of(said), filter_of(said), flags_of(said),
                             SBX_NEVER, SBX_ON_SIGNAL_GIVE_UP, &message, &error);
  received(out, code, &error, &message, 1);
}

static void try_receive(const SaidWords* said, Answer* out) {
  sbx_queue_message message;
  int is_there = 0;
  sbx_error error;
  const int code =
      sbx_sysv_queue_try_receive(queue_of(said), buffer, room_of(said), filter_of(said),
                                 flags_of(said), &message, &is_there, &error);
  received(out, code, &error, &message, is_there);
}

static void peek(const SaidWords* said, Answer* out) {
  sbx_queue_message message;
  int is_there = 0;
  sbx_error error;
  const int code = sbx_sysv_queue_peek(queue_of(said), (size_t)number(said, 1), buffer,
                                       room_of(said), &message, &is_there, &error);
  received(out, code, &error, &message, is_there);
}

static void status(const SaidWords* said, Answer* out) {
  sbx_sysv_queue_facts facts = {.struct_size = sizeof facts};
  sbx_error error;
  if (sbx_sysv_queue_look(queue_of(said), &facts, &error) != SBX_OK) {
    failed(out, &error);
  } else {
    ok(out, "%llu %llu %u %u", (unsigned long long)facts.messages, (unsigned long long)facts.bytes,
       facts.last_sender, facts.last_receiver);
  }
}

static void limit(const SaidWords* said, Answer* out) {
  sbx_error error;
  told(out, sbx_sysv_queue_set_capacity(queue_of(said), (uint64_t)number(said, 1), &error), &error);
}

static void remove_queue(const SaidWords* said, Answer* out) {
  sbx_error error;
  told(out, sbx_sysv_queue_remove(queue_of(said), &error), &error);
}

const COperation sysv_queue_operations[] = {
    {"queue_create", create},
    {"queue_open", open_queue},
    {"queue_send", send},
    {"queue_try_send", try_send},
    {"queue_receive", receive},
    {"queue_try_receive", try_receive},
    {"queue_peek", peek},
    {"queue_status", status},
    {"queue_limit", limit},
    {"queue_remove", remove_queue},
    {NULL, NULL},
};
