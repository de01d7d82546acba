// os/shared_memory.hpp: memory with a name, for every process of this machine that may open it.
//
// These are the objects of shm_open(3), so other programs open them too. One that is created here
// is complete before it has a name: nobody finds it empty or half as long. All its bytes are
// reserved then, so that shortage is no_space here and never SIGBUS at a later touch.
//
//   Lives     until unlink() and the last user, or reboot; closing every handle does not remove it
//   Threads   the bytes are for all; the object belongs to one thread at a time
//   Crash     the memory and its name stay
//   Fork      a child has the descriptor until it execs, and mappings as MapOptions say
//   Limits    the size of /dev/shm, RLIMIT_NOFILE, RLIMIT_FSIZE; names have 255 bytes at most
//   Pollable  no: who writes tells by other means (os/event_fd.hpp, os/futex.hpp)
//   Manual    shm_open(3) shm_overview(7)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/mapping.hpp"

namespace signalbox::os {

struct SharedMemoryOptions {
  unsigned mode = 0600;  // exactly this, whatever the umask is
};

// A name is "/frames", or the same without its slash: 1 to 255 bytes without another slash, and not
// "." or "..". Errors of all that take one: bad_name. One file in /dev/shm has that name.
class SharedMemory {
 public:
  // New, zeroed, and open for reading and writing. Without bytes it has none until resize().
  // Errors: already_exists, no_space, permission_denied, limit_reached (descriptors), too_large
  // (RLIMIT_FSIZE), system. Enters the kernel five times.
  static Result<SharedMemory> create(std::string_view name, std::uint64_t bytes,
                                     const SharedMemoryOptions& options);
  static Result<SharedMemory> create(std::string_view name, std::uint64_t bytes) {
    return create(name, bytes, SharedMemoryOptions{});
  }

  // Errors: not_found, permission_denied, limit_reached, system. Enters the kernel once.
  static Result<SharedMemory> open(std::string_view name, Access access);

  // The one that exists, whatever its size and mode are, or a new one: of several that come at once
  // exactly one creates it. Open for reading and writing. Errors: as create() and open().
  static Result<SharedMemory> open_or_create(std::string_view name, std::uint64_t bytes,
                                             const SharedMemoryOptions& options);
  static Result<SharedMemory> open_or_create(std::string_view name, std::uint64_t bytes) {
    return open_or_create(name, bytes, SharedMemoryOptions{});
  }

  // Takes the name away; who has it open goes on, and the name can be given anew. Needs no open
  // object. Errors: not_found, permission_denied, system.
  static Result<void> unlink(std::string_view name);

  // Its bytes now; somebody else may resize it. Error: system. Enters the kernel.
  Result<std::uint64_t> size() const;

  // Longer, and the new bytes are reserved and zero; or shorter, and then others lose the pages
  // that they have mapped (Mapping::is_lost()). Errors: no_space, too_large, permission_denied
  // (open for reading), system. Nothing is changed then. Enters the kernel twice.
  Result<void> resize(std::uint64_t bytes);

  // All of it, as it is now. Errors: as Mapping::map(). Nothing else is needed to read and write:
  // the object may be destroyed before the mapping.
  Result<Mapping> map(const MapOptions& options) const { return Mapping::map_all(fd_, options); }

  const Fd& fd() const noexcept { return fd_; }
  const std::string& name() const noexcept { return name_; }  // with its slash

 private:
  SharedMemory(Fd fd, std::string name) noexcept : fd_(std::move(fd)), name_(std::move(name)) {}
  static Result<SharedMemory> create_named(const std::string& name, std::uint64_t bytes,
                                           unsigned mode);
  Fd fd_;
  std::string name_;
};

}  // namespace signalbox::os
