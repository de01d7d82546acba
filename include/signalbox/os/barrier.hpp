// os/barrier.hpp: a number of processes or threads meet, and none goes on before all are there.
//
//   Lives     as its memory does, or until destroy()
//   Threads   any number at a time
//   Crash     the others wait for the dead for ever: see signalbox/lock.hpp for one that tells
//   Fork      a child may meet the others as well
//   Limits    1 to 2147483647 to meet
//   Pollable  no
//   Manual    pthread_barrier_init(3p)
#pragma once

#include <cstdint>
#include <utility>

#include "signalbox/error.hpp"
#include "signalbox/os/library_entry.hpp"
#include "signalbox/os/placed_memory.hpp"

namespace signalbox::os {

// The C library's barrier. It is the one wait of this library without a deadline, because the C
// library has none here; no signal ends it either.
class Barrier {
 public:
  using Memory = PlacedMemory<Barrier>;

  // Makes one for this many, in empty memory.
  // Errors: already_exists (the memory is not empty), bad_argument (none, or too many).
  static Result<Barrier> create(Memory& memory, std::uint32_t count);
  // Finds it there. Error: not_found (there is none, or it is not complete yet).
  static Result<Barrier> open(Memory& memory);

  Barrier(Barrier&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  Barrier& operator=(Barrier&& other) noexcept {
    memory_ = std::exchange(other.memory_, nullptr);
    return *this;
  }
  explicit operator bool() const noexcept { return memory_ != nullptr; }

  // Sleeps until all have come; then it is ready for the next meeting. True for exactly one of
  // them, who may do what is to be done once. Enters the kernel. Error: closed (an empty handle).
  Result<bool> wait() {
    if (memory_ == nullptr) [[unlikely]]
      return empty();
    constexpr int chosen = -1;  // PTHREAD_BARRIER_SERIAL_THREAD
    return library::barrier_wait(memory_->object) == chosen;
  }

  // Empties the memory and the handle; waits for those that have met to have left.
  Result<void> destroy();

 private:
  explicit Barrier(Memory& memory) noexcept : memory_(&memory) {}
  [[gnu::cold]] static Result<bool> empty();
  Memory* memory_;
};

}  // namespace signalbox::os
