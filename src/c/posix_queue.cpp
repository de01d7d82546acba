// posix_queue.cpp: sbx_posix_queue over os::PosixQueue.
#include "signalbox/c/posix_queue.h"

#include <string>

#include "c/object_calls.hpp"
#include "signalbox/os/posix_queue.hpp"

using signalbox::Deadline;
using signalbox::c::act;
using signalbox::c::answer;
using signalbox::c::ask;
using signalbox::c::bad_argument;
using signalbox::c::bytes_of;
using signalbox::c::guarded;
using signalbox::c::make;
using signalbox::c::need;
using signalbox::c::need_bytes;
using signalbox::c::on_signal_of;
using signalbox::c::report;
using signalbox::c::room_of;
using signalbox::os::PosixQueue;
using signalbox::os::PosixQueueOptions;
using signalbox::os::PriorityMessage;
using signalbox::os::QueueAccess;

struct sbx_posix_queue {
  PosixQueue raw;
};

namespace {

static_assert(SBX_QUEUE_RECEIVE == static_cast<int>(QueueAccess::receive));
static_assert(SBX_QUEUE_SEND == static_cast<int>(QueueAccess::send));
static_assert(SBX_QUEUE_BOTH == static_cast<int>(QueueAccess::both));

int read_posix_queue_options(std::string_view function, const sbx_posix_queue_options* given,
                             PosixQueueOptions& out, sbx_error* error) noexcept {
  sbx_posix_queue_options read{};
  sbx_posix_queue_options_init(&read);
  if (const int bad = signalbox::c::read_first_options(function, given, read, error)) return bad;
  if (read.access > SBX_QUEUE_BOTH) {
    return bad_argument(function, "options->access is no sbx_queue_access", error);
  }
  out = {.messages_max = static_cast<long>(read.messages_max),
         .message_bytes_max = static_cast<long>(read.message_bytes_max),
         .mode = read.mode,
         .access = static_cast<QueueAccess>(read.access)};
  return SBX_OK;
}

template <class Make>
int make_with(std::string_view function, const char* name, const sbx_posix_queue_options* options,
              sbx_posix_queue** out, sbx_error* error, Make&& made) noexcept {
  PosixQueueOptions read{};
  if (const int bad = read_posix_queue_options(function, options, read, error)) return bad;
  if (const int bad = need(function, {{name, "name"}}, error)) return bad;
  return make(function, out, error, [&] { return made(std::string(name), read); });
}

sbx_priority_message message_of(const PriorityMessage& message) noexcept {
  return {.bytes = message.bytes, .priority = message.priority, .reserved = 0};
}

}  // namespace

extern "C" {

void sbx_posix_queue_options_init_sized(sbx_posix_queue_options* options, size_t size) {
  const PosixQueueOptions defaults{};
  const sbx_posix_queue_options whole{.struct_size = sizeof(whole),
                                      .mode = defaults.mode,
                                      .messages_max = defaults.messages_max,
                                      .message_bytes_max = defaults.message_bytes_max,
                                      .access = static_cast<std::uint32_t>(defaults.access),
                                      .reserved = 0};
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}

int sbx_posix_queue_create(const char* name, const sbx_posix_queue_options* options,
                           sbx_posix_queue** out, sbx_error* error) {
  return make_with("sbx_posix_queue_create", name, options, out, error,
                   [](const std::string& called, const PosixQueueOptions& with) {
                     return PosixQueue::create(called, with);
                   });
}

int sbx_posix_queue_open(const char* name, uint32_t access, sbx_posix_queue** out,
                         sbx_error* error) {
  constexpr std::string_view function = "sbx_posix_queue_open";
  if (access > SBX_QUEUE_BOTH) {
    return bad_argument(function, "'access' is no sbx_queue_access", error);
  }
  return make_with(function, name, nullptr, out, error,
                   [&](const std::string& called, const PosixQueueOptions& /*none*/) {
                     return PosixQueue::open(called, static_cast<QueueAccess>(access));
                   });
}

int sbx_posix_queue_open_or_create(const char* name, const sbx_posix_queue_options* options,
                                   sbx_posix_queue** out, sbx_error* error) {
  return make_with("sbx_posix_queue_open_or_create", name, options, out, error,
                   [](const std::string& called, const PosixQueueOptions& with) {
                     return PosixQueue::open_or_create(called, with);
                   });
}

int sbx_posix_queue_unlink(const char* name, sbx_error* error) {
  constexpr std::string_view function = "sbx_posix_queue_unlink";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{name, "name"}}, error)) return bad;
    return answer(PosixQueue::unlink(name), error);
  });
}

void sbx_posix_queue_close(sbx_posix_queue* queue) { delete queue; }

int sbx_posix_queue_send(sbx_posix_queue* queue, const void* data, size_t bytes, uint32_t priority,
                         int64_t deadline_ns, int on_signal, sbx_error* error) {
  constexpr std::string_view function = "sbx_posix_queue_send";
  if (const int bad = need_bytes(function, data, bytes, "data", error)) return bad;
  return act(function, queue, "queue", error, [&](PosixQueue& raw) {
    return raw.send(bytes_of(data, bytes), priority, Deadline::at_ns(deadline_ns),
                    on_signal_of(on_signal));
  });
}

int sbx_posix_queue_try_send(sbx_posix_queue* queue, const void* data, size_t bytes,
                             uint32_t priority, int* sent, sbx_error* error) {
  constexpr std::string_view function = "sbx_posix_queue_try_send";
  if (const int bad = need_bytes(function, data, bytes, "data", error)) return bad;
  return ask(function, queue, "queue", sent, "sent", error,
             [&](PosixQueue& raw) { return raw.try_send(bytes_of(data, bytes), priority); });
}

int sbx_posix_queue_receive(sbx_posix_queue* queue, void* buffer, size_t room, int64_t deadline_ns,
                            int on_signal, sbx_priority_message* message, sbx_error* error) {
  constexpr std::string_view function = "sbx_posix_queue_receive";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{queue, "queue"}, {message, "message"}}, error)) return bad;
    if (const int bad = need_bytes(function, buffer, room, "buffer", error)) return bad;
    const auto result = queue->raw.receive(room_of(buffer, room), Deadline::at_ns(deadline_ns),
                                           on_signal_of(on_signal));
    if (result) *message = message_of(*result);
    return answer(result, error);
  });
}

int sbx_posix_queue_try_receive(sbx_posix_queue* queue, void* buffer, size_t room,
                                sbx_priority_message* message, int* received, sbx_error* error) {
  constexpr std::string_view function = "sbx_posix_queue_try_receive";
  return guarded(function, error, [&]() -> int {
    if (const int bad =
            need(function, {{queue, "queue"}, {message, "message"}, {received, "received"}}, error))
      return bad;
    *received = 0;
    if (const int bad = need_bytes(function, buffer, room, "buffer", error)) return bad;
    const auto result = queue->raw.try_receive(room_of(buffer, room));
    if (!result) return report(result.error(), error);
    *received = *result ? 1 : 0;
    if (*result) *message = message_of(**result);
    return SBX_OK;
  });
}

int sbx_posix_queue_look(const sbx_posix_queue* queue, sbx_posix_queue_facts* facts,
                         sbx_error* error) {
  constexpr std::string_view function = "sbx_posix_queue_look";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{queue, "queue"}, {facts, "facts"}}, error)) return bad;
    const auto found = queue->raw.facts();
    if (!found) return report(found.error(), error);
    const sbx_posix_queue_facts whole{.struct_size = sizeof(whole),
                                      .reserved = 0,
                                      .messages_max = found->messages_max,
                                      .message_bytes_max = found->message_bytes_max,
                                      .messages = found->messages};
    return signalbox::c::write_facts(function, &whole, sizeof(whole), facts, sizeof(whole), error);
  });
}

int sbx_posix_queue_notify_once(sbx_posix_queue* queue, int signal, int value, sbx_error* error) {
  return act("sbx_posix_queue_notify_once", queue, "queue", error,
             [&](PosixQueue& raw) { return raw.notify_once(signal, value); });
}

int sbx_posix_queue_forget_notice(sbx_posix_queue* queue, sbx_error* error) {
  return act("sbx_posix_queue_forget_notice", queue, "queue", error,
             [](PosixQueue& raw) { return raw.forget_notice(); });
}

int sbx_posix_queue_descriptor(const sbx_posix_queue* queue) {
  return queue == nullptr ? -1 : queue->raw.descriptor();
}

}  // extern "C"
