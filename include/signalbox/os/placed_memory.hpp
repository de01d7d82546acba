// os/placed_memory.hpp: room in shared memory for one process-shared object of the C library.
//
//   Threads  creating, opening and destroying: one at a time for each object
//   Crash    the object stays as it was; a creator that died midway leaves room that reads as used
//   Fork     shared mappings are inherited
//   Limits   64 bytes, aligned to 8
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "signalbox/error.hpp"

namespace signalbox::os {

namespace detail {
// Error bad_argument: too small, or not aligned.
Result<void> check_room(std::span<const std::byte> bytes, std::size_t size, std::size_t alignment);
}  // namespace detail

// A member of your own struct in shared memory, of which every process maps the same bytes. All
// zero, as fresh shared memory is, means empty; `Object`'s create() fills it, its open() finds it
// in other processes, its destroy() empties it. Never copy, move or write it. All who share it must
// use the same C library, and as many bits.
template <class Object>
struct alignas(8) PlacedMemory {
  PlacedMemory() = default;
  PlacedMemory(const PlacedMemory&) = delete;
  PlacedMemory& operator=(const PlacedMemory&) = delete;

  // Takes the first bytes of a mapping for one. Error: bad_argument (too few, or not aligned).
  static Result<PlacedMemory*> in(std::span<std::byte> bytes) {
    if (auto room = detail::check_room(bytes, sizeof(PlacedMemory), alignof(PlacedMemory)); !room) {
      return std::unexpected(std::move(room.error()));
    }
    return reinterpret_cast<PlacedMemory*>(bytes.data());
  }

  std::uint32_t state;  // 0: empty
  std::uint32_t kept_zero;
  std::byte object[56];
};

}  // namespace signalbox::os
