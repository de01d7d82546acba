// os/tcp_socket.hpp: bytes in order between machines, or within one where a Unix socket will not
// do.
//
//   Lives     until both ends are closed; what was written is still delivered after close(), unless
//             linger says otherwise
//   Threads   any number may read, write and accept at once; whose bytes come first is then open
//   Crash     the kernel closes the ends; of a machine that dies only keep-alive or a write tells
//   Fork      a child shares both ends until it execs, and keeps the other side from finding an end
//   Limits    RLIMIT_NOFILE; /proc/sys/net/ipv4/ip_local_port_range, /proc/sys/net/core/somaxconn,
//             wmem_max and rmem_max there
//   Pollable  yes
//   Manual    tcp(7) socket(7) getaddrinfo(3)
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

// An address and a port, IPv4 or IPv6. A value.
class TcpAddress {
 public:
  // All that a name stands for, in the order in which they should be tried. "127.0.0.1" and "::1"
  // ask nobody; a name may ask a server, and takes as long as resolv.conf(5) says. `service` is a
  // number up to 65535 or a name of services(5). Errors: not_found (no such name), would_block (the
  // server did not answer; try again), bad_argument (service), out_of_memory, system.
  static Result<std::vector<TcpAddress>> resolve(const std::string& host,
                                                 const std::string& service);
  bool is_v6() const noexcept;
  std::uint16_t port() const noexcept;
  std::string host() const;       // numeric: "::1"
  std::string to_string() const;  // "127.0.0.1:80", "[::1]:80"
  bool operator==(const TcpAddress&) const noexcept = default;

 private:
  friend struct TcpName;
  std::array<std::byte, 28> raw_{};  // a sockaddr_in or sockaddr_in6
  std::uint8_t bytes_ = 0;
};

struct TcpKeepAlive {
  std::chrono::seconds idle{60};      // quiet for so long, the other end is asked
  std::chrono::seconds interval{10};  // and again so often
  int probes_max = 6;                 // so many questions without an answer: reads say timed_out
};

struct TcpOptions {
  // Small writes go at once. The kernel's own default waits for the answer to the last (Nagle),
  // which costs up to 40 ms where both sides answer each other.
  bool no_delay = true;
  std::optional<TcpKeepAlive> keep_alive{};
  std::size_t send_buffer = 0;  // 0: the kernel adapts it, which is best; see set_send_buffer()
  std::size_t receive_buffer = 0;
};

// Move-only, false when empty. Non-blocking and close-on-exec. A call enters the kernel once where
// it need not wait, and allocates nothing unless it fails. No call raises SIGPIPE.
class TcpStream {
 public:
  TcpStream() = default;
  // Tries each address of the name in turn; each but the last has its share of the time that is
  // left after the name was found. Errors: those of resolve(), not_found (nobody listens, or no way
  // there), timed_out, interrupted, permission_denied (a firewall), limit_reached (descriptors,
  // local ports), bad_argument (options), system.
  static Result<TcpStream> connect(const std::string& host, const std::string& service,
                                   Deadline deadline, const TcpOptions& options = {},
                                   OnSignal on_signal = OnSignal::go_on);
  static Result<TcpStream> connect(const TcpAddress& to, Deadline deadline,
                                   const TcpOptions& options = {},
                                   OnSignal on_signal = OnSignal::go_on);
  // Errors: bad_argument (no TCP socket, or one that listens).
  static Result<TcpStream> adopt(Fd socket);
  explicit operator bool() const noexcept { return fd_.is_open(); }

  // As those of PipeReader and PipeWriter (os/pipe.hpp): read() answers 0 at the end. Errors
  // besides: closed also where the other end was aborted (ECONNRESET).
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
  // The other end finds the end of the file; we can still read.
  Result<void> end_writing();

  Result<void> set_no_delay(bool on);
  Result<void> set_keep_alive(const std::optional<TcpKeepAlive>& keep_alive);
  // What close() does with bytes that are not delivered yet. Empty: it returns at once, and the
  // kernel goes on. A span: it waits that long, though non-blocking. 0: they are thrown away, and
  // the other end gets ECONNRESET.
  Result<void> set_linger(const std::optional<std::chrono::seconds>& span);
  // Answers how many bytes it got. The kernel reserves twice that for its own needs, and answers
  // the double to getsockopt(2); here asked and given count the same. Fewer than asked: the limit
  // is /proc/sys/net/core/wmem_max or rmem_max.
  Result<std::size_t> set_send_buffer(std::size_t bytes);
  Result<std::size_t> set_receive_buffer(std::size_t bytes);

  Result<TcpAddress> local_address() const;
  Result<TcpAddress> peer_address() const;
  // Ready while read() would not wait, or with Events::writable write().
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  const Fd& fd() const noexcept { return fd_; }
  Fd release() noexcept { return std::move(fd_); }
  void close() noexcept { fd_.reset(); }

 private:
  friend class TcpListener;
  explicit TcpStream(Fd fd) noexcept : fd_(std::move(fd)) {}
  [[gnu::cold]] Result<std::size_t> read_after(long refused, std::span<std::byte> room,
                                               const Deadline* deadline, OnSignal on_signal);
  [[gnu::cold]] Result<std::size_t> write_after(long refused, std::span<const std::byte> bytes,
                                                const Deadline* deadline, OnSignal on_signal);
  Fd fd_;
};

class TcpListener {
 public:
  struct Options {
    // Several listeners, also of several processes of one user, share the port and the connections.
    bool reuse_port = false;
    int waiting_max = 128;  // who wait to be accepted; not negative
    TcpOptions accepted{};  // what those that are accepted have
  };

  TcpListener() = default;
  // `host` empty: all addresses of this machine, IPv4 and IPv6. `service` "0": a free port, which
  // address() tells. A port that lingers from a dead server's connections (TIME_WAIT) is no
  // obstacle. Errors: those of resolve(), already_exists (somebody listens there),
  // permission_denied (ports below /proc/sys/net/ipv4/ip_unprivileged_port_start), not_found (no
  // such address here), limit_reached, bad_argument, system.
  static Result<TcpListener> listen(const std::string& host, const std::string& service,
                                    const Options& options);
  static Result<TcpListener> listen(const std::string& host, const std::string& service) {
    return listen(host, service, Options{});
  }
  // Takes over one that came from elsewhere (os/inherited_sockets.hpp).
  // Errors: bad_argument (no listening TCP socket).
  static Result<TcpListener> adopt(Fd listener);
  explicit operator bool() const noexcept { return fd_.is_open(); }

  // The next who connected. Errors: timed_out, interrupted, limit_reached (descriptors: whoever
  // waits goes on waiting), system; of try_accept() also would_block.
  Result<TcpStream> accept(Deadline deadline, OnSignal on_signal = OnSignal::go_on);
  Result<TcpStream> try_accept();
  Result<TcpAddress> address() const;
  // Ready while accept() would not wait.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  const Fd& fd() const noexcept { return fd_; }
  Fd release() noexcept { return std::move(fd_); }
  void close() noexcept { fd_.reset(); }

 private:
  Fd fd_;
};

}  // namespace signalbox::os
