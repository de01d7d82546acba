#include "signalbox/os/unix_datagram.hpp"

#include <cerrno>

#include "os/failure.hpp"
#include "os/readiness.hpp"
#include "os/unix_calls.hpp"

namespace signalbox::os {

namespace {

constexpr std::string_view kSend = "send over a Unix socket";

// Sleeps until the queue of the one at `to` has room. Only a socket that is connected to it is
// told, so one is, meanwhile. What fails here fails again, with its own error, when it is sent.
Result<void> wait_for_room_at(const UnixAddress& to, Deadline deadline, OnSignal on_signal) {
  auto waiter = connect_unix(SOCK_DGRAM, to);
  if (!waiter) return std::unexpected(std::move(waiter.error()));
  const Readiness end = wait_until_ready(waiter->get(), POLLOUT, deadline, on_signal);
  if (end == Readiness::ready) return {};
  return std::unexpected(ended_wait(end, "sendmsg", kSend));
}

}  // namespace

Result<UnixDatagram> UnixDatagram::create() {
  auto fd = new_unix_socket(SOCK_DGRAM);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixDatagram(std::move(*fd));
}

Result<UnixDatagram> UnixDatagram::bind(const UnixAddress& at, const UnixNameOptions& options) {
  auto made = create();
  if (!made) return made;
  const auto file = bind_unix(made->fd_, at, options);
  if (!file) return std::unexpected(file.error());
  made->at_ = at;
  made->device_ = file->device;
  made->inode_ = file->inode;
  return made;
}

Result<std::pair<UnixDatagram, UnixDatagram>> UnixDatagram::pair() {
  auto fds = new_unix_pair(SOCK_DGRAM);
  if (!fds) return std::unexpected(std::move(fds.error()));
  return std::pair(UnixDatagram(std::move(fds->first)), UnixDatagram(std::move(fds->second)));
}

Result<UnixDatagram> UnixDatagram::adopt(Fd socket) {
  auto fd = adopted_unix_socket(std::move(socket), SOCK_DGRAM, false);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixDatagram(std::move(*fd));
}

Result<void> UnixDatagram::connect(const UnixAddress& to) {
  const UnixName name = UnixName::of(to);
  if (::connect(fd_.get(), name.get(), name.bytes) == 0) return {};
  return std::unexpected(send_failure(errno, 0));
}

Result<void> UnixDatagram::send_after(long refused, std::span<const std::byte> bytes,
                                      const Deadline* deadline, OnSignal on_signal,
                                      std::span<const int> descriptors) {
  return os::send_after(refused, fd_, bytes, deadline, on_signal, descriptors);
}

Result<void> UnixDatagram::send_to(const UnixAddress& to, std::span<const std::byte> bytes,
                                   Deadline deadline, OnSignal on_signal,
                                   std::span<const int> descriptors) {
  for (;;) {
    auto sent = try_send_to(to, bytes, descriptors);
    if (sent || sent.error().code != Errc::would_block) return sent;
    if (auto room = wait_for_room_at(to, deadline, on_signal); !room) return room;
  }
}

Result<void> UnixDatagram::try_send_to(const UnixAddress& to, std::span<const std::byte> bytes,
                                       std::span<const int> descriptors) {
  const UnixName name = UnixName::of(to);
  return send_message(fd_, bytes, descriptors, &name);
}

Result<Received> UnixDatagram::receive_after(long refused, std::span<std::byte> room,
                                             const Deadline* deadline, OnSignal on_signal,
                                             UnixAddress* sender, std::vector<Fd>* descriptors) {
  UnixName from{};
  auto received = os::receive_after(
      refused, fd_,
      {.room = room, .descriptors = descriptors, .sender = sender != nullptr ? &from : nullptr},
      deadline, on_signal);
  if (received && sender != nullptr) *sender = from.address();
  return received;
}

Result<void> UnixDatagram::unlink() { return remove_bound(at_, {device_, inode_}); }

}  // namespace signalbox::os
