// os/kernel_ring.hpp: what is written into the rings of io_uring(7).
//
//   Threads  values
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

#include <cstdint>

namespace signalbox::os::kernel {

// The part of io_uring_sqe that says what the kernel is asked for. src/os/io_ring.cpp holds all
// this against its headers.
struct RingEntry {
  std::uint8_t operation = 0;
  std::uint8_t flags = 0;
  std::uint16_t priority = 0;
  std::int32_t file = 0;
  std::uint64_t offset = 0;
  std::uint64_t address = 0;
  std::uint32_t bytes = 0;
  std::uint32_t special = 0;  // flags of each operation's own
  std::uint64_t request = 0;  // handed back with its completion: IoRing's key and the operation
};

// io_uring_sqe.
struct RingPlace {
  RingEntry entry;
  std::uint64_t others[3];  // zero from the beginning, and nobody writes there
};

inline constexpr std::uint8_t ring_timeout = 11;
inline constexpr std::uint8_t ring_read = 22;
inline constexpr std::uint8_t ring_write = 23;
inline constexpr std::uint8_t ring_send = 26;
inline constexpr std::uint8_t ring_receive = 27;

}  // namespace signalbox::os::kernel
