#include "signalbox/os/tcp_socket.hpp"

#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>

#include "os/byte_stream.hpp"
#include "os/failure.hpp"
#include "os/monotonic.hpp"
#include "os/readiness.hpp"
#include "os/tcp_calls.hpp"

namespace signalbox::os {

namespace {

constexpr std::string_view kRead = "read from a TCP connection";
constexpr std::string_view kWrite = "write to a TCP connection";

ssize_t send_plain(int fd, std::span<const std::byte> bytes) noexcept {
  return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

Error not_connected(int refused, const TcpAddress& to) {
  const std::string tried = "connect to " + to.to_string();
  constexpr std::string_view call = "connect";
  switch (refused) {
    case ECONNREFUSED:
      return failure(refused, call, tried, Errc::not_found,
                     "Nobody listens there: start the server, or look at its port (ss -tln).");
    case EHOSTUNREACH:
    case ENETUNREACH:
      return failure(refused, call, tried, Errc::not_found, "There is no way there: see ip route.");
    case ETIMEDOUT:
      return failure(refused, call, tried, Errc::timed_out,
                     "It does not answer at all: it is off, or a firewall drops what we send.");
    case EADDRNOTAVAIL:
    case EAGAIN:
      return failure(refused, call, tried, Errc::limit_reached,
                     "No local port is free: see /proc/sys/net/ipv4/ip_local_port_range, and close "
                     "connections (ss -tn).");
    case EACCES:
    case EPERM:
      return failure(refused, call, tried, Errc::permission_denied, "A firewall forbids it.");
    case ECONNRESET:
      return failure(refused, call, tried, Errc::closed, "The other end hung up at once.");
    default:
      return failure(refused, call, tried);
  }
}

Error not_listening(int refused, std::string_view call, const TcpAddress& at) {
  const std::string tried = "listen at " + at.to_string();
  switch (refused) {
    case EADDRINUSE:
      return failure(refused, call, tried, Errc::already_exists,
                     "Somebody listens there (ss -tlnp): end that server, or take another port.");
    case EACCES:
      return failure(refused, call, tried, Errc::permission_denied,
                     "Ports below /proc/sys/net/ipv4/ip_unprivileged_port_start need "
                     "CAP_NET_BIND_SERVICE.");
    case EADDRNOTAVAIL:
      return failure(refused, call, tried, Errc::not_found,
                     "This machine does not have that address: see ip address.");
    default:
      return failure(refused, call, tried);
  }
}

// 0, or what the kernel found of the connection that was begun.
int result_of(const Fd& socket) noexcept {
  int refused = 0;
  socklen_t bytes = sizeof(refused);
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &refused, &bytes) == 0 ? refused : errno;
}

// The deadline of the first of so many that are tried in turn.
Deadline share_of(Deadline deadline, std::size_t addresses) noexcept {
  if (deadline.is_never() || addresses < 2) return deadline;
  const std::int64_t share = remaining_ns(deadline) / static_cast<std::int64_t>(addresses);
  return Deadline::after(std::chrono::nanoseconds(share));
}

int accept_once(const Fd& listener) noexcept {
  int accepted = -1;
  // One that was given up before it was accepted is none: look at the next.
  do {
    accepted = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  } while (accepted < 0 && (errno == ECONNABORTED || errno == EPROTO));
  return accepted;
}

Error not_accepted(int refused) {
  if (refused == EAGAIN) return not_ready("accept4");
  return failure(refused, "accept4", "accept a TCP connection");
}

}  // namespace

Result<TcpStream> TcpStream::connect(const TcpAddress& to, Deadline deadline,
                                     const TcpOptions& options, OnSignal on_signal) {
  auto socket = new_tcp_socket(to);
  if (!socket) return std::unexpected(std::move(socket.error()));
  if (auto set = set_tcp_options(*socket, options); !set) {
    return std::unexpected(std::move(set.error()));
  }
  const TcpName name = TcpName::of(to);
  int refused = ::connect(socket->get(), &name.any, name.bytes) == 0 ? 0 : errno;
  // Interrupted or not, it goes on in the kernel from here.
  if (refused == EINPROGRESS || refused == EINTR) {
    const Readiness end = wait_until_ready(socket->get(), POLLOUT, deadline, on_signal);
    if (end != Readiness::ready) {
      return std::unexpected(ended_wait(end, "connect", "connect over TCP"));
    }
    refused = result_of(*socket);
  }
  if (refused != 0) return std::unexpected(not_connected(refused, to));
  TcpStream made(std::move(*socket));
  // To a local port that nobody listens at, a socket may be given that very port, and meet itself.
  const auto local = made.local_address();
  if (local && *local == to) return std::unexpected(not_connected(ECONNREFUSED, to));
  return made;
}

Result<TcpStream> TcpStream::connect(const std::string& host, const std::string& service,
                                     Deadline deadline, const TcpOptions& options,
                                     OnSignal on_signal) {
  const auto addresses = TcpAddress::resolve(host, service);
  if (!addresses) return std::unexpected(addresses.error());
  Result<TcpStream> made = std::unexpected(Error{Errc::not_found, 0, {}, host + " has no address"});
  for (std::size_t i = 0; i < addresses->size(); ++i) {
    made = connect((*addresses)[i], share_of(deadline, addresses->size() - i), options, on_signal);
    if (made || made.error().code == Errc::interrupted) break;
  }
  return made;
}

Result<TcpStream> TcpStream::adopt(Fd socket) {
  auto fd = adopted_tcp_socket(std::move(socket), false);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return TcpStream(std::move(*fd));
}

Result<std::size_t> TcpStream::read_after(long refused, std::span<std::byte> room,
                                          const Deadline* deadline, OnSignal on_signal) {
  return os::read_after(refused, fd_, room, deadline, on_signal, kRead);
}
Result<void> TcpStream::read_all(std::span<std::byte>& rest, Deadline deadline,
                                 OnSignal on_signal) {
  return read_rest(fd_, rest, deadline, on_signal, kRead);
}
Result<std::size_t> TcpStream::write_after(long refused, std::span<const std::byte> bytes,
                                           const Deadline* deadline, OnSignal on_signal) {
  return os::write_after(refused, fd_, bytes, send_plain, deadline, on_signal, kWrite);
}
Result<void> TcpStream::write_all(std::span<const std::byte>& rest, Deadline deadline,
                                  OnSignal on_signal) {
  return write_rest(fd_, rest, send_plain, deadline, on_signal, kWrite);
}
Result<void> TcpStream::end_writing() {
  if (::shutdown(fd_.get(), SHUT_WR) == 0) return {};
  return std::unexpected(stream_failure(errno, "shutdown", "end the writing to a TCP connection"));
}

Result<void> TcpStream::set_no_delay(bool on) {
  return set_tcp_option(fd_, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0, "TCP_NODELAY");
}
Result<void> TcpStream::set_keep_alive(const std::optional<TcpKeepAlive>& keep_alive) {
  return set_tcp_keep_alive(fd_, keep_alive);
}
Result<void> TcpStream::set_linger(const std::optional<std::chrono::seconds>& span) {
  const linger wanted{
      .l_onoff = span ? 1 : 0,
      .l_linger = span ? static_cast<int>(std::clamp<std::int64_t>(span->count(), 0, INT_MAX)) : 0};
  if (::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &wanted, sizeof(wanted)) == 0) return {};
  return std::unexpected(stream_failure(errno, "setsockopt(SO_LINGER)", "say how to close"));
}
Result<std::size_t> TcpStream::set_send_buffer(std::size_t bytes) {
  return set_tcp_buffer(fd_, SO_SNDBUF, bytes, "SO_SNDBUF");
}
Result<std::size_t> TcpStream::set_receive_buffer(std::size_t bytes) {
  return set_tcp_buffer(fd_, SO_RCVBUF, bytes, "SO_RCVBUF");
}
Result<TcpAddress> TcpStream::local_address() const { return tcp_address_of(fd_, false); }
Result<TcpAddress> TcpStream::peer_address() const { return tcp_address_of(fd_, true); }

namespace {

// What is accepted inherits the options of the listener, and costs no call of its own.
Result<Fd> listen_at(const TcpAddress& at, const TcpListener::Options& options) {
  if (options.waiting_max < 0) return std::unexpected(none_could_wait(options.waiting_max));
  auto socket = new_tcp_socket(at);
  if (!socket) return socket;
  auto set = set_tcp_option(*socket, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  if (set && options.reuse_port) {
    set = set_tcp_option(*socket, SOL_SOCKET, SO_REUSEPORT, 1, "SO_REUSEPORT");
  }
  if (set && at.is_v6()) set = set_tcp_option(*socket, IPPROTO_IPV6, IPV6_V6ONLY, 0, "IPV6_V6ONLY");
  if (set) set = set_tcp_options(*socket, options.accepted);
  if (!set) return std::unexpected(std::move(set.error()));
  const TcpName name = TcpName::of(at);
  if (::bind(socket->get(), &name.any, name.bytes) != 0) {
    return std::unexpected(not_listening(errno, "bind", at));
  }
  if (::listen(socket->get(), options.waiting_max) != 0) {
    return std::unexpected(not_listening(errno, "listen", at));
  }
  return socket;
}

}  // namespace

Result<TcpListener> TcpListener::listen(const std::string& host, const std::string& service,
                                        const Options& options) {
  const auto addresses = resolve_tcp(host, service, true);
  if (!addresses) return std::unexpected(addresses.error());
  Error last{Errc::not_found, 0, {}, "cannot listen: " + host + " has no address here."};
  for (const TcpAddress& at : *addresses) {
    auto socket = listen_at(at, options);
    if (socket) {
      TcpListener made;
      made.fd_ = std::move(*socket);
      return made;
    }
    last = std::move(socket.error());
    // Only a machine without IPv6 is a reason to take the next: else a server that was meant to
    // have the port would quietly get the other half of it.
    if (last.sys_errno != EAFNOSUPPORT && last.sys_errno != EADDRNOTAVAIL) break;
  }
  return std::unexpected(std::move(last));
}

Result<TcpListener> TcpListener::adopt(Fd listener) {
  auto fd = adopted_tcp_socket(std::move(listener), true);
  if (!fd) return std::unexpected(std::move(fd.error()));
  TcpListener made;
  made.fd_ = std::move(*fd);
  return made;
}

Result<TcpStream> TcpListener::accept(Deadline deadline, OnSignal on_signal) {
  auto accepted = try_until(fd_.get(), POLLIN, deadline, on_signal, "accept4",
                            "accept a TCP connection", [&] { return accept_once(fd_); });
  if (!accepted) return std::unexpected(std::move(accepted.error()));
  if (*accepted < 0) return std::unexpected(not_accepted(errno));
  return TcpStream(Fd(*accepted));
}
Result<TcpStream> TcpListener::try_accept() {
  const int accepted = retried([&] { return accept_once(fd_); });
  if (accepted < 0) return std::unexpected(not_accepted(errno));
  return TcpStream(Fd(accepted));
}
Result<TcpAddress> TcpListener::address() const { return tcp_address_of(fd_, false); }

}  // namespace signalbox::os
