#include "signalbox/os/sysv_queue.hpp"

#include <sys/msg.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <new>

#include "os/failure.hpp"
#include "os/kernel_setting.hpp"
#include "os/monotonic.hpp"
#include "os/sysv_queue_error.hpp"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif

namespace signalbox::os {

namespace {

// A message in the kernel's form: its type, and its bytes right behind.
class KernelMessage {
 public:
  explicit KernelMessage(std::size_t bytes) noexcept {
    if (bytes <= sizeof(usual_.bytes)) return;
    large_.reset(new (std::nothrow) long[1 + (bytes + sizeof(long) - 1) / sizeof(long)]);
    at_ = large_.get();
  }
  void* data() noexcept { return at_; }  // null: no memory
  long& type() noexcept { return *static_cast<long*>(at_); }
  std::byte* bytes() noexcept { return static_cast<std::byte*>(at_) + sizeof(long); }

 private:
  struct Usual {
    long type;
    std::byte bytes[8192 + 1];  // the kernel's usual msgmax, and one to see that there was more
  };
  Usual usual_;  // filled in only as far as it is used
  std::unique_ptr<long[]> large_;
  void* at_ = &usual_;
};

static_assert(MSG_NOERROR == 010000 && MSG_EXCEPT == 020000);

struct Received {
  long type;
  std::size_t bytes;
};

// One msgrcv(), after which errno tells why there is nothing.
std::optional<Received> receive_once(int id, KernelMessage& room, std::size_t most, long type,
                                     int flags) noexcept {
  const ssize_t got = ::msgrcv(id, room.data(), most, type, flags);
  if (got < 0) return std::nullopt;
  return Received{.type = room.type(), .bytes = static_cast<std::size_t>(got)};
}

// Makes `attempt` until it succeeds, which it says with true; else errno tells why. `missing` is
// the errno that means "not yet" of an attempt that was asked not to wait.
template <class Attempt>
bool within(Deadline deadline, OnSignal on_signal, int missing, Attempt attempt) noexcept {
  if (deadline.is_never()) {
    while (!attempt(0)) {
      if (errno != EINTR || on_signal == OnSignal::give_up) return false;
    }
    return true;
  }
  for (Backoff backoff; !attempt(IPC_NOWAIT);) {
    if (errno != missing || deadline.passed()) return false;
    if (!backoff.nap(deadline) && on_signal == OnSignal::give_up) {
      errno = EINTR;
      return false;
    }
  }
  return true;
}

// Did the call that was made in line end for good?
bool is_over(long refused, OnSignal on_signal) noexcept {
  return refused != -EINTR || on_signal == OnSignal::give_up;
}

Result<void> change(int id, std::string_view tried, auto edit) {
  msqid_ds facts{};
  if (::msgctl(id, IPC_STAT, &facts) == 0) {
    edit(facts);
    if (::msgctl(id, IPC_SET, &facts) == 0) return {};
  }
  return std::unexpected(queue_control_error(errno, id, tried));
}

}  // namespace

Result<SysvQueue> SysvQueue::create(SysvKey key, SysvQueueOptions options) {
  const int id =
      ::msgget(key.value(), static_cast<int>(IPC_CREAT | IPC_EXCL | (options.mode & 0777U)));
  if (id < 0) return std::unexpected(queue_open_error(errno, key));
  return SysvQueue(id);
}

Result<SysvQueue> SysvQueue::open(SysvKey key) {
  if (key.is_private()) return std::unexpected(private_queue_error());
  const int id = ::msgget(key.value(), 0);
  if (id < 0) return std::unexpected(queue_open_error(errno, key));
  return SysvQueue(id);
}

Result<SysvQueue> SysvQueue::open_or_create(SysvKey key, SysvQueueOptions options) {
  for (;;) {
    const int id = ::msgget(key.value(), static_cast<int>(IPC_CREAT | (options.mode & 0777U)));
    if (id >= 0) return SysvQueue(id);
    // The kernel asks for the rights that the mode names, and who opens does not mean to.
    if (errno != EACCES || key.is_private()) return std::unexpected(queue_open_error(errno, key));
    auto opened = open(key);
    // Somebody has removed the one that was in the way.
    if (opened || opened.error().code != Errc::not_found) return opened;
  }
}

Result<SysvQueue> SysvQueue::attach(int id) {
  if (id < 0) return std::unexpected(no_queue_error(id));
  msqid_ds facts{};
  if (::msgctl(id, IPC_STAT, &facts) == 0 || errno == EACCES) return SysvQueue(id);
  Error error = queue_control_error(errno, id, "learn the state");
  if (error.code == Errc::removed) error.code = Errc::not_found;
  return std::unexpected(std::move(error));
}

Result<void> SysvQueue::send_after(long refused, long type, std::span<const std::byte> message,
                                   Deadline deadline, OnSignal on_signal) {
  if (is_sent_in_line(message, deadline) && is_over(refused, on_signal)) {
    return std::unexpected(queue_send_error(static_cast<int>(-refused), id_, type, message.size()));
  }
  KernelMessage kernel(message.size());
  if (kernel.data() == nullptr) return std::unexpected(detail::out_of_memory());
  kernel.type() = type;
  if (!message.empty()) std::memcpy(kernel.bytes(), message.data(), message.size());
  const bool sent = within(deadline, on_signal, EAGAIN, [&](int flags) {
    return ::msgsnd(id_, kernel.data(), message.size(), flags) == 0;
  });
  if (sent) return {};
  return std::unexpected(queue_send_error(errno, id_, type, message.size()));
}

Result<bool> SysvQueue::try_send(long type, std::span<const std::byte> message) {
  KernelMessage kernel(message.size());
  if (kernel.data() == nullptr) return std::unexpected(detail::out_of_memory());
  kernel.type() = type;
  if (!message.empty()) std::memcpy(kernel.bytes(), message.data(), message.size());
  if (::msgsnd(id_, kernel.data(), message.size(), IPC_NOWAIT) == 0) return true;
  if (errno == EAGAIN) return false;
  return std::unexpected(queue_send_error(errno, id_, type, message.size()));
}

Result<QueueMessage> SysvQueue::receive_after(long refused, std::span<std::byte> buffer,
                                              MessageFilter filter, Deadline deadline,
                                              TooLong too_long, OnSignal on_signal) {
  if (is_received_in_line(buffer, filter, deadline) && is_over(refused, on_signal)) {
    return std::unexpected(queue_receive_error(static_cast<int>(-refused), id_, buffer.size()));
  }
  if (filter.type() < 1) return std::unexpected(queue_filter_error(filter.type()));
  KernelMessage room(buffer.size() + 1);
  if (room.data() == nullptr) return std::unexpected(detail::out_of_memory());
  const Selection wanted = selection(filter, too_long);
  const std::size_t most = buffer.size() + (too_long == TooLong::cut_off ? 1U : 0U);
  std::optional<Received> got;
  within(deadline, on_signal, ENOMSG, [&](int flags) {
    got = receive_once(id_, room, most, wanted.type, wanted.flags | flags);
    return got.has_value();
  });
  if (got) return copied(got->type, room.bytes(), got->bytes, buffer);
  return std::unexpected(queue_receive_error(errno, id_, buffer.size()));
}

Result<std::optional<QueueMessage>> SysvQueue::try_receive(std::span<std::byte> buffer,
                                                           MessageFilter filter, TooLong too_long) {
  if (filter.type() < 1) return std::unexpected(queue_filter_error(filter.type()));
  KernelMessage room(buffer.size() + 1);
  if (room.data() == nullptr) return std::unexpected(detail::out_of_memory());
  const Selection wanted = selection(filter, too_long);
  const std::size_t most = buffer.size() + (too_long == TooLong::cut_off ? 1U : 0U);
  const auto got = receive_once(id_, room, most, wanted.type, wanted.flags | IPC_NOWAIT);
  if (got) return copied(got->type, room.bytes(), got->bytes, buffer);
  if (errno == ENOMSG) return std::optional<QueueMessage>();
  return std::unexpected(queue_receive_error(errno, id_, buffer.size()));
}

Result<std::optional<QueueMessage>> SysvQueue::peek(std::size_t place,
                                                    std::span<std::byte> buffer) const {
  KernelMessage room(buffer.size() + 1);
  if (room.data() == nullptr) return std::unexpected(detail::out_of_memory());
  // A place beyond what the kernel can count has no message either.
  const long at = static_cast<long>(std::min<std::size_t>(place, LONG_MAX));
  const auto got = receive_once(id_, room, buffer.size(), at, MSG_COPY | IPC_NOWAIT);
  if (got) return copied(got->type, room.bytes(), got->bytes, buffer);
  if (errno == ENOMSG) return std::optional<QueueMessage>();
  return std::unexpected(queue_receive_error(errno, id_, buffer.size()));
}

Result<void> SysvQueue::remove() {
  if (::msgctl(id_, IPC_RMID, nullptr) == 0) return {};
  return std::unexpected(queue_control_error(errno, id_, "end the life"));
}

Result<void> SysvQueue::set_capacity(std::uint64_t bytes) {
  auto changed = change(id_, "change the capacity",
                        [&](msqid_ds& facts) { facts.msg_qbytes = static_cast<msglen_t>(bytes); });
  if (changed || changed.error().sys_errno != EPERM) return changed;
  return std::unexpected(detail::explained(Errc::limit_reached, [&] {
    return failure(EPERM, "msgctl",
                   "give message queue " + std::to_string(id_) + " room for " +
                       std::to_string(bytes) + " bytes",
                   Errc::limit_reached,
                   "Only its owner may, and above the limit MSGMNB (/proc/sys/kernel/msgmnb), " +
                       said(kernel_setting("/proc/sys/kernel/msgmnb")) +
                       " bytes, only with CAP_SYS_RESOURCE; `sysctl kernel.msgmnb` raises it.");
  }));
}

Result<void> SysvQueue::set_mode(std::uint32_t mode) {
  return change(id_, "change the mode", [&](msqid_ds& facts) {
    facts.msg_perm.mode = static_cast<decltype(facts.msg_perm.mode)>(mode & 0777U);
  });
}

}  // namespace signalbox::os
