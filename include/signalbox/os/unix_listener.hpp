// os/unix_listener.hpp: waits under a name for others to connect.
//
//   Lives     until it is destroyed; the file of a path stays until unlink(), or until the next one
//             who listens there takes it over
//   Threads   any number may accept at once
//   Crash     the file stays behind, and is taken over by the next: nobody removes it by hand
//   Fork      a child shares it until it execs, and then nobody sees that we have gone
//   Limits    RLIMIT_NOFILE; who waits to be accepted: /proc/sys/net/core/somaxconn
//   Pollable  yes
//   Manual    unix(7) listen(2) accept(2)
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/unix_address.hpp"
#include "signalbox/os/unix_socket.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

// Of a name that is a file: exactly this mode, whatever the umask is.
struct UnixNameOptions {
  unsigned mode = 0600;                  // write permission is what connecting and sending need
  std::optional<std::uint32_t> group{};  // the file's, where it shall not be ours
  // Takes a file over that no living socket of this network name space has. Who lives is asked of
  // the kernel without a connection, and those who would take over wait for each other on a lock
  // (flock) of the directory, so a living server never loses its name.
  bool takes_over_stale = true;
};

class UnixListener {
 public:
  enum class Kind { stream, seqpacket };
  struct Options {
    Kind kind = Kind::stream;
    int waiting_max = 128;  // 0 or more who wait to be accepted; others wait in connect()
    UnixNameOptions name{};
  };

  UnixListener() = default;
  // Errors: already_exists (somebody lives there, or it is another file), not_found (no such
  // directory), permission_denied, bad_argument (no name), limit_reached, would_block (others held
  // the directory's lock for a second), system.
  static Result<UnixListener> listen(const UnixAddress& at, const Options& options);
  static Result<UnixListener> listen(const UnixAddress& at) { return listen(at, Options{}); }
  // Takes over one that came from elsewhere (os/inherited_sockets.hpp).
  // Errors: bad_argument (no listening Unix socket).
  static Result<UnixListener> adopt(Fd listener);
  explicit operator bool() const noexcept { return fd_.is_open(); }

  // The next who connected. Errors: timed_out, interrupted, limit_reached (descriptors: whoever
  // waits goes on waiting), bad_argument (the other kind), system; of the try_ ones would_block.
  Result<UnixStream> accept(Deadline deadline, OnSignal on_signal = OnSignal::go_on);
  Result<UnixStream> try_accept();
  Result<UnixSeqpacket> accept_seqpacket(Deadline deadline, OnSignal on_signal = OnSignal::go_on);
  Result<UnixSeqpacket> try_accept_seqpacket();

  // Removes the file, if it is still this listener's: call it before close().
  // Errors: not_found (it is another's by now, or gone), permission_denied, would_block.
  Result<void> unlink();
  // Where it listens: also what the kernel chose.
  Result<UnixAddress> address() const;
  Kind kind() const noexcept { return kind_; }
  // Ready while accept() would not wait.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  const Fd& fd() const noexcept { return fd_; }
  Fd release() noexcept { return std::move(fd_); }
  void close() noexcept { fd_.reset(); }

 private:
  Result<Fd> next(Kind kind, const Deadline* deadline, OnSignal on_signal);
  Fd fd_;
  Kind kind_ = Kind::stream;
  UnixAddress at_;
  std::uint64_t device_ = 0;  // of the file, to know it again
  std::uint64_t inode_ = 0;
};

}  // namespace signalbox::os
