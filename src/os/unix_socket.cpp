#include "os/unix_socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

constexpr int backlog = 128;
constexpr int peer_groups_option = 59;  // SO_PEERGROUPS, Linux 4.13

// A path of 107 bytes is the most a socket's address holds, and a topic's is easily longer: the
// directory is named by its descriptor instead.
Result<sockaddr_un> address_of(const Fd& directory, const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const int length = std::snprintf(address.sun_path, sizeof(address.sun_path),
                                   "/proc/self/fd/%d/%s", directory.get(), name.c_str());
  if (length > 0 && static_cast<std::size_t>(length) < sizeof(address.sun_path)) return address;
  return std::unexpected(failure(ENAMETOOLONG, "bind", "name socket " + name));
}

Result<Fd> new_socket() {
  Fd made(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!made.is_open()) return std::unexpected(failure(errno, "socket", "make a socket"));
  return made;
}

bool would_block(int refused) noexcept { return refused == EAGAIN || refused == EWOULDBLOCK; }

Error plain(Errc code, int refused, std::string_view call) {
  return {code, refused, call, std::string(call) + " says " + std::strerror(refused) + "."};
}

Error of_connection(int refused, std::string_view call, const char* tried) {
  if (would_block(refused)) return plain(Errc::would_block, refused, call);
  if (refused == EPIPE || refused == ECONNRESET) return plain(Errc::closed, refused, call);
  return failure(refused, call, tried);
}

// Takes the descriptors out of a message, all of them, so that none is left open by mistake.
void take_descriptors(msghdr& message, std::vector<Fd>& into) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      into.emplace_back(fd);
    }
  }
}

}  // namespace

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
        ::getsockopt(connection.get(), SOL_SOCKET, peer_groups_option, peer.groups.data(), &bytes);
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

Result<Fd> listen_at(const Fd& directory, const std::string& name, const Rights& rights) {
  const auto address = address_of(directory, name);
  if (!address) return std::unexpected(address.error());
  auto made = new_socket();
  if (!made) return made;
  const auto* where = reinterpret_cast<const sockaddr*>(&*address);
  if (::bind(made->get(), where, sizeof(*address)) != 0) {
    const int refused = errno == EADDRINUSE ? EEXIST : errno;
    return std::unexpected(failure(refused, "bind", "create socket " + name));
  }
  // Nobody can connect before listen(), so whoever can finds these rights.
  if (give_rights(directory, name, rights) && ::listen(made->get(), backlog) == 0) return made;
  const int refused = errno;
  unlink_file(directory, name);
  return std::unexpected(failure(refused, "listen", "listen on socket " + name));
}

Result<Fd> connect_to(const Fd& directory, const std::string& name) {
  const auto address = address_of(directory, name);
  if (!address) return std::unexpected(address.error());
  auto made = new_socket();
  if (!made) return made;
  const auto* where = reinterpret_cast<const sockaddr*>(&*address);
  if (retried([&] { return ::connect(made->get(), where, sizeof(*address)); }) == 0) return made;
  const int refused = errno;
  if (would_block(refused)) return std::unexpected(plain(Errc::would_block, refused, "connect"));
  // The name is there, and nobody who listens.
  if (refused == ECONNREFUSED) return std::unexpected(plain(Errc::not_found, refused, "connect"));
  return std::unexpected(failure(refused, "connect", "connect to socket " + name));
}

Result<Fd> accept_from(const Fd& listener) {
  Fd accepted(retried(
      [&] { return ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }));
  if (accepted.is_open()) return accepted;
  return std::unexpected(of_connection(errno, "accept4", "accept a connection"));
}

Result<void> send_message(const Fd& connection, std::span<const std::byte> bytes,
                          std::span<const int> descriptors) {
  iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(descriptors_per_message_max * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t payload = descriptors.size() * sizeof(int);
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(payload);
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(payload);
    std::memcpy(CMSG_DATA(header), descriptors.data(), payload);
  }
  const ssize_t sent =
      retried([&] { return ::sendmsg(connection.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL); });
  if (sent >= 0) return {};
  return std::unexpected(of_connection(errno, "sendmsg", "send a message"));
}

Result<Received> receive_message(const Fd& connection, std::span<std::byte> room) {
  Received received{.bytes = 0, .is_whole = false, .descriptors = {}};
  received.descriptors.reserve(descriptors_per_message_max);
  iovec part{.iov_base = room.data(), .iov_len = room.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(descriptors_per_message_max * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t got = retried(
      [&] { return ::recvmsg(connection.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC); });
  if (got < 0) {
    return std::unexpected(of_connection(errno, "recvmsg", "receive a message"));
  }
  take_descriptors(message, received.descriptors);
  // No message of ours is empty: this is the end.
  if (got == 0) return std::unexpected(plain(Errc::closed, ECONNRESET, "recvmsg"));
  received.bytes = static_cast<std::size_t>(got);
  received.is_whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
  return received;
}

void wait_readable(std::span<Readable> entries, Deadline deadline) {
  std::vector<pollfd> polled;
  polled.reserve(entries.size());
  for (const Readable& entry : entries) polled.push_back({entry.fd, POLLIN, 0});
  for (;;) {
    timespec left{};
    const timespec* patience = nullptr;
    if (!deadline.is_never()) {
      const std::int64_t ns =
          std::max<std::int64_t>(0, deadline.monotonic_ns() - monotonic_now_ns());
      left = {.tv_sec = ns / 1'000'000'000, .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
      patience = &left;
    }
    const int ready = ::ppoll(polled.data(), polled.size(), patience, nullptr);
    if (ready < 0 && errno == EINTR && !deadline.passed()) continue;
    break;
  }
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].is_ready = polled[i].revents != 0;
}

}  // namespace signalbox::os
