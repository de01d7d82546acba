#include "signalbox/os/unix_listener.hpp"

#include <cerrno>

#include "os/failure.hpp"
#include "os/unix_calls.hpp"

namespace signalbox::os {

namespace {

int type_of(UnixListener::Kind kind) noexcept {
  return kind == UnixListener::Kind::stream ? SOCK_STREAM : SOCK_SEQPACKET;
}

}  // namespace

Result<UnixListener> UnixListener::listen(const UnixAddress& at, const Options& options) {
  if (options.waiting_max < 0) return std::unexpected(none_could_wait(options.waiting_max));
  auto socket = new_unix_socket(type_of(options.kind));
  if (!socket) return std::unexpected(std::move(socket.error()));
  // Nobody can connect before listen(), so whoever can finds the mode that was asked for.
  const auto file = bind_unix(*socket, at, options.name);
  if (!file) return std::unexpected(file.error());
  UnixListener made;
  made.fd_ = std::move(*socket);
  made.kind_ = options.kind;
  made.at_ = at;
  made.device_ = file->device;
  made.inode_ = file->inode;
  if (::listen(made.fd_.get(), options.waiting_max) == 0) return made;
  const int refused = errno;
  static_cast<void>(made.unlink());
  return std::unexpected(failure(refused, "listen", "listen on socket " + at.to_string()));
}

Result<UnixListener> UnixListener::adopt(Fd listener) {
  int type = 0;
  socklen_t bytes = sizeof(type);
  ::getsockopt(listener.get(), SOL_SOCKET, SO_TYPE, &type, &bytes);
  UnixListener made;
  made.kind_ = type == SOCK_SEQPACKET ? Kind::seqpacket : Kind::stream;
  auto fd = adopted_unix_socket(std::move(listener), type_of(made.kind_), true);
  if (!fd) return std::unexpected(std::move(fd.error()));
  made.fd_ = std::move(*fd);
  return made;
}

Result<Fd> UnixListener::next(Kind kind, const Deadline* deadline, OnSignal on_signal) {
  if (kind != kind_) {
    return std::unexpected(Error{Errc::bad_argument,
                                 0,
                                 {},
                                 "cannot accept: this listener is of the other kind; see kind()."});
  }
  return deadline == nullptr ? accept_from(fd_) : accept_until(fd_, *deadline, on_signal);
}

Result<UnixStream> UnixListener::accept(Deadline deadline, OnSignal on_signal) {
  auto fd = next(Kind::stream, &deadline, on_signal);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixStream(std::move(*fd));
}
Result<UnixStream> UnixListener::try_accept() {
  auto fd = next(Kind::stream, nullptr, OnSignal::go_on);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixStream(std::move(*fd));
}
Result<UnixSeqpacket> UnixListener::accept_seqpacket(Deadline deadline, OnSignal on_signal) {
  auto fd = next(Kind::seqpacket, &deadline, on_signal);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixSeqpacket(std::move(*fd));
}
Result<UnixSeqpacket> UnixListener::try_accept_seqpacket() {
  auto fd = next(Kind::seqpacket, nullptr, OnSignal::go_on);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return UnixSeqpacket(std::move(*fd));
}

Result<void> UnixListener::unlink() { return remove_bound(at_, {device_, inode_}); }
Result<UnixAddress> UnixListener::address() const { return address_of(fd_, false); }

}  // namespace signalbox::os
