#include "os/unix_calls.hpp"

#include <fcntl.h>
#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <string>

#include "os/failure.hpp"
#include "os/kernel_setting.hpp"
#include "os/monotonic.hpp"
#include "os/readiness.hpp"

namespace signalbox::os {

namespace {

constexpr int kPeerGroups = 59;       // SO_PEERGROUPS, Linux 4.13
constexpr int kPidfdInMessage = 0x4;  // SCM_PIDFD, Linux 6.5

Error not_connected(int refused, const UnixAddress& to) {
  const std::string tried = "connect to socket " + to.to_string();
  constexpr std::string_view call = "connect";
  switch (refused) {
    case EAGAIN:
      return not_ready(call);
    case ECONNREFUSED:
      return failure(refused, call, tried, Errc::not_found,
                     "The name is there, and nobody who listens: start the server.");
    case ENOENT:
      return failure(refused, call, tried, Errc::not_found,
                     "There is no such name: start the server.");
    case EPROTOTYPE:
      return failure(refused, call, tried, Errc::bad_argument,
                     "A socket of another kind listens there (stream, seqpacket or datagram).");
    case EACCES:
    case EPERM:
      return failure(refused, call, tried, Errc::permission_denied,
                     "Its file must be writable for this user, and the directories before it "
                     "searchable.");
    case EINVAL:
      return failure(refused, call, tried, Errc::bad_argument, "That is no name to connect to.");
    default:
      return failure(refused, call, tried);
  }
}

// The kernel lets nobody poll for a place in the queue of a listener; but a blocking connect waits
// for one, and SO_SNDTIMEO is its deadline. Answers as connect(2).
Result<int> connect_slowly(const Fd& socket, const UnixName& name, Deadline deadline,
                           OnSignal on_signal) {
  const int flags = ::fcntl(socket.get(), F_GETFL);
  ::fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK);
  int answer = -1;
  int refused = EAGAIN;
  while (!deadline.passed()) {
    const std::int64_t us = deadline.is_never()
                                ? 0  // none
                                : std::max<std::int64_t>(1, remaining_ns(deadline) / 1000);
    const timeval left{.tv_sec = us / 1'000'000, .tv_usec = us % 1'000'000};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left));
    answer = ::connect(socket.get(), name.get(), name.bytes);
    refused = answer == 0 ? 0 : errno;
    if (refused == EINTR && on_signal == OnSignal::give_up) break;
    if (refused != EINTR && refused != EAGAIN) break;
  }
  const timeval none{};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
  ::fcntl(socket.get(), F_SETFL, flags);
  constexpr std::string_view tried = "connect: too many wait to be accepted";
  if (refused == EAGAIN || (refused == EINTR && on_signal == OnSignal::go_on)) {
    return std::unexpected(ended_wait(Readiness::timed_out, "connect", tried));
  }
  if (refused == EINTR) {
    return std::unexpected(ended_wait(Readiness::interrupted, "connect", tried));
  }
  errno = refused;
  return answer;
}

Error not_accepted(int refused) {
  if (refused == EAGAIN) return not_ready("accept4");
  return failure(refused, "accept4", "accept a connection");
}

// Takes the descriptors out of a message, all of them, so that none is left open by mistake.
// False: there was no memory to keep them in, and they are closed.
bool take_descriptors(msghdr& message, std::vector<Fd>* into) noexcept {
  bool is_kept = true;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    const bool is_wanted = part->cmsg_type == SCM_RIGHTS;
    if (!is_wanted && part->cmsg_type != kPidfdInMessage) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      Fd owned(fd);
      if (!is_wanted || into == nullptr) continue;
      is_kept = is_kept && detail::done_unless_out_of_memory([&] {
                  into->push_back(std::move(owned));
                  return true;
                });
    }
  }
  return is_kept;
}

}  // namespace

Result<Fd> new_unix_socket(int type) {
  Fd made(::socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made.is_open()) return std::unexpected(failure(errno, "socket", "make a Unix socket"));
  return made;
}

Result<std::pair<Fd, Fd>> new_unix_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
    return std::unexpected(failure(errno, "socketpair", "make a pair of Unix sockets"));
  }
  return std::pair(Fd(ends[0]), Fd(ends[1]));
}

Result<Fd> adopted_unix_socket(Fd socket, int type, bool listens) {
  const auto asked = [&](int option) {
    int value = -1;
    socklen_t bytes = sizeof(value);
    return ::getsockopt(socket.get(), SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
  };
  if (asked(SO_DOMAIN) != AF_UNIX || asked(SO_TYPE) != type ||
      asked(SO_ACCEPTCONN) != (listens ? 1 : 0)) {
    return std::unexpected(Error{Errc::bad_argument,
                                 0,
                                 {},
                                 "cannot take over descriptor " + std::to_string(socket.get()) +
                                     ": it is no Unix socket of this kind" +
                                     (listens ? " that listens." : ".")});
  }
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return std::unexpected(failure(errno, "fcntl", "take over a Unix socket"));
  }
  return socket;
}

Result<Peer> peer_of(const Fd& connection) {
  ucred said{};
  socklen_t bytes = sizeof(said);
  if (::getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &said, &bytes) != 0) {
    return std::unexpected(failure(errno, "getsockopt(SO_PEERCRED)", "ask who a peer is"));
  }
  Peer peer{.pid = static_cast<std::uint32_t>(said.pid),
            .uid = said.uid,
            .gid = said.gid,
            .groups = std::vector<std::uint32_t>(32)};
  for (;;) {
    bytes = static_cast<socklen_t>(peer.groups.size() * sizeof(gid_t));
    const int answer =
        ::getsockopt(connection.get(), SOL_SOCKET, kPeerGroups, peer.groups.data(), &bytes);
    const std::size_t count = bytes / sizeof(gid_t);
    if (answer == 0) {
      peer.groups.resize(count);
      return peer;
    }
    if (errno != ERANGE || count <= peer.groups.size()) {
      peer.groups.clear();  // an older kernel: the first group has to do
      return peer;
    }
    peer.groups.resize(count);
  }
}

Result<UnixAddress> address_of(const Fd& socket, bool of_peer) {
  UnixName name{};
  name.bytes = sizeof(name.raw);
  const int answer = of_peer ? ::getpeername(socket.get(), name.get(), &name.bytes)
                             : ::getsockname(socket.get(), name.get(), &name.bytes);
  if (answer == 0) return name.address();
  return std::unexpected(
      failure(errno, of_peer ? "getpeername" : "getsockname", "ask for the name of a Unix socket"));
}

Result<Fd> connect_unix(int type, const UnixAddress& to, const Deadline* deadline,
                        OnSignal on_signal) {
  auto made = new_unix_socket(type);
  if (!made) return made;
  const UnixName name = UnixName::of(to);
  int answer = retried([&] { return ::connect(made->get(), name.get(), name.bytes); });
  if (answer != 0 && errno == EAGAIN && deadline != nullptr) {
    const auto late = connect_slowly(*made, name, *deadline, on_signal);
    if (!late) return std::unexpected(late.error());
    answer = *late;
  }
  if (answer != 0) return std::unexpected(not_connected(errno, to));
  return made;
}

Result<Fd> accept_from(const Fd& listener) {
  Fd accepted(retried(
      [&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }));
  if (accepted.is_open()) return accepted;
  return std::unexpected(not_accepted(errno));
}

Result<Fd> accept_until(const Fd& listener, Deadline deadline, OnSignal on_signal) {
  auto accepted = try_until(
      listener.get(), POLLIN, deadline, on_signal, "accept4", "accept a connection",
      [&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); });
  if (!accepted) return std::unexpected(std::move(accepted.error()));
  if (*accepted >= 0) return Fd(*accepted);
  return std::unexpected(not_accepted(errno));
}

ssize_t send_once(int socket, std::span<const std::byte> bytes, std::span<const int> descriptors,
                  const UnixName* to) noexcept {
  iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (to != nullptr) {
    message.msg_name = const_cast<sockaddr_un*>(&to->raw);
    message.msg_namelen = to->bytes;
  }
  constexpr int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (descriptors.empty()) return ::sendmsg(socket, &message, flags);
  if (descriptors.size() > descriptors_per_message_max) {
    errno = EINVAL;
    return -1;
  }
  alignas(cmsghdr) char control[CMSG_SPACE(descriptors_per_message_max * sizeof(int))];
  const std::size_t payload = descriptors.size() * sizeof(int);
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(payload);
  std::memset(control, 0, message.msg_controllen);
  cmsghdr* const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(payload);
  std::memcpy(CMSG_DATA(header), descriptors.data(), payload);
  return ::sendmsg(socket, &message, flags);
}

Error send_failure(int refused, std::size_t bytes) {
  const std::string tried = "send " + std::to_string(bytes) + " bytes over a Unix socket";
  constexpr std::string_view call = "sendmsg";
  switch (refused) {
    case EAGAIN:
      return not_ready(call);
    case EPIPE:
    case ECONNRESET:
      return failure(refused, call, tried, Errc::closed,
                     "Nobody is left at the other end: close this one.");
    case ECONNREFUSED:
    case ENOENT:
      return failure(refused, call, tried, Errc::not_found, "Nobody is bound to that name.");
    case EMSGSIZE:
    case ENOBUFS:
      return failure(refused, call, tried, Errc::too_large,
                     "A message must fit into the socket's buffer: at most what "
                     "/proc/sys/net/core/wmem_max says (here " +
                         said(kernel_setting("/proc/sys/net/core/wmem_max")) +
                         "). Send a descriptor of memory instead, or raise it with sysctl.");
    case ETOOMANYREFS:
      return failure(refused, call, tried, Errc::limit_reached,
                     "More descriptors are under way and not received than this user may have "
                     "open (ulimit -n): receive first.");
    case EACCES:
    case EPERM:
      return failure(refused, call, tried, Errc::permission_denied,
                     "The other end's file must be writable for this user.");
    case EBADF:
    case EINVAL:
    case ENOTCONN:
    case EDESTADDRREQ:
    case EPROTOTYPE:
      return failure(refused, call, tried, Errc::bad_argument,
                     "The socket or one of the descriptors is not open or not connected, there "
                     "are more than 253 of them, or the name is of another kind of socket.");
    default:
      return failure(refused, call, tried);
  }
}

namespace {

[[gnu::cold]] Error receive_failure(int refused) {
  if (refused == EAGAIN) return not_ready("recvmsg");
  const Errc code = refused == ECONNRESET                     ? Errc::closed
                    : refused == EBADF || refused == ENOTCONN ? Errc::bad_argument
                                                              : code_of(refused);
  return failure(refused, "recvmsg", "receive over a Unix socket", code,
                 "Close this end and connect anew.");
}

}  // namespace

Result<void> send_after(long refused, const Fd& socket, std::span<const std::byte> bytes,
                        const Deadline* deadline, OnSignal on_signal,
                        std::span<const int> descriptors) {
  const auto send = [&] { return send_once(socket.get(), bytes, descriptors, nullptr); };
  errno = static_cast<int>(-refused);
  ssize_t sent = errno == EINTR ? retried(send) : -1;
  if (deadline != nullptr) {
    const auto late = go_on_until(sent, socket.get(), POLLOUT, *deadline, on_signal, "sendmsg",
                                  "send over a Unix socket", send);
    if (!late) return std::unexpected(late.error());
    sent = *late;
  }
  if (sent >= 0) return {};
  return std::unexpected(send_failure(errno, bytes.size()));
}

Result<Received> receive_after(long refused, const Fd& socket, const ReceiveInto& into,
                               const Deadline* deadline, OnSignal on_signal) {
  const int error_number = static_cast<int>(-refused);
  if (error_number == EAGAIN && deadline != nullptr) {
    const Readiness end = wait_until_ready(socket.get(), POLLIN, *deadline, on_signal);
    if (end != Readiness::ready) {
      return std::unexpected(ended_wait(end, "recvmsg", "receive over a Unix socket"));
    }
  } else if (error_number != EINTR) {
    return std::unexpected(receive_failure(error_number));
  }
  return receive_unix(socket, into, deadline, on_signal);
}

Result<Received> receive_unix(const Fd& socket, const ReceiveInto& into, const Deadline* deadline,
                              OnSignal on_signal) {
  iovec part{.iov_base = into.room.data(), .iov_len = into.room.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(descriptors_per_message_max * sizeof(int))];
  msghdr message{};
  // A stream has no messages to be cut, and TCP would throw bytes away.
  const int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC | (into.is_stream ? 0 : MSG_TRUNC);
  const auto receive = [&] {
    message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (into.descriptors != nullptr) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(into.descriptors_max * sizeof(int));
    }
    if (into.sender != nullptr) {
      message.msg_name = &into.sender->raw;
      message.msg_namelen = sizeof(into.sender->raw);
    }
    return ::recvmsg(socket.get(), &message, flags);
  };
  Result<ssize_t> got = 0;
  if (deadline == nullptr) {
    got = retried(receive);
  } else {
    got = try_until(socket.get(), POLLIN, *deadline, on_signal, "recvmsg",
                    "receive over a Unix socket", receive);
  }
  if (!got) return std::unexpected(std::move(got.error()));
  if (*got < 0) return std::unexpected(receive_failure(errno));
  if (!take_descriptors(message, into.descriptors)) return std::unexpected(detail::out_of_memory());
  if (into.sender != nullptr) into.sender->bytes = message.msg_namelen;
  const auto sent = static_cast<std::size_t>(*got);
  return Received{.bytes = std::min(sent, into.room.size()),
                  .bytes_sent = sent,
                  .has_lost_descriptors = (message.msg_flags & MSG_CTRUNC) != 0};
}

Result<void> send_message(const Fd& connection, std::span<const std::byte> bytes,
                          std::span<const int> descriptors, const UnixName* to) {
  const ssize_t sent = retried([&] { return send_once(connection.get(), bytes, descriptors, to); });
  if (sent >= 0) return {};
  return std::unexpected(send_failure(errno, bytes.size()));
}

}  // namespace signalbox::os
