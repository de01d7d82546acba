#include "signalbox/os/unix_socket.hpp"

#include <string>

#include "os/byte_stream.hpp"
#include "os/failure.hpp"
#include "os/readiness.hpp"
#include "os/unix_calls.hpp"

namespace signalbox::os {

namespace {

constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, Linux 6.5
constexpr std::string_view kRead = "read from a Unix socket";
constexpr std::string_view kWrite = "write to a Unix socket";

ssize_t send_plain(int fd, std::span<const std::byte> bytes) noexcept {
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

Result<void> refuse_empty(std::span<const std::byte> bytes) {
  if (!bytes.empty()) [[likely]]
    return {};
  return std::unexpected(Error{Errc::bad_argument,
                               0,
                               {},
                               "cannot send an empty message or descriptors alone: the other end "
                               "would take it for the end. Send at least one byte."});
}

template <class Made>
Result<std::pair<Made, Made>> pair_of(Result<std::pair<Fd, Fd>> fds, auto make) {
  if (!fds) return std::unexpected(std::move(fds.error()));
  return std::pair(make(std::move(fds->first)), make(std::move(fds->second)));
}

}  // namespace

Result<Peer> UnixSocket::peer() const { return peer_of(fd_); }

Result<Pidfd> UnixSocket::peer_process() const {
  int pidfd = -1;
  socklen_t bytes = sizeof(pidfd);
  if (::getsockopt(fd_.get(), SOL_SOCKET, kPeerPidfd, &pidfd, &bytes) == 0) {
    return Pidfd(Fd(pidfd));
  }
  const int refused = errno;
  const std::string tried = "ask for the process of a peer";
  constexpr std::string_view call = "getsockopt(SO_PEERPIDFD)";
  if (refused == ENOPROTOOPT) {
    return std::unexpected(failure(refused, call, tried, Errc::not_supported,
                                   "Linux 6.5 has it; before, ask peer() for its number."));
  }
  // Kernels before 6.16 say EINVAL of one that was waited for.
  if (refused == ESRCH || refused == EINVAL) {
    return std::unexpected(failure(refused, call, tried, Errc::not_found, "It has ended."));
  }
  return std::unexpected(failure(refused, call, tried));
}

Result<UnixAddress> UnixSocket::local_address() const { return address_of(fd_, false); }
Result<UnixAddress> UnixSocket::peer_address() const { return address_of(fd_, true); }

// ---- UnixStream

Result<UnixStream> UnixStream::connect(const UnixAddress& to, Deadline deadline,
                                       OnSignal on_signal) {
  auto fd = connect_unix(SOCK_STREAM, to, &deadline, on_signal);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixStream(std::move(*fd));
}
Result<std::pair<UnixStream, UnixStream>> UnixStream::pair() {
  return pair_of<UnixStream>(new_unix_pair(SOCK_STREAM),
                             [](Fd fd) { return UnixStream(std::move(fd)); });
}
Result<UnixStream> UnixStream::adopt(Fd socket) {
  auto fd = adopted_unix_socket(std::move(socket), SOCK_STREAM, false);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixStream(std::move(*fd));
}

Result<std::size_t> UnixStream::read_after(long refused, std::span<std::byte> room,
                                           const Deadline* deadline, OnSignal on_signal) {
  return os::read_after(refused, fd_, room, deadline, on_signal, kRead);
}
Result<void> UnixStream::read_all(std::span<std::byte>& rest, Deadline deadline,
                                  OnSignal on_signal) {
  return read_rest(fd_, rest, deadline, on_signal, kRead);
}
Result<std::size_t> UnixStream::write_after(long refused, std::span<const std::byte> bytes,
                                            const Deadline* deadline, OnSignal on_signal) {
  return os::write_after(refused, fd_, bytes, send_plain, deadline, on_signal, kWrite);
}
Result<void> UnixStream::write_all(std::span<const std::byte>& rest, Deadline deadline,
                                   OnSignal on_signal) {
  return write_rest(fd_, rest, send_plain, deadline, on_signal, kWrite);
}

Result<std::size_t> UnixStream::write_with(std::span<const std::byte> bytes,
                                           std::span<const int> descriptors, Deadline deadline,
                                           OnSignal on_signal) {
  if (auto refused = refuse_empty(bytes); !refused) {
    return std::unexpected(std::move(refused.error()));
  }
  const auto sent = try_until(fd_.get(), POLLOUT, deadline, on_signal, "sendmsg", kWrite,
                              [&] { return send_once(fd_.get(), bytes, descriptors, nullptr); });
  if (!sent) return std::unexpected(sent.error());
  if (*sent < 0) return std::unexpected(send_failure(errno, bytes.size()));
  return static_cast<std::size_t>(*sent);
}
Result<Received> UnixStream::read_with(std::span<std::byte> room, std::vector<Fd>& descriptors,
                                       Deadline deadline, OnSignal on_signal) {
  return receive_unix(fd_, {.room = room, .descriptors = &descriptors, .is_stream = true},
                      &deadline, on_signal);
}
Result<void> UnixStream::end_writing() {
  if (::shutdown(fd_.get(), SHUT_WR) == 0) return {};
  return std::unexpected(stream_failure(errno, "shutdown", "end the writing to a Unix socket"));
}

// ---- UnixSeqpacket

Result<UnixSeqpacket> UnixSeqpacket::connect(const UnixAddress& to, Deadline deadline,
                                             OnSignal on_signal) {
  auto fd = connect_unix(SOCK_SEQPACKET, to, &deadline, on_signal);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixSeqpacket(std::move(*fd));
}
Result<std::pair<UnixSeqpacket, UnixSeqpacket>> UnixSeqpacket::pair() {
  return pair_of<UnixSeqpacket>(new_unix_pair(SOCK_SEQPACKET),
                                [](Fd fd) { return UnixSeqpacket(std::move(fd)); });
}
Result<UnixSeqpacket> UnixSeqpacket::adopt(Fd socket) {
  auto fd = adopted_unix_socket(std::move(socket), SOCK_SEQPACKET, false);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixSeqpacket(std::move(*fd));
}

Result<void> UnixSeqpacket::send_after(long refused, std::span<const std::byte> bytes,
                                       const Deadline* deadline, OnSignal on_signal,
                                       std::span<const int> descriptors) {
  if (auto empty = refuse_empty(bytes); !empty) return empty;
  return os::send_after(refused, fd_, bytes, deadline, on_signal, descriptors);
}
Result<Received> UnixSeqpacket::receive_after(long refused, std::span<std::byte> room,
                                              const Deadline* deadline, OnSignal on_signal,
                                              std::vector<Fd>* descriptors) {
  return os::receive_after(refused, fd_, {.room = room, .descriptors = descriptors}, deadline,
                           on_signal);
}

}  // namespace signalbox::os
