// os/memory_file.hpp: memory without a name, to be handed over, of which the kernel promises what
// nobody can do to it.
//
// Whoever is given the descriptor (os/unix_socket.hpp, or by a fork) maps it. Seals make it safe to
// look into memory of somebody you do not trust: it can neither be shortened under you nor, where
// sealed so, change while you look.
//
//   Lives     as long as a descriptor or a mapping of it does, anywhere
//   Threads   the bytes are for all; the object belongs to one thread at a time
//   Crash     it goes with the last descriptor and the last mapping
//   Fork      a child has the descriptor until it execs, and mappings as MapOptions say
//   Limits    RLIMIT_NOFILE, RLIMIT_FSIZE; the memory of the machine or of the control group
//   Pollable  no: who writes tells by other means (os/event_fd.hpp, os/futex.hpp)
//   Manual    memfd_create(2), fcntl(2) "File Sealing"
#pragma once

#include <cstdint>
#include <string_view>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_memory.hpp"
#include "signalbox/os/mapping.hpp"

namespace signalbox::os {

// What can never happen again to memory that is sealed so. A set of bits, the kernel's F_SEAL_...
enum class Seals : std::uint32_t {
  none = 0,
  seal = 1,           // no further seals
  shrink = 2,         // not shorter, so that touching what was checked is never SIGBUS
  grow = 4,           // not longer
  write = 8,          // not written by anybody
  future_write = 16,  // written only through mappings that exist already, its maker's (Linux 5.1)
  exec = 32,          // not made executable (Linux 6.3; create() sets it there)
};
constexpr Seals operator|(Seals a, Seals b) noexcept {
  return static_cast<Seals>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr Seals operator&(Seals a, Seals b) noexcept {
  return static_cast<Seals>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}

// The three that are of use, each with its seals sealed: a fixed size, and besides written by its
// maker alone, or by nobody.
inline constexpr Seals sealed_size = Seals::shrink | Seals::grow | Seals::seal;
inline constexpr Seals sealed_to_others = sealed_size | Seals::future_write;
inline constexpr Seals sealed_contents = sealed_size | Seals::write;

class MemoryFile {
 public:
  // New, zeroed, without seals that matter, its bytes reserved: shortage is an error here and never
  // SIGBUS. `name` is seen in /proc and in messages, and need not be unique; only its first 249
  // bytes are used. Errors: no_space, out_of_memory, limit_reached (descriptors), too_large
  // (RLIMIT_FSIZE), not_supported, system. Enters the kernel up to three times.
  static Result<MemoryFile> create(std::string_view name, std::uint64_t bytes) {
    char label[name_bytes_max + 1];
    label[name.copy(label, name_bytes_max)] = '\0';
    const long memory = kernel::create_memory(label, kernel::memory_not_executed);
    if (memory < 0) [[unlikely]]
      return create_after(memory, label, bytes);
    Fd fd(static_cast<int>(memory));
    if (bytes == 0) return MemoryFile(std::move(fd));
    if (const long refused = kernel::reserve(static_cast<int>(memory), bytes); refused != 0)
        [[unlikely]] {
      return reserve_after(refused, std::move(fd), label, bytes);
    }
    return MemoryFile(std::move(fd));
  }

  // What somebody has handed over, which may be any kind of descriptor: is it memory that is sealed
  // at least like that, and all of it there? Errors: damaged, with what is missing; system.
  static Result<MemoryFile> adopt(Fd memory, Seals required);

  // Errors: permission_denied (its seals are sealed), would_block (Seals::write while somebody has
  // it mapped for writing), system. Either all are added or none.
  Result<void> add_seals(Seals seals);
  // Error: system.
  Result<Seals> seals() const;

  // Its bytes now. Error: system. Enters the kernel, as all of these.
  Result<std::uint64_t> size() const;

  // Longer, and the new bytes are reserved and zero; or shorter. Nothing is changed on an error:
  // permission_denied (sealed), no_space, out_of_memory, too_large, system.
  Result<void> resize(std::uint64_t bytes);

  // All of it, as it is now. Errors: as Mapping::map(); permission_denied where it is sealed
  // against the writing that was asked for.
  Result<Mapping> map(const MapOptions& options) const { return Mapping::map_all(fd_, options); }

  // To be handed over; release() gives it away, and the object is empty then.
  const Fd& fd() const noexcept { return fd_; }
  Fd release() noexcept { return std::move(fd_); }

 private:
  static constexpr std::size_t name_bytes_max = 249;  // memfd_create(2)
  explicit MemoryFile(Fd fd) noexcept : fd_(std::move(fd)) {}
  // What is left to do after a call was refused with this negated errno.
  [[gnu::cold]] static Result<MemoryFile> create_after(long refused, const char* label,
                                                       std::uint64_t bytes) noexcept;
  [[gnu::cold]] static Result<MemoryFile> reserve_after(long refused, Fd memory, const char* label,
                                                        std::uint64_t bytes) noexcept;
  Fd fd_;
};

// The same for a descriptor that is kept elsewhere. check_sealed() answers the memory's size.
Result<void> add_seals(const Fd& memory, Seals seals);
Result<std::uint64_t> check_sealed(const Fd& memory, Seals required);

}  // namespace signalbox::os
