// os/kernel_memory.hpp: files and memory asked of the kernel on the spot (os/kernel_entry.hpp).
//
// Sizes of files and places in them have 64 bits, which are more than a `long` has on some
// machines: there, and under sanitizers, these go through the library.
//
//   Threads  any
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

#include <cstddef>
#include <cstdint>

#include "signalbox/os/kernel_entry.hpp"

namespace signalbox::os::kernel {

// The same as below, through the C library. They answer as the kernel does.
namespace by_name {
long bytes_of(int file, std::uint64_t& bytes) noexcept;
long map(int file, std::size_t bytes, int protection, int flags, std::uint64_t offset) noexcept;
long reserve(int file, std::uint64_t bytes) noexcept;
}  // namespace by_name

// Both without waiting for whoever is at the other end of a named pipe.
inline constexpr int open_to_read = 0x80800;   // O_RDONLY | O_CLOEXEC | O_NONBLOCK
inline constexpr int open_to_write = 0x80802;  // O_RDWR | O_CLOEXEC | O_NONBLOCK
#if defined(__aarch64__) || defined(__arm__)
inline constexpr int no_link = 0x8000;  // O_NOFOLLOW
#else
inline constexpr int no_link = 0x20000;
#endif
inline long open_path(const char* path, int flags) noexcept {
  constexpr int from_here = -100;  // AT_FDCWD
  return enter(KernelCall::openat, from_here, address_of(path), flags);
}

// stat of fstat(2), of which this reads the size.
struct FileRecord {
  std::byte before[48];
  std::int64_t bytes;
  std::byte behind[88];
};
inline long bytes_of(int file, std::uint64_t& bytes) noexcept {
#if SBX_ENTERS_BY_NAME
  return by_name::bytes_of(file, bytes);
#else
  FileRecord facts;
  const long answer = enter(KernelCall::fstat, file, address_of(&facts));
  if (answer == 0) [[likely]] {
    // NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): the kernel has written it.
    bytes = static_cast<std::uint64_t>(facts.bytes);
  }
  return answer;
#endif
}

// The address, or what is_refused().
inline long map(int file, std::size_t bytes, int protection, int flags,
                std::uint64_t offset) noexcept {
#if SBX_ENTERS_BY_NAME
  return by_name::map(file, bytes, protection, flags, offset);
#else
  return enter(KernelCall::mmap, 0, static_cast<long>(bytes), protection, flags, file,
               static_cast<long>(offset));
#endif
}
inline void unmap(void* data, std::size_t bytes) noexcept {
  enter(KernelCall::munmap, address_of(data), static_cast<long>(bytes));
}

// Close-on-exec, and with room for seals.
inline constexpr unsigned memory_plain = 0x3;         // MFD_CLOEXEC | MFD_ALLOW_SEALING
inline constexpr unsigned memory_not_executed = 0xb;  // and MFD_NOEXEC_SEAL, since Linux 6.3
inline long create_memory(const char* label, unsigned flags) noexcept {
  return enter(KernelCall::memfd_create, address_of(label), static_cast<long>(flags));
}

// rlimit of getrlimit(2), on machines of 64 bits. All ones are no limit.
struct LimitRecord {
  std::uint64_t now;
  std::uint64_t most;
};
// Gives memory without a name all its bytes. Over RLIMIT_FSIZE that is EFBIG, for which the kernel
// would end the process with SIGXFSZ; as anybody may change the limit at any time, it is asked for
// each time.
inline long reserve(int memory, std::uint64_t bytes) noexcept {
#if SBX_ENTERS_BY_NAME
  return by_name::reserve(memory, bytes);
#else
  constexpr int of_files = 1;      // RLIMIT_FSIZE
  constexpr long too_large = -27;  // EFBIG
  LimitRecord limit;
  limit.now = UINT64_MAX;
  enter(KernelCall::getrlimit, of_files, address_of(&limit));
  if (bytes > limit.now) [[unlikely]]
    return too_large;
  return enter(KernelCall::fallocate, memory, 0, 0, static_cast<long>(bytes));
#endif
}

}  // namespace signalbox::os::kernel
