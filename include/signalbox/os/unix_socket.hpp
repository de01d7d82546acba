// os/unix_socket.hpp: sockets between processes of one machine, which carry descriptors too, and
// the kernel's word for who is at the other end.
//
//   Lives     until both ends are closed; what was sent can be received after the sender has gone
//   Threads   any number may send and receive at once; of a stream, whose bytes come first is open
//   Crash     the kernel closes the ends: receivers find the end, senders `closed`
//   Fork      a child shares both ends until it execs, and keeps the other side from finding an end
//   Limits    RLIMIT_NOFILE; a message: SO_SNDBUF, at most /proc/sys/net/core/wmem_max; messages
//             that wait: /proc/sys/net/unix/max_dgram_qlen; descriptors_per_message_max, and
//             RLIMIT_NOFILE for all that are under way
//   Pollable  yes
//   Manual    unix(7) socketpair(2) cmsg(3)
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/pidfd.hpp"
#include "signalbox/os/unix_address.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

inline constexpr std::size_t descriptors_per_message_max = 253;  // the kernel's SCM_MAX_FD

// Who connected, or listened, or made the pair, as the kernel noted it then.
struct Peer {
  std::uint32_t pid;  // in our pid name space; 0 if it is not visible here
  std::uint32_t uid;  // effective
  std::uint32_t gid;
  std::vector<std::uint32_t> groups;  // supplementary
};

// One message that came.
struct Received {
  std::size_t bytes;          // in the room that was given
  std::size_t bytes_sent;     // that the message had: what there was no room for is lost
  bool has_lost_descriptors;  // some came that this process could not take
  bool is_whole() const noexcept { return bytes == bytes_sent && !has_lost_descriptors; }
};

namespace kernel {
inline long receive_into(int socket, std::span<std::byte> room, Received& came) noexcept {
  const long got = receive_once(socket, room, came.has_lost_descriptors);
  came.bytes_sent = static_cast<std::size_t>(got);
  came.bytes = came.bytes_sent < room.size() ? came.bytes_sent : room.size();
  return got;
}
}  // namespace kernel

// What all three kinds can do. Move-only, false when empty. Ours are non-blocking and
// close-on-exec. A call enters the kernel once where it need not wait, and allocates nothing unless
// it fails or descriptors come. No call raises SIGPIPE.
class UnixSocket {
 public:
  explicit operator bool() const noexcept { return fd_.is_open(); }
  // Errors: system (not connected). Enters the kernel twice.
  Result<Peer> peer() const;
  // The very process, whatever becomes of its number. Linux 6.5.
  // Errors: not_supported, not_found (it has ended), limit_reached (descriptors), system.
  Result<Pidfd> peer_process() const;
  // Its own name, and the other end's.
  Result<UnixAddress> local_address() const;
  Result<UnixAddress> peer_address() const;
  // Ready while a read or receive would not wait, or with Events::writable a write or send.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  const Fd& fd() const noexcept { return fd_; }
  Fd release() noexcept { return std::move(fd_); }
  void close() noexcept { fd_.reset(); }

 protected:
  UnixSocket() = default;
  explicit UnixSocket(Fd fd) noexcept : fd_(std::move(fd)) {}
  Fd fd_;
};

// Bytes in order, both ways.
class UnixStream : public UnixSocket {
 public:
  UnixStream() = default;
  // Errors: not_found (no such name, or nobody listens there), permission_denied, timed_out (too
  // many wait to be accepted), interrupted, bad_argument (another kind of socket), system.
  static Result<UnixStream> connect(const UnixAddress& to, Deadline deadline,
                                    OnSignal on_signal = OnSignal::go_on);
  static Result<std::pair<UnixStream, UnixStream>> pair();
  // Takes over one that came from elsewhere; it becomes non-blocking, also for who shares it.
  // Errors: bad_argument (no connected Unix stream).
  static Result<UnixStream> adopt(Fd socket);

  // As those of PipeReader and PipeWriter (os/pipe.hpp): read() answers 0 at the end.
  Result<std::size_t> read(std::span<std::byte> room, Deadline deadline,
                           OnSignal on_signal = OnSignal::go_on) {
    const long got = kernel::read_once(fd_.get(), room);
    if (got >= 0) [[likely]]
      return static_cast<std::size_t>(got);
    return read_after(got, room, &deadline, on_signal);
  }
  Result<std::size_t> try_read(std::span<std::byte> room) {
    const long got = kernel::read_once(fd_.get(), room);
    if (got >= 0) [[likely]]
      return static_cast<std::size_t>(got);
    return read_after(got, room, nullptr, OnSignal::go_on);
  }
  Result<void> read_all(std::span<std::byte>& rest, Deadline deadline,
                        OnSignal on_signal = OnSignal::go_on);
  Result<std::size_t> write(std::span<const std::byte> bytes, Deadline deadline,
                            OnSignal on_signal = OnSignal::go_on) {
    const long put = kernel::send_once(fd_.get(), bytes);
    if (put >= 0) [[likely]]
      return static_cast<std::size_t>(put);
    return write_after(put, bytes, &deadline, on_signal);
  }
  Result<std::size_t> try_write(std::span<const std::byte> bytes) {
    const long put = kernel::send_once(fd_.get(), bytes);
    if (put >= 0) [[likely]]
      return static_cast<std::size_t>(put);
    return write_after(put, bytes, nullptr, OnSignal::go_on);
  }
  Result<void> write_all(std::span<const std::byte>& rest, Deadline deadline,
                         OnSignal on_signal = OnSignal::go_on);

  // Sends copies of descriptors with at least one byte, which they arrive with; answers how many
  // bytes went. Errors as write(), bad_argument (no byte, too many, or one that is not open),
  // limit_reached (too many are under way).
  Result<std::size_t> write_with(std::span<const std::byte> bytes, std::span<const int> descriptors,
                                 Deadline deadline, OnSignal on_signal = OnSignal::go_on);
  // Reads, and adds the descriptors that come with these bytes; they are close-on-exec. A plain
  // read() closes them. Errors as read(), out_of_memory (they are closed then).
  Result<Received> read_with(std::span<std::byte> room, std::vector<Fd>& descriptors,
                             Deadline deadline, OnSignal on_signal = OnSignal::go_on);
  // The other end finds the end of the file; we can still read.
  Result<void> end_writing();

 private:
  friend class UnixListener;
  explicit UnixStream(Fd fd) noexcept : UnixSocket(std::move(fd)) {}
  [[gnu::cold]] Result<std::size_t> read_after(long refused, std::span<std::byte> room,
                                               const Deadline* deadline, OnSignal on_signal);
  [[gnu::cold]] Result<std::size_t> write_after(long refused, std::span<const std::byte> bytes,
                                                const Deadline* deadline, OnSignal on_signal);
};

// Whole messages in order, both ways.
class UnixSeqpacket : public UnixSocket {
 public:
  UnixSeqpacket() = default;
  // As those of UnixStream.
  static Result<UnixSeqpacket> connect(const UnixAddress& to, Deadline deadline,
                                       OnSignal on_signal = OnSignal::go_on);
  static Result<std::pair<UnixSeqpacket, UnixSeqpacket>> pair();
  static Result<UnixSeqpacket> adopt(Fd socket);

  // Sends it whole or not at all. Errors: closed, too_large, bad_argument (empty: the other end
  // would take it for the end), limit_reached (descriptors), timed_out, interrupted, system; of
  // try_send() also would_block.
  Result<void> send(std::span<const std::byte> bytes, Deadline deadline,
                    OnSignal on_signal = OnSignal::go_on, std::span<const int> descriptors = {}) {
    const long sent = !bytes.empty() && descriptors.empty() ? kernel::send_once(fd_.get(), bytes)
                                                            : kernel::not_made;
    if (sent >= 0) [[likely]]
      return {};
    return send_after(sent, bytes, &deadline, on_signal, descriptors);
  }
  Result<void> try_send(std::span<const std::byte> bytes, std::span<const int> descriptors = {}) {
    const long sent = !bytes.empty() && descriptors.empty() ? kernel::send_once(fd_.get(), bytes)
                                                            : kernel::not_made;
    if (sent >= 0) [[likely]]
      return {};
    return send_after(sent, bytes, nullptr, OnSignal::go_on, descriptors);
  }
  // The next message. 0 bytes: the end. What does not fit into the room is lost, and told. Without
  // a place for descriptors, those that come are closed, and told as lost.
  // Errors: closed (ECONNRESET), timed_out, interrupted, out_of_memory, system; of try_receive()
  // also would_block.
  Result<Received> receive(std::span<std::byte> room, Deadline deadline,
                           OnSignal on_signal = OnSignal::go_on,
                           std::vector<Fd>* descriptors = nullptr) {
    Received came{};
    const long got =
        descriptors == nullptr ? kernel::receive_into(fd_.get(), room, came) : kernel::not_made;
    if (got >= 0) [[likely]]
      return came;
    return receive_after(got, room, &deadline, on_signal, descriptors);
  }
  Result<Received> try_receive(std::span<std::byte> room, std::vector<Fd>* descriptors = nullptr) {
    Received came{};
    const long got =
        descriptors == nullptr ? kernel::receive_into(fd_.get(), room, came) : kernel::not_made;
    if (got >= 0) [[likely]]
      return came;
    return receive_after(got, room, nullptr, OnSignal::go_on, descriptors);
  }

 private:
  friend class UnixListener;
  explicit UnixSeqpacket(Fd fd) noexcept : UnixSocket(std::move(fd)) {}
  // What is left to do after a call that was refused with this negated errno, or not made.
  [[gnu::cold]] Result<void> send_after(long refused, std::span<const std::byte> bytes,
                                        const Deadline* deadline, OnSignal on_signal,
                                        std::span<const int> descriptors);
  [[gnu::cold]] Result<Received> receive_after(long refused, std::span<std::byte> room,
                                               const Deadline* deadline, OnSignal on_signal,
                                               std::vector<Fd>* descriptors);
};

}  // namespace signalbox::os
