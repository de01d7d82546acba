// sysv_queue.cpp: sbx_sysv_queue over os::SysvQueue.
#include "signalbox/c/sysv_queue.h"

#include <optional>

#include "c/object_calls.hpp"
#include "c/sysv_access.hpp"
#include "signalbox/os/sysv_queue.hpp"

using signalbox::Deadline;
using signalbox::Result;
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
using signalbox::c::read_first_options;
using signalbox::c::report;
using signalbox::c::room_of;
using signalbox::os::MessageFilter;
using signalbox::os::QueueMessage;
using signalbox::os::SysvKey;
using signalbox::os::SysvQueue;
using signalbox::os::SysvQueueOptions;
using signalbox::os::TooLong;

struct sbx_sysv_queue {
  SysvQueue raw;
};

namespace {

static_assert(SBX_FILTER_ANY == static_cast<int>(MessageFilter::Kind::any));
static_assert(SBX_FILTER_EXACT == static_cast<int>(MessageFilter::Kind::exact));
static_assert(SBX_FILTER_UP_TO == static_cast<int>(MessageFilter::Kind::up_to));
static_assert(SBX_FILTER_ALL_BUT == static_cast<int>(MessageFilter::Kind::all_but));

std::optional<MessageFilter> filter_of(const sbx_message_filter& filter) noexcept {
  switch (filter.kind) {
    case SBX_FILTER_ANY:
      return MessageFilter::any();
    case SBX_FILTER_EXACT:
      return MessageFilter::exact(filter.type);
    case SBX_FILTER_UP_TO:
      return MessageFilter::up_to(filter.type);
    case SBX_FILTER_ALL_BUT:
      return MessageFilter::all_but(filter.type);
    default:
      return std::nullopt;
  }
}

sbx_queue_message message_of(const QueueMessage& message) noexcept {
  return {.type = message.type,
          .bytes = message.bytes,
          .was_cut_off = message.was_cut_off ? 1u : 0u,
          .reserved = 0};
}

// Hands over a message that may not be there.
int hand_over(const Result<std::optional<QueueMessage>>& result, sbx_queue_message* message,
              int* is_there, sbx_error* error) noexcept {
  *is_there = result && *result ? 1 : 0;
  if (*is_there != 0) *message = message_of(**result);
  return answer(result, error);
}

// What both receives have to be given.
int check_receive(std::string_view function, const sbx_sysv_queue* queue, const void* buffer,
                  std::size_t room, const sbx_message_filter& filter, std::uint32_t flags,
                  const sbx_queue_message* message, sbx_error* error) noexcept {
  if (const int bad = need(function, {{queue, "queue"}, {message, "message"}}, error)) return bad;
  if (const int bad = need_bytes(function, buffer, room, "buffer", error)) return bad;
  if (!filter_of(filter)) {
    return bad_argument(function, "filter.kind is no sbx_filter_kind", error);
  }
  if ((flags & ~SBX_RECEIVE_CUT_OFF) == 0) return SBX_OK;
  return bad_argument(function, "'flags' has a bit other than SBX_RECEIVE_CUT_OFF", error);
}

TooLong too_long(std::uint32_t flags) noexcept {
  return (flags & SBX_RECEIVE_CUT_OFF) != 0 ? TooLong::cut_off : TooLong::refuse;
}

int read_mode(std::string_view function, const sbx_sysv_queue_options* given, SysvQueueOptions& out,
              sbx_error* error) noexcept {
  sbx_sysv_queue_options read{};
  sbx_sysv_queue_options_init(&read);
  const int bad = read_first_options(function, given, read, error);
  out.mode = read.mode;
  return bad;
}

}  // namespace

extern "C" {

void sbx_sysv_queue_options_init_sized(sbx_sysv_queue_options* options, size_t size) {
  const SysvQueueOptions defaults{};
  const sbx_sysv_queue_options whole{.struct_size = sizeof(whole), .mode = defaults.mode};
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}

int sbx_sysv_queue_create(int32_t key, const sbx_sysv_queue_options* options, sbx_sysv_queue** out,
                          sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_queue_create";
  SysvQueueOptions read{};
  if (const int bad = read_mode(function, options, read, error)) return bad;
  return make(function, out, error, [&] { return SysvQueue::create(SysvKey::number(key), read); });
}

int sbx_sysv_queue_open(int32_t key, sbx_sysv_queue** out, sbx_error* error) {
  return make("sbx_sysv_queue_open", out, error,
              [&] { return SysvQueue::open(SysvKey::number(key)); });
}

int sbx_sysv_queue_open_or_create(int32_t key, const sbx_sysv_queue_options* options,
                                  sbx_sysv_queue** out, sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_queue_open_or_create";
  SysvQueueOptions read{};
  if (const int bad = read_mode(function, options, read, error)) return bad;
  return make(function, out, error,
              [&] { return SysvQueue::open_or_create(SysvKey::number(key), read); });
}

int sbx_sysv_queue_attach(int id, sbx_sysv_queue** out, sbx_error* error) {
  return make("sbx_sysv_queue_attach", out, error, [&] { return SysvQueue::attach(id); });
}

void sbx_sysv_queue_close(sbx_sysv_queue* queue) { delete queue; }

int sbx_sysv_queue_id(const sbx_sysv_queue* queue) {
  return queue == nullptr ? -1 : queue->raw.id();
}

int sbx_sysv_queue_send(sbx_sysv_queue* queue, int64_t type, const void* data, size_t bytes,
                        int64_t deadline_ns, int on_signal, sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_queue_send";
  if (const int bad = need_bytes(function, data, bytes, "data", error)) return bad;
  return act(function, queue, "queue", error, [&](SysvQueue& raw) {
    return raw.send(type, bytes_of(data, bytes), Deadline::at_ns(deadline_ns),
                    on_signal_of(on_signal));
  });
}

int sbx_sysv_queue_try_send(sbx_sysv_queue* queue, int64_t type, const void* data, size_t bytes,
                            int* sent, sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_queue_try_send";
  if (const int bad = need_bytes(function, data, bytes, "data", error)) return bad;
  return ask(function, queue, "queue", sent, "sent", error,
             [&](SysvQueue& raw) { return raw.try_send(type, bytes_of(data, bytes)); });
}

int sbx_sysv_queue_receive(sbx_sysv_queue* queue, void* buffer, size_t room,
                           sbx_message_filter filter, uint32_t flags, int64_t deadline_ns,
                           int on_signal, sbx_queue_message* message, sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_queue_receive";
  return guarded(function, error, [&]() -> int {
    if (const int bad =
            check_receive(function, queue, buffer, room, filter, flags, message, error)) {
      return bad;
    }
    const auto result =
        queue->raw.receive(room_of(buffer, room), *filter_of(filter), Deadline::at_ns(deadline_ns),
                           too_long(flags), on_signal_of(on_signal));
    if (result) *message = message_of(*result);
    return answer(result, error);
  });
}

int sbx_sysv_queue_try_receive(sbx_sysv_queue* queue, void* buffer, size_t room,
                               sbx_message_filter filter, uint32_t flags,
                               sbx_queue_message* message, int* received, sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_queue_try_receive";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{received, "received"}}, error)) return bad;
    if (const int bad =
            check_receive(function, queue, buffer, room, filter, flags, message, error)) {
      return bad;
    }
    return hand_over(
        queue->raw.try_receive(room_of(buffer, room), *filter_of(filter), too_long(flags)), message,
        received, error);
  });
}

int sbx_sysv_queue_peek(const sbx_sysv_queue* queue, size_t place, void* buffer, size_t room,
                        sbx_queue_message* message, int* found, sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_queue_peek";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{found, "found"}}, error)) return bad;
    if (const int bad = check_receive(function, queue, buffer, room, {}, 0, message, error)) {
      return bad;
    }
    return hand_over(queue->raw.peek(place, room_of(buffer, room)), message, found, error);
  });
}

int sbx_sysv_queue_remove(sbx_sysv_queue* queue, sbx_error* error) {
  return act("sbx_sysv_queue_remove", queue, "queue", error,
             [](SysvQueue& raw) { return raw.remove(); });
}

int sbx_sysv_queue_look(const sbx_sysv_queue* queue, sbx_sysv_queue_facts* facts,
                        sbx_error* error) {
  constexpr std::string_view function = "sbx_sysv_queue_look";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{queue, "queue"}, {facts, "facts"}}, error)) return bad;
    const auto found = queue->raw.facts();
    if (!found) return report(found.error(), error);
    const sbx_sysv_queue_facts whole{.struct_size = sizeof(whole),
                                     .id = found->id,
                                     .access = signalbox::c::access_of(found->access),
                                     .messages = found->messages,
                                     .bytes = found->bytes,
                                     .bytes_max = found->bytes_max,
                                     .last_sender = found->last_sender,
                                     .last_receiver = found->last_receiver,
                                     .last_send = found->last_send,
                                     .last_receive = found->last_receive,
                                     .last_change = found->last_change};
    return signalbox::c::write_facts(function, &whole, sizeof(whole), facts, sizeof(whole), error);
  });
}

int sbx_sysv_queue_set_capacity(sbx_sysv_queue* queue, uint64_t bytes, sbx_error* error) {
  return act("sbx_sysv_queue_set_capacity", queue, "queue", error,
             [&](SysvQueue& raw) { return raw.set_capacity(bytes); });
}

int sbx_sysv_queue_set_mode(sbx_sysv_queue* queue, uint32_t mode, sbx_error* error) {
  return act("sbx_sysv_queue_set_mode", queue, "queue", error,
             [&](SysvQueue& raw) { return raw.set_mode(mode); });
}

}  // extern "C"
