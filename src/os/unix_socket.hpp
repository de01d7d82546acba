// unix_socket.hpp: single messages between processes of one machine, with descriptors in them, and
// the kernel's word for who is at the other end.
//
// Nothing here ever waits but wait_readable(), which has a deadline.
//
//   Threads  an Fd belongs to one thread at a time
//   Crash    a name stays behind; whoever connects to it is told not_found
//   Fork     who listens keeps its descriptor in a LifeFd: a child that held a copy would let
//            others wait for an answer that never comes
//   Limits   RLIMIT_NOFILE; descriptors_per_message_max
//   Manual   unix(7), SOCK_SEQPACKET, SCM_RIGHTS, SO_PEERCRED
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "os/file.hpp"
#include "signalbox/deadline.hpp"

namespace signalbox::os {

inline constexpr std::size_t descriptors_per_message_max = 4;

// Who connected, or listened, as the kernel noted it then.
struct Peer {
  std::uint32_t pid;  // in our pid name space; 0 if it is not visible here
  std::uint32_t uid;  // effective
  std::uint32_t gid;
  std::vector<std::uint32_t> groups;  // supplementary
};
Result<Peer> peer_of(const Fd& connection);

// Listens under a new name in the directory. Error already_exists.
Result<Fd> listen_at(const Fd& directory, const std::string& name, const Rights& rights);
// Errors: not_found if nobody listens there, would_block while too many others wait to be accepted,
// and what the kernel says.
Result<Fd> connect_to(const Fd& directory, const std::string& name);
// The next who connected. Error would_block: nobody.
Result<Fd> accept_from(const Fd& listener);

// Sends it whole or not at all. Errors: would_block, closed, and what the kernel says.
Result<void> send_message(const Fd& connection, std::span<const std::byte> bytes,
                          std::span<const int> descriptors);
struct Received {
  std::size_t bytes;  // as much of the message as there was room for; see is_whole
  bool is_whole;      // neither bytes nor descriptors are missing
  std::vector<Fd> descriptors;
};
// Errors: would_block, closed, and what the kernel says.
Result<Received> receive_message(const Fd& connection, std::span<std::byte> room);

// Sleeps until one of them is readable (or its peer is gone), or the deadline passes.
struct Readable {
  int fd;
  bool is_ready = false;
};
void wait_readable(std::span<Readable> entries, Deadline deadline);

}  // namespace signalbox::os
