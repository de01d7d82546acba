// os/sysv_queue.hpp: System V message queues: whole messages with a type, received by type.
//
//   Lives     until remove() or the machine restarts, with the messages in it
//   Threads   any number at a time, also on one handle
//   Crash     a message is in the queue whole or not at all; those of the dead stay
//   Fork      a child inherits the handle
//   Limits    /proc/sys/kernel/msgmax (bytes of a message), msgmnb (of a queue), msgmni (queues)
//   Pollable  no: in a WaitSet use a POSIX queue
//   Manual    msgget(2) msgop(2) msgctl(2) sysvipc(7)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/sysv_key.hpp"

namespace signalbox::os {

// Which messages a receive() is for. Types are 1 and above.
class MessageFilter {
 public:
  enum class Kind : std::uint8_t { any, exact, up_to, all_but };
  // The oldest of all.
  static constexpr MessageFilter any() noexcept { return {Kind::any, 1}; }
  // The oldest of this type.
  static constexpr MessageFilter exact(long type) noexcept { return {Kind::exact, type}; }
  // Of the lowest type that is there and not above this one, the oldest: types as priorities.
  static constexpr MessageFilter up_to(long type) noexcept { return {Kind::up_to, type}; }
  // The oldest that is not of this type.
  static constexpr MessageFilter all_but(long type) noexcept { return {Kind::all_but, type}; }

  constexpr Kind kind() const noexcept { return kind_; }
  constexpr long type() const noexcept { return type_; }

 private:
  constexpr MessageFilter(Kind kind, long type) noexcept : kind_(kind), type_(type) {}
  Kind kind_;
  long type_;
};

// What to do with a message that is longer than the buffer.
enum class TooLong : std::uint8_t {
  refuse,   // the error too_large, and it stays in the queue
  cut_off,  // the rest of it is lost; QueueMessage::was_cut_off says so
};

struct QueueMessage {
  long type;
  std::size_t bytes;  // now at the beginning of the buffer
  bool was_cut_off;
};

struct SysvQueueOptions {
  std::uint32_t mode = 0600;  // no umask applies
};

struct SysvQueueFacts {
  int id;
  SysvAccess access;
  std::uint64_t messages;     // waiting
  std::uint64_t bytes;        // in them
  std::uint64_t bytes_max;    // set_capacity()
  std::uint32_t last_sender;  // a pid; 0: nobody yet, or not visible in this pid name space
  std::uint32_t last_receiver;
  std::int64_t last_send;  // seconds since 1970; 0: never
  std::int64_t last_receive;
  std::int64_t last_change;
};

struct SysvQueueLimits {
  std::uint32_t message_bytes_max;  // msgmax
  std::uint32_t queue_bytes_max;    // msgmnb: what a queue begins with
  std::uint32_t queues_max;         // msgmni, in the name space
  std::uint32_t queues;             // in use now
};

// Every call enters the kernel once unless it says otherwise. Besides the errors named there is
// permission_denied everywhere, `removed` in every call on a queue that is gone, and `closed` in
// every call on an empty handle.
//
// Deadlines: the kernel lets one wait for ever or not at all. A send() or receive() with
// Deadline::never() sleeps in the kernel and costs nothing meanwhile. With any other deadline it
// looks, naps, and looks again: after 50 us at first, then twice as long each time, at most 10 ms.
// So it wakes up to 100 times a second, notices a message up to 10 ms late, and stands in no line:
// somebody who sleeps in the kernel may be served first. A POSIX queue has none of these costs.
//
// Messages are copied once more, up to 8192 bytes on the stack, larger ones on the heap.
class SysvQueue {
 public:
  // Errors: already_exists, no_space (msgmni queues exist), out_of_memory.
  static Result<SysvQueue> create(SysvKey key, SysvQueueOptions options = {});
  // Errors: not_found, bad_argument (a private key: attach() instead).
  static Result<SysvQueue> open(SysvKey key);
  // Opens it or creates it. Errors: those of both but already_exists and not_found.
  static Result<SysvQueue> open_or_create(SysvKey key, SysvQueueOptions options = {});
  // The queue of this id, for example a private one of one's parent. Error: not_found.
  static Result<SysvQueue> attach(int id);

  SysvQueue(SysvQueue&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  SysvQueue& operator=(SysvQueue&& other) noexcept {
    id_ = std::exchange(other.id_, -1);
    return *this;
  }
  explicit operator bool() const noexcept { return id_ >= 0; }
  int id() const noexcept { return id_; }

  // Puts a message at the end, waiting for room.
  // Errors: timed_out, interrupted (if so asked), bad_argument (a type below 1), too_large (more
  // than msgmax). Whatever the error, nothing was queued.
  Result<void> send(long type, std::span<const std::byte> message, Deadline deadline,
                    OnSignal on_signal = OnSignal::go_on) {
    long sent = kernel::not_made;
    if (is_sent_in_line(message, deadline)) {
      SmallMessage small;
      small.type = type;
      if (!message.empty()) std::memcpy(small.bytes, message.data(), message.size());
      sent = kernel::enter(kernel::KernelCall::msgsnd, id_, kernel::address_of(&small),
                           static_cast<long>(message.size()), 0);
    }
    if (sent == 0) [[likely]]
      return {};
    return send_after(sent, type, message, deadline, on_signal);
  }
  // False: there is no room.
  Result<bool> try_send(long type, std::span<const std::byte> message);

  // Takes the first message that the filter lets through, waiting for one.
  // Errors: timed_out, interrupted (if so asked), too_large (longer than the buffer: it stays),
  // bad_argument (a filter for a type below 1).
  Result<QueueMessage> receive(std::span<std::byte> buffer, MessageFilter filter, Deadline deadline,
                               TooLong too_long = TooLong::refuse,
                               OnSignal on_signal = OnSignal::go_on) {
    long got = kernel::not_made;
    if (is_received_in_line(buffer, filter, deadline)) {
      SmallMessage small;
      const Selection wanted = selection(filter, too_long);
      const std::size_t room = buffer.size() + (too_long == TooLong::cut_off ? 1U : 0U);
      got = kernel::enter(kernel::KernelCall::msgrcv, id_, kernel::address_of(&small),
                          static_cast<long>(room), wanted.type, wanted.flags, 0);
      if (got >= 0) [[likely]]
        return copied(small.type, small.bytes, static_cast<std::size_t>(got), buffer);
    }
    return receive_after(got, buffer, filter, deadline, too_long, on_signal);
  }
  // Empty: there is none.
  Result<std::optional<QueueMessage>> try_receive(std::span<std::byte> buffer, MessageFilter filter,
                                                  TooLong too_long = TooLong::refuse);
  // Copies the message at this place, 0 for the oldest, and leaves it there; the kernel copies no
  // part of one. Empty: there are not so many. Errors: too_large (longer than the buffer),
  // not_supported (a kernel without CONFIG_CHECKPOINT_RESTORE).
  Result<std::optional<QueueMessage>> peek(std::size_t place, std::span<std::byte> buffer) const;

  // Whoever sleeps on it wakes with `removed`; the messages are gone.
  Result<void> remove();

  Result<SysvQueueFacts> facts() const;
  // How many bytes may wait in it. Above msgmnb needs CAP_SYS_RESOURCE. Two calls, as set_mode().
  // Error besides: limit_reached.
  Result<void> set_capacity(std::uint64_t bytes);
  Result<void> set_mode(std::uint32_t mode);

 private:
  explicit SysvQueue(int id) noexcept : id_(id) {}
  // What is sent and received in line: the kernel wants the type right before the bytes.
  struct SmallMessage {
    long type;
    std::byte bytes[256];
  };
  static bool is_sent_in_line(std::span<const std::byte> message, Deadline deadline) noexcept {
    return message.size() <= sizeof(SmallMessage::bytes) && deadline.is_never();
  }
  static bool is_received_in_line(std::span<const std::byte> buffer, MessageFilter filter,
                                  Deadline deadline) noexcept {
    return buffer.size() < sizeof(SmallMessage::bytes) && deadline.is_never() && filter.type() >= 1;
  }
  // A filter as msgrcv(2) has it. With room for one byte more than the buffer has, a message that
  // is cut off fills it.
  struct Selection {
    long type;
    int flags;
  };
  static constexpr Selection selection(MessageFilter filter, TooLong too_long) noexcept {
    constexpr int no_error = 010000;  // MSG_NOERROR
    constexpr int except = 020000;    // MSG_EXCEPT
    const int flags = too_long == TooLong::cut_off ? no_error : 0;
    if (filter.kind() == MessageFilter::Kind::any) return {0, flags};
    if (filter.kind() == MessageFilter::Kind::up_to) return {-filter.type(), flags};
    const bool is_turned = filter.kind() == MessageFilter::Kind::all_but;
    return {filter.type(), is_turned ? flags | except : flags};
  }
  static QueueMessage copied(long type, const std::byte* bytes, std::size_t got,
                             std::span<std::byte> buffer) noexcept {
    // Messages of one size have a buffer of that size: then it is known here how much to copy.
    if (got == buffer.size() && got != 0) [[likely]] {
      std::memcpy(buffer.data(), bytes, buffer.size());
      return {.type = type, .bytes = buffer.size(), .was_cut_off = false};
    }
    const std::size_t kept = std::min(got, buffer.size());
    if (kept != 0) std::memcpy(buffer.data(), bytes, kept);
    return {.type = type, .bytes = kept, .was_cut_off = got > buffer.size()};
  }
  // What is left to do after a call that was refused with this negated errno, or was not made.
  [[gnu::cold]] Result<void> send_after(long refused, long type, std::span<const std::byte> message,
                                        Deadline deadline, OnSignal on_signal);
  [[gnu::cold]] Result<QueueMessage> receive_after(long refused, std::span<std::byte> buffer,
                                                   MessageFilter filter, Deadline deadline,
                                                   TooLong too_long, OnSignal on_signal);
  int id_;
};

// All queues of this name space, also those of others, and the limits with what is in use. These
// are a look at the machine: one call for each queue.
Result<std::vector<SysvQueueFacts>> list_sysv_queues();
Result<SysvQueueLimits> sysv_queue_limits();

}  // namespace signalbox::os
