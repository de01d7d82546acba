// os/unix_datagram.hpp: single messages between processes of one machine, without a connection.
//
//   Lives     until it is destroyed; the file of a path stays until unlink(), or until the next one
//             who is bound there takes it over
//   Threads   any number may send and receive at once
//   Crash     the file stays behind; what it had not received is lost, and senders get not_found
//   Fork      a child shares it until it execs, and takes messages meant for us
//   Limits    RLIMIT_NOFILE; a message: SO_SNDBUF, at most /proc/sys/net/core/wmem_max; messages
//             that wait: /proc/sys/net/unix/max_dgram_qlen
//   Pollable  yes; writable means the queue of the one it is connected to has room
//   Manual    unix(7)
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "signalbox/os/unix_listener.hpp"
#include "signalbox/os/unix_socket.hpp"

namespace signalbox::os {

class UnixDatagram : public UnixSocket {
 public:
  UnixDatagram() = default;
  // Without a name: it can send, and nobody can answer. Errors: limit_reached (descriptors).
  static Result<UnixDatagram> create();
  // Under a name, where others can send to. Errors as UnixListener::listen().
  static Result<UnixDatagram> bind(const UnixAddress& at, const UnixNameOptions& options = {});
  static Result<std::pair<UnixDatagram, UnixDatagram>> pair();
  // Errors: bad_argument (no Unix datagram socket).
  static Result<UnixDatagram> adopt(Fd socket);
  // From now on send() goes there, and only what comes from there is received.
  // Errors: not_found (nobody is bound there), permission_denied, bad_argument, system.
  Result<void> connect(const UnixAddress& to);

  // Sends it whole or not at all, to the one it is connected to; to one that is not connected,
  // send_to(). Nobody's queue overflows: a full one is waited for. Errors: closed, not_found
  // (nobody is bound there any more), too_large, limit_reached (descriptors), timed_out,
  // interrupted, permission_denied, system; of the try_ ones also would_block.
  Result<void> send(std::span<const std::byte> bytes, Deadline deadline,
                    OnSignal on_signal = OnSignal::go_on, std::span<const int> descriptors = {}) {
    const long sent = descriptors.empty() ? kernel::send_once(fd_.get(), bytes) : kernel::not_made;
    if (sent >= 0) [[likely]]
      return {};
    return send_after(sent, bytes, &deadline, on_signal, descriptors);
  }
  Result<void> try_send(std::span<const std::byte> bytes, std::span<const int> descriptors = {}) {
    const long sent = descriptors.empty() ? kernel::send_once(fd_.get(), bytes) : kernel::not_made;
    if (sent >= 0) [[likely]]
      return {};
    return send_after(sent, bytes, nullptr, OnSignal::go_on, descriptors);
  }
  // The kernel tells when there is room to connected sockets only, so while this waits there is
  // another socket, connected to the same name: four system calls more.
  Result<void> send_to(const UnixAddress& to, std::span<const std::byte> bytes, Deadline deadline,
                       OnSignal on_signal = OnSignal::go_on, std::span<const int> descriptors = {});
  Result<void> try_send_to(const UnixAddress& to, std::span<const std::byte> bytes,
                           std::span<const int> descriptors = {});
  // The next message, which may be empty, and from whom: unnamed, if he cannot be answered. What
  // does not fit, and descriptors without a place, are lost and told. Errors as UnixSeqpacket's.
  Result<Received> receive(std::span<std::byte> room, Deadline deadline,
                           OnSignal on_signal = OnSignal::go_on, UnixAddress* sender = nullptr,
                           std::vector<Fd>* descriptors = nullptr) {
    Received came{};
    const long got = sender == nullptr && descriptors == nullptr
                         ? kernel::receive_into(fd_.get(), room, came)
                         : kernel::not_made;
    if (got >= 0) [[likely]]
      return came;
    return receive_after(got, room, &deadline, on_signal, sender, descriptors);
  }
  Result<Received> try_receive(std::span<std::byte> room, UnixAddress* sender = nullptr,
                               std::vector<Fd>* descriptors = nullptr) {
    Received came{};
    const long got = sender == nullptr && descriptors == nullptr
                         ? kernel::receive_into(fd_.get(), room, came)
                         : kernel::not_made;
    if (got >= 0) [[likely]]
      return came;
    return receive_after(got, room, nullptr, OnSignal::go_on, sender, descriptors);
  }

  // As UnixListener::unlink().
  Result<void> unlink();

 private:
  explicit UnixDatagram(Fd fd) noexcept : UnixSocket(std::move(fd)) {}
  // What is left to do after a call that was refused with this negated errno, or not made.
  [[gnu::cold]] Result<void> send_after(long refused, std::span<const std::byte> bytes,
                                        const Deadline* deadline, OnSignal on_signal,
                                        std::span<const int> descriptors);
  [[gnu::cold]] Result<Received> receive_after(long refused, std::span<std::byte> room,
                                               const Deadline* deadline, OnSignal on_signal,
                                               UnixAddress* sender, std::vector<Fd>* descriptors);
  UnixAddress at_;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
};

}  // namespace signalbox::os
