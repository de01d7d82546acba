#include "os/tcp_calls.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/text.hpp"
#include "os/failure.hpp"

namespace signalbox::os {

namespace {

Error not_resolved(int refused, int sys_errno, const std::string& tried) {
  if (refused == EAI_SYSTEM) return failure(sys_errno, "getaddrinfo", tried);
  const Errc code = refused == EAI_NONAME || refused == EAI_FAIL ? Errc::not_found
                    : refused == EAI_AGAIN                       ? Errc::would_block
                    : refused == EAI_MEMORY                      ? Errc::out_of_memory
                                                                 : Errc::bad_argument;
  return {code, 0, "getaddrinfo",
          "cannot " + tried + ": getaddrinfo says " + ::gai_strerror(refused) +
              ". See resolv.conf(5) for who is asked, and services(5) for names of ports."};
}

// getaddrinfo(3) takes any number for a port, and cuts it to 16 bits.
bool is_no_port(std::string_view service) noexcept {
  const std::size_t digits = service.find_first_not_of("+- \t\n\v\f\r");
  if (digits == std::string_view::npos) return false;
  std::uint64_t number = 0;
  const char* const end = service.data() + service.size();
  const auto read = std::from_chars(service.data() + digits, end, number);
  if (read.ptr != end) return false;  // a name, or nothing that getaddrinfo(3) would take
  return digits != 0 || read.ec != std::errc{} || number > UINT16_MAX;
}

Result<void> check_service(const std::string& host, const std::string& service) {
  constexpr std::string_view verb = "find the address of";
  if (holds_zero(host) || holds_zero(service)) {
    return std::unexpected(zero_inside(Errc::bad_argument, verb, host + ":" + service));
  }
  if (!is_no_port(service)) return {};
  return std::unexpected(
      Error{Errc::bad_argument,
            0,
            {},
            "cannot " + std::string(verb) + " " + host + ":" + service +
                ": a port is a number from 0 to 65535, or a name of services(5)."});
}

}  // namespace

TcpName TcpName::empty() noexcept {
  TcpName made;
  std::memset(&made, 0, sizeof(made));
  made.bytes = sizeof(made.v6);
  return made;
}

TcpName TcpName::of(const TcpAddress& address) noexcept {
  TcpName made = empty();
  static_assert(sizeof(made.v6) == sizeof(address.raw_));
  std::memcpy(&made.v6, address.raw_.data(), address.bytes_);
  made.bytes = address.bytes_;
  return made;
}

TcpAddress TcpName::address() const noexcept {
  TcpAddress made;
  made.bytes_ = static_cast<std::uint8_t>(std::min<std::size_t>(bytes, made.raw_.size()));
  std::memcpy(made.raw_.data(), &v6, made.bytes_);
  return made;
}

bool TcpAddress::is_v6() const noexcept { return TcpName::of(*this).any.sa_family == AF_INET6; }

std::uint16_t TcpAddress::port() const noexcept {
  const TcpName name = TcpName::of(*this);
  return ntohs(name.any.sa_family == AF_INET6 ? name.v6.sin6_port : name.v4.sin_port);
}

std::string TcpAddress::host() const {
  char text[NI_MAXHOST];
  const TcpName name = TcpName::of(*this);
  if (::getnameinfo(&name.any, name.bytes, text, sizeof(text), nullptr, 0, NI_NUMERICHOST) != 0) {
    return "(none)";
  }
  return text;
}

std::string TcpAddress::to_string() const {
  const std::string text = is_v6() ? "[" + host() + "]" : host();
  return text + ":" + std::to_string(port());
}

Result<std::vector<TcpAddress>> TcpAddress::resolve(const std::string& host,
                                                    const std::string& service) {
  return resolve_tcp(host, service, false);
}

Result<std::vector<TcpAddress>> resolve_tcp(const std::string& host, const std::string& service,
                                            bool listens) {
  if (auto named = check_service(host, service); !named) {
    return std::unexpected(std::move(named.error()));
  }
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = listens ? AI_PASSIVE : 0;
  addrinfo* found = nullptr;
  const int refused = ::getaddrinfo(host.empty() && listens ? nullptr : host.c_str(),
                                    service.c_str(), &hints, &found);
  if (refused != 0) {
    return std::unexpected(
        not_resolved(refused, errno, "find the address of " + host + ":" + service));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, &::freeaddrinfo);
  std::vector<TcpAddress> all;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    TcpName name = TcpName::empty();
    if (one->ai_addrlen > sizeof(name.v6)) continue;
    std::memcpy(&name.v6, one->ai_addr, one->ai_addrlen);
    name.bytes = one->ai_addrlen;
    all.push_back(name.address());
  }
  // [::] takes IPv4 as well, and so comes first. Not by stable_partition(), whose scratch memory
  // comes from a deprecated function in libstdc++.
  if (listens && host.empty()) {
    auto v6_end = all.begin();
    for (auto one = all.begin(); one != all.end(); ++one) {
      if (one->is_v6()) v6_end = std::rotate(v6_end, one, one + 1);
    }
  }
  return all;
}

Result<Fd> new_tcp_socket(const TcpAddress& address) {
  const int family = address.is_v6() ? AF_INET6 : AF_INET;
  Fd made(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP));
  if (!made.is_open()) return std::unexpected(failure(errno, "socket", "make a TCP socket"));
  return made;
}

Result<Fd> adopted_tcp_socket(Fd socket, bool listens) {
  const auto asked = [&](int option) {
    int value = -1;
    socklen_t bytes = sizeof(value);
    return ::getsockopt(socket.get(), SOL_SOCKET, option, &value, &bytes) == 0 ? value : -1;
  };
  if (asked(SO_PROTOCOL) != IPPROTO_TCP || asked(SO_ACCEPTCONN) != (listens ? 1 : 0)) {
    return std::unexpected(
        Error{Errc::bad_argument,
              0,
              {},
              "cannot take over descriptor " + std::to_string(socket.get()) +
                  (listens ? ": it is no TCP socket that listens." : ": it is no TCP socket.")});
  }
  const int flags = ::fcntl(socket.get(), F_GETFL);
  if (::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(socket.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return std::unexpected(failure(errno, "fcntl", "take over a TCP socket"));
  }
  return socket;
}

Result<TcpAddress> tcp_address_of(const Fd& socket, bool of_peer) {
  TcpName name = TcpName::empty();
  const int answer = of_peer ? ::getpeername(socket.get(), &name.any, &name.bytes)
                             : ::getsockname(socket.get(), &name.any, &name.bytes);
  if (answer == 0) return name.address();
  return std::unexpected(failure(
      errno, of_peer ? "getpeername" : "getsockname", "ask for the address of a TCP socket",
      errno == ENOTCONN ? Errc::closed : code_of(errno), "It is not connected, or no more."));
}

Result<void> set_tcp_option(const Fd& socket, int level, int option, int value,
                            std::string_view name) {
  if (::setsockopt(socket.get(), level, option, &value, sizeof(value)) == 0) return {};
  const int refused = errno;
  const bool is_wrong = refused == EINVAL || refused == EDOM || refused == EBADF;
  return std::unexpected(failure(refused, "setsockopt",
                                 "set " + std::string(name) + " to " + std::to_string(value),
                                 is_wrong ? Errc::bad_argument : code_of(refused),
                                 "See tcp(7) and socket(7) for what it may be."));
}

Result<void> set_tcp_keep_alive(const Fd& socket, const std::optional<TcpKeepAlive>& keep_alive) {
  if (keep_alive) {
    const auto seconds = [](std::chrono::seconds span) {
      return static_cast<int>(std::clamp<std::int64_t>(span.count(), -1, INT_MAX));
    };
    const struct {
      int option;
      int value;
      std::string_view name;
    } wanted[] = {{TCP_KEEPIDLE, seconds(keep_alive->idle), "TCP_KEEPIDLE"},
                  {TCP_KEEPINTVL, seconds(keep_alive->interval), "TCP_KEEPINTVL"},
                  {TCP_KEEPCNT, keep_alive->probes_max, "TCP_KEEPCNT"}};
    for (const auto& one : wanted) {
      if (auto set = set_tcp_option(socket, IPPROTO_TCP, one.option, one.value, one.name); !set) {
        return set;
      }
    }
  }
  return set_tcp_option(socket, SOL_SOCKET, SO_KEEPALIVE, keep_alive ? 1 : 0, "SO_KEEPALIVE");
}

Result<std::size_t> set_tcp_buffer(const Fd& socket, int option, std::size_t bytes,
                                   std::string_view name) {
  const int asked = static_cast<int>(std::min<std::size_t>(bytes, INT_MAX / 2));
  if (auto set = set_tcp_option(socket, SOL_SOCKET, option, asked, name); !set) {
    return std::unexpected(std::move(set.error()));
  }
  int given = 0;
  socklen_t length = sizeof(given);
  ::getsockopt(socket.get(), SOL_SOCKET, option, &given, &length);
  return static_cast<std::size_t>(given) / 2;
}

Result<void> set_tcp_options(const Fd& socket, const TcpOptions& options) {
  if (options.no_delay) {
    auto set = set_tcp_option(socket, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
    if (!set) return set;
  }
  if (options.keep_alive) {
    if (auto set = set_tcp_keep_alive(socket, options.keep_alive); !set) return set;
  }
  if (options.send_buffer != 0) {
    const auto set = set_tcp_buffer(socket, SO_SNDBUF, options.send_buffer, "SO_SNDBUF");
    if (!set) return std::unexpected(set.error());
  }
  if (options.receive_buffer != 0) {
    const auto set = set_tcp_buffer(socket, SO_RCVBUF, options.receive_buffer, "SO_RCVBUF");
    if (!set) return std::unexpected(set.error());
  }
  return {};
}

}  // namespace signalbox::os
