// tcp_calls.hpp: what TcpStream and TcpListener share: addresses as the kernel takes them, and the
// options of a socket.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  as os/tcp_socket.hpp
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "signalbox/os/tcp_socket.hpp"

namespace signalbox::os {

// The same bytes as the address.
struct TcpName {
  union {
    sockaddr any;
    sockaddr_in v4;
    sockaddr_in6 v6;
  };
  socklen_t bytes;

  static TcpName of(const TcpAddress& address) noexcept;
  static TcpName empty() noexcept;
  TcpAddress address() const noexcept;
};

// `listens`: addresses to listen at; an empty host is all of this machine's then.
Result<std::vector<TcpAddress>> resolve_tcp(const std::string& host, const std::string& service,
                                            bool listens);

Result<Fd> new_tcp_socket(const TcpAddress& address);
Result<Fd> adopted_tcp_socket(Fd socket, bool listens);
Result<TcpAddress> tcp_address_of(const Fd& socket, bool of_peer);

Result<void> set_tcp_option(const Fd& socket, int level, int option, int value,
                            std::string_view name);
Result<void> set_tcp_options(const Fd& socket, const TcpOptions& options);
Result<void> set_tcp_keep_alive(const Fd& socket, const std::optional<TcpKeepAlive>& keep_alive);
Result<std::size_t> set_tcp_buffer(const Fd& socket, int option, std::size_t bytes,
                                   std::string_view name);

}  // namespace signalbox::os
