// os/posix_semaphore.hpp: POSIX semaphores, named or placed in shared memory: one count each.
//
//   Lives     named: until unlink() and the last handle; placed: as its memory
//   Threads   any number at a time, also on one handle
//   Crash     units that the dead took stay taken: see signalbox/semaphore.hpp for more
//   Fork      a child inherits the handle
//   Limits    a count of 0 to 2147483647; a slash and 1 to 251 bytes of name; the space of /dev/shm
//   Pollable  no: in a WaitSet use an event descriptor in its semaphore mode
//   Manual    sem_overview(7)
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/library_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/placed_memory.hpp"

namespace signalbox::os {

// What both kinds can do. Error of every call: closed (an empty handle).
class PosixSemaphore {
 public:
  explicit operator bool() const noexcept { return native_ != nullptr; }

  // Takes one unit, sleeping until there is one; enters the kernel only to sleep.
  // Errors: timed_out, interrupted (if so asked); the count is unchanged then.
  Result<void> wait(Deadline deadline, OnSignal on_signal = OnSignal::go_on) {
    if (native_ != nullptr && library::semaphore_try_wait(native_) == 0) [[likely]]
      return {};
    return wait_slowly(deadline, on_signal);
  }
  // As wait, but never sleeps. False: the count was zero. Does not enter the kernel.
  Result<bool> try_wait();
  // Gives one unit and wakes one sleeper; async-signal-safe while it succeeds. Enters the kernel
  // only where somebody sleeps. Error: out_of_range (the count is at its maximum).
  Result<void> post() {
    if (native_ != nullptr && library::semaphore_post(native_) == 0) [[likely]]
      return {};
    return not_posted();
  }
  // How many units there are; by the time you look it may be another number. Never negative here.
  Result<std::int32_t> value() const;

 protected:
  PosixSemaphore() = default;
  explicit PosixSemaphore(void* native) noexcept : native_(native) {}
  PosixSemaphore(PosixSemaphore&& other) noexcept
      : native_(std::exchange(other.native_, nullptr)) {}
  PosixSemaphore& operator=(PosixSemaphore&& other) noexcept {
    std::swap(native_, other.native_);
    return *this;
  }
  ~PosixSemaphore() = default;

  void* native_ = nullptr;  // sem_t

 private:
  [[gnu::cold]] Result<void> wait_slowly(Deadline deadline, OnSignal on_signal);
  [[gnu::cold]] Result<void> not_posted() const;  // errno says why
};

struct NamedSemaphoreOptions {
  std::uint32_t mode = 0600;  // exactly this, whatever the umask
};

// A semaphore that others find by a name such as "/printer": one slash, at the beginning. It is a
// file of /dev/shm. The handle closes it; only unlink() removes the name.
class NamedSemaphore : public PosixSemaphore {
 public:
  // Makes a new one. Errors: already_exists, bad_name, out_of_range (the initial count), no_space,
  // limit_reached (descriptors), permission_denied. Each of these enters the kernel several times.
  static Result<NamedSemaphore> create(const std::string& name, std::uint32_t initial,
                                       NamedSemaphoreOptions options = {});
  // Error besides: not_found. Needs the rights to read and to write.
  static Result<NamedSemaphore> open(const std::string& name);
  // The initial count and the mode count only for who creates it.
  static Result<NamedSemaphore> open_or_create(const std::string& name, std::uint32_t initial,
                                               NamedSemaphoreOptions options = {});
  // Removes the name at once; those who have it open go on with the same semaphore.
  // Errors: not_found, permission_denied, bad_name.
  static Result<void> unlink(const std::string& name);

  NamedSemaphore(NamedSemaphore&&) noexcept = default;
  NamedSemaphore& operator=(NamedSemaphore&&) noexcept = default;
  ~NamedSemaphore();

 private:
  explicit NamedSemaphore(void* native) noexcept : PosixSemaphore(native) {}
};

// A semaphore without a name, in memory that its users share. The handle points there: keep the
// mapping for as long as it is used.
class PlacedSemaphore : public PosixSemaphore {
 public:
  using Memory = PlacedMemory<PlacedSemaphore>;
  // Errors: already_exists (the memory is not empty), out_of_range (the initial count).
  static Result<PlacedSemaphore> create(Memory& memory, std::uint32_t initial);
  // Error: not_found (no semaphore is there, or it is not complete yet).
  static Result<PlacedSemaphore> open(Memory& memory);
  // Empties the memory and the handle; nobody may sleep on it.
  Result<void> destroy();

 private:
  explicit PlacedSemaphore(Memory& memory, void* native) noexcept
      : PosixSemaphore(native), memory_(&memory) {}
  Memory* memory_;
};

}  // namespace signalbox::os
