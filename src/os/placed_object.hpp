// placed_object.hpp: how an object of the C library comes into a PlacedMemory and out again.
//
//   Threads  as in placed_memory.hpp     Crash  as there     Fork  safe     Limits  none
#pragma once

#include <atomic>
#include <string_view>

#include "os/failure.hpp"
#include "signalbox/os/placed_memory.hpp"

namespace signalbox::os {

// What the first word of a PlacedMemory says. Each kind of object has a number of its own, so that
// one kind is not taken for another.
enum class Placed : std::uint32_t {
  empty = 0,
  in_the_making = 1,
  semaphore = 0x5342'0001,
  robust_mutex = 0x5342'0002,
  condition = 0x5342'0003,
  reader_writer_lock = 0x5342'0004,
  barrier = 0x5342'0005,
};

// "a robust mutex" and the like.
std::string_view name_of(Placed kind) noexcept;

Error room_used_error(Placed kind, std::uint32_t found) noexcept;
Error nothing_placed_error(Placed kind, std::uint32_t found) noexcept;
Error object_closed_error(Placed kind) noexcept;
// A pthread_ or sem_ function refused to make or to destroy one.
Error placed_failure(int error_number, std::string_view call, Placed kind) noexcept;

template <class Native, class Object>
Native* native_in(PlacedMemory<Object>& memory) noexcept {
  static_assert(sizeof(Native) <= sizeof(memory.object) && alignof(Native) <= 8);
  return reinterpret_cast<Native*>(memory.object);
}

// Runs `init`, which answers 0 or an error's number, in empty room. Whoever sees the kind's number
// in the first word sees a complete object.
template <class Native, class Object, class Init>
Result<Native*> place(PlacedMemory<Object>& memory, Placed kind, std::string_view call, Init init) {
  const std::atomic_ref state(memory.state);
  auto found = static_cast<std::uint32_t>(Placed::empty);
  if (!state.compare_exchange_strong(found, static_cast<std::uint32_t>(Placed::in_the_making))) {
    return std::unexpected(room_used_error(kind, found));
  }
  Native* const native = native_in<Native>(memory);
  if (const int refused = init(native); refused != 0) {
    state.store(static_cast<std::uint32_t>(Placed::empty));
    return std::unexpected(placed_failure(refused, call, kind));
  }
  state.store(static_cast<std::uint32_t>(kind));
  return native;
}

template <class Native, class Object>
Result<Native*> find_placed(PlacedMemory<Object>& memory, Placed kind) {
  const std::uint32_t found = std::atomic_ref(memory.state).load();
  if (found != static_cast<std::uint32_t>(kind)) {
    return std::unexpected(nothing_placed_error(kind, found));
  }
  return native_in<Native>(memory);
}

// `native` lies in the room whose first word is to say that it is empty again.
template <class Object>
void mark_empty(PlacedMemory<Object>& memory) noexcept {
  std::atomic_ref(memory.state).store(static_cast<std::uint32_t>(Placed::empty));
}

}  // namespace signalbox::os
