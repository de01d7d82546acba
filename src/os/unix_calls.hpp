// unix_calls.hpp: what the kinds of Unix sockets (signalbox/os/unix_*.hpp) are made of, over
// descriptors that others own.
//
// Nothing here waits unless it is given a deadline.
//
//   Threads  an Fd belongs to one thread at a time
//   Crash    a name stays behind; whoever connects to it is told not_found
//   Fork     who listens for the core keeps its descriptor in a LifeFd: a child that held a copy
//            would let others wait for an answer that never comes
//   Limits   as signalbox/os/unix_socket.hpp
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/unix_address.hpp"
#include "signalbox/os/unix_listener.hpp"
#include "signalbox/os/unix_socket.hpp"

namespace signalbox::os {

// An address as the kernel takes it.
struct UnixName {
  sockaddr_un raw;
  socklen_t bytes;

  static UnixName of(const UnixAddress& address) noexcept;
  UnixAddress address() const noexcept;
  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&raw); }
  sockaddr* get() noexcept { return reinterpret_cast<sockaddr*>(&raw); }
};

// Non-blocking and close-on-exec.
Result<Fd> new_unix_socket(int type);
Result<std::pair<Fd, Fd>> new_unix_pair(int type);
// Takes over a foreign one of this type. `listens`: one that does, or one that does not.
Result<Fd> adopted_unix_socket(Fd socket, int type, bool listens);

Result<Peer> peer_of(const Fd& connection);
Result<UnixAddress> address_of(const Fd& socket, bool of_peer);

// ---- names (unix_bind.cpp)
struct BoundFile {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;  // 0: it has none
};
// Errors as UnixListener::listen().
Result<BoundFile> bind_unix(const Fd& socket, const UnixAddress& at, const UnixNameOptions& name);
Result<void> remove_bound(const UnixAddress& at, const BoundFile& file);

// ---- connections
// Without a deadline: error would_block while too many others wait to be accepted.
Result<Fd> connect_unix(int type, const UnixAddress& to, const Deadline* deadline = nullptr,
                        OnSignal on_signal = OnSignal::go_on);
// The next who connected. Error would_block: nobody.
Result<Fd> accept_from(const Fd& listener);
Result<Fd> accept_until(const Fd& listener, Deadline deadline, OnSignal on_signal);

// ---- messages
// As sendmsg(2): with MSG_DONTWAIT and without a signal. `to` may be null.
ssize_t send_once(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors,
                  const UnixName* to) noexcept;
[[gnu::cold]] Error send_failure(int refused, std::size_t bytes);

struct ReceiveInto {
  std::span<std::byte> room;
  std::vector<Fd>* descriptors = nullptr;
  std::size_t descriptors_max = descriptors_per_message_max;
  UnixName* sender = nullptr;
  bool is_stream = false;
};
// Without a deadline: error would_block.
Result<Received> receive_unix(const Fd& socket, const ReceiveInto& into,
                              const Deadline* deadline = nullptr,
                              OnSignal on_signal = OnSignal::go_on);
// Sends it whole or not at all. Errors as UnixSeqpacket::try_send().
Result<void> send_message(const Fd& connection, std::span<const std::byte> bytes,
                          std::span<const int> descriptors, const UnixName* to = nullptr);

// Go on after a call that was made once in line and refused with this negated errno, or not made.
// Without a deadline they do not wait.
[[gnu::cold]] Result<void> send_after(long refused, const Fd& socket,
                                      std::span<const std::byte> bytes, const Deadline* deadline,
                                      OnSignal on_signal, std::span<const int> descriptors);
[[gnu::cold]] Result<Received> receive_after(long refused, const Fd& socket,
                                             const ReceiveInto& into, const Deadline* deadline,
                                             OnSignal on_signal);

}  // namespace signalbox::os
