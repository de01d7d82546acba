// os/posix_queue.hpp: POSIX message queues: whole messages, the most urgent first.
//
//   Lives     until unlink() and the last handle, or the machine restarts, with its messages
//   Threads   any number at a time, also on one handle
//   Crash     a message is in the queue whole or not at all; those of the dead stay
//   Fork      a child shares the handle until it execs
//   Limits    /proc/sys/fs/mqueue, RLIMIT_MSGQUEUE, RLIMIT_NOFILE; priorities 0 to 32767
//   Pollable  yes
//   Manual    mq_overview(7)
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

enum class QueueAccess : std::uint8_t { receive, send, both };

struct PosixQueueOptions {
  // How many messages wait at most, and how long each may be. 0: the machine's usual, which
  // /proc/sys/fs/mqueue/msg_default and msgsize_default say. Above msg_max and msgsize_max only
  // with CAP_SYS_RESOURCE. The room counts against RLIMIT_MSGQUEUE of the user at once.
  long messages_max = 0;
  long message_bytes_max = 0;
  std::uint32_t mode = 0600;  // exactly this, whatever the umask
  QueueAccess access = QueueAccess::both;
};

struct PosixQueueFacts {
  long messages_max;
  long message_bytes_max;
  long messages;  // waiting now
};

struct PriorityMessage {
  std::size_t bytes;  // now at the beginning of the buffer
  std::uint32_t priority;
};

// A queue that others find by a name such as "/jobs": one slash, at the beginning. Each call that
// waits tries first and then sleeps on the descriptor, because the kernel's own timed calls follow
// the wall clock, which may be set: one call, three where it had to sleep.
class PosixQueue {
 public:
  // Makes a new queue. Errors: already_exists, bad_name, bad_argument (a limit of
  // /proc/sys/fs/mqueue, which the text names), limit_reached (RLIMIT_MSGQUEUE or descriptors, the
  // text says which), no_space (queues_max queues exist), permission_denied, not_supported.
  static Result<PosixQueue> create(const std::string& name, PosixQueueOptions options = {});
  // Errors besides: not_found.
  static Result<PosixQueue> open(const std::string& name, QueueAccess access = QueueAccess::both);
  // Opens it, or creates it with these options. Who opens takes its size as it is.
  static Result<PosixQueue> open_or_create(const std::string& name, PosixQueueOptions options = {});
  // Removes the name at once; those who have it open go on with the same queue.
  // Errors: not_found, permission_denied, bad_name.
  static Result<void> unlink(const std::string& name);

  explicit operator bool() const noexcept { return fd_.is_open(); }

  // Puts a message behind those that are as urgent or more, waiting for room. Higher is sooner.
  // Errors: timed_out, interrupted (if so asked), too_large (more than message_bytes_max),
  // bad_argument (a priority above 32767), permission_denied (opened to receive).
  // Whatever the error, nothing was queued.
  Result<void> send(std::span<const std::byte> message, std::uint32_t priority, Deadline deadline,
                    OnSignal on_signal = OnSignal::go_on) {
    const long sent = kernel::enter(kernel::KernelCall::mq_timedsend, fd_.get(),
                                    kernel::address_of(message.data()),
                                    static_cast<long>(message.size()), priority, 0, 0);
    if (sent == 0) [[likely]]
      return {};
    return send_after(sent, message, priority, deadline, on_signal);
  }
  // False: there is no room.
  Result<bool> try_send(std::span<const std::byte> message, std::uint32_t priority);

  // Takes the oldest of the most urgent messages, waiting for one. Errors: timed_out, interrupted
  // (if so asked), too_large (the buffer has less than message_bytes_max, however short the message
  // is), permission_denied (opened to send).
  Result<PriorityMessage> receive(std::span<std::byte> buffer, Deadline deadline,
                                  OnSignal on_signal = OnSignal::go_on) {
    std::uint32_t priority = 0;
    const long got = kernel::enter(
        kernel::KernelCall::mq_timedreceive, fd_.get(), kernel::address_of(buffer.data()),
        static_cast<long>(buffer.size()), kernel::address_of(&priority), 0, 0);
    if (got >= 0) [[likely]]
      return PriorityMessage{.bytes = static_cast<std::size_t>(got), .priority = priority};
    return receive_after(got, buffer, deadline, on_signal);
  }
  // Empty: there is none.
  Result<std::optional<PriorityMessage>> try_receive(std::span<std::byte> buffer);

  Result<PosixQueueFacts> facts() const;

  // Asks for one signal, with this value in its siginfo, when a message comes into the empty queue.
  // si_code is SI_MESGQ, si_pid and si_uid tell who sent. Ask again for another; do it before you
  // look whether the queue is empty, or one is missed. One process at a time may ask. Who sleeps in
  // a bare mq_receive(3) gets the message without a signal; a receive() of this class does not
  // sleep there, so the signal comes though somebody waits.
  // Errors: already_exists (somebody, perhaps this process, has asked), bad_argument (no signal).
  Result<void> notify_once(int signal, int value);
  // Takes what this process asked back; nothing to do where it did not ask. It is taken back by
  // itself when any handle of the queue is closed in this process.
  Result<void> forget_notice();

  // Readable while there is a message, writable while there is room.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  // The same for an event loop of your own: do not read or close it.
  int descriptor() const noexcept { return fd_.get(); }

 private:
  // What is left to do after a call that was refused with this negated errno.
  [[gnu::cold]] Result<void> send_after(long refused, std::span<const std::byte> message,
                                        std::uint32_t priority, Deadline deadline,
                                        OnSignal on_signal);
  [[gnu::cold]] Result<PriorityMessage> receive_after(long refused, std::span<std::byte> buffer,
                                                      Deadline deadline, OnSignal on_signal);
  static Result<PosixQueue> open_as(const std::string& name, int flags,
                                    const PosixQueueOptions& options);
  Fd fd_;
};

}  // namespace signalbox::os
