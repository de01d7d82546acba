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

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_memory.hpp"
#include "signalbox/os/mapping.hpp"

namespace signalbox::os {

struct SharedMemoryOptions {
  unsigned mode = 0600;  // exactly this, whatever the umask is
};

namespace kernel {

// "/dev/shm/frames": a name of shared memory and where its file is. In the object itself, so that
// opening one needs no heap.
class SharedMemoryPath {
 public:
  SharedMemoryPath() noexcept : bytes_(0) { text_[0] = '\0'; }
  SharedMemoryPath(const SharedMemoryPath& other) noexcept : bytes_(other.bytes_) {
    std::memcpy(text_, other.text_, bytes_ + 1);
  }
  SharedMemoryPath& operator=(const SharedMemoryPath& other) noexcept {
    if (this == &other) return *this;
    bytes_ = other.bytes_;
    std::memcpy(text_, other.text_, bytes_ + 1);
    return *this;
  }
  // False, and nothing is changed, where it is no name of shared memory.
  bool take(std::string_view name) noexcept {
    if (name.starts_with('/')) name.remove_prefix(1);
    const bool is_name = !name.empty() && name.size() <= name_bytes_max && name != "." &&
                         name != ".." && name.find('/') == std::string_view::npos &&
                         name.find('\0') == std::string_view::npos;
    if (!is_name) [[unlikely]]
      return false;
    std::memcpy(text_, folder, sizeof(folder));
    bytes_ = sizeof(folder) + name.size();
    text_[sizeof(folder) + name.copy(text_ + sizeof(folder), name_bytes_max)] = '\0';
    return true;
  }
  const char* c_str() const noexcept { return text_; }
  // A descriptor, or a negated errno.
  long open(Access access) const noexcept {
    const int flags = (access == Access::read ? open_to_read : open_to_write) | no_link;
    long file = 0;
    while ((file = open_path(text_, flags)) == interrupted) [[unlikely]] {
    }
    return file;
  }
  std::string_view name() const noexcept {
    constexpr std::size_t before_slash = sizeof(folder) - 1;
    return bytes_ == 0 ? std::string_view() : std::string_view(text_, bytes_).substr(before_slash);
  }

 private:
  // Where shm_open(3) keeps its objects; glibc knows no other place.
  static constexpr char folder[9] = {'/', 'd', 'e', 'v', '/', 's', 'h', 'm', '/'};
  static constexpr std::size_t name_bytes_max = 255;  // NAME_MAX
  std::size_t bytes_;
  char text_[sizeof(folder) + name_bytes_max + 1];
};

}  // namespace kernel

// A name is "/frames", or the same without its slash: 1 to 255 bytes without another slash, and not
// "." or "..". Errors of all that take one: bad_name. One file in /dev/shm has that name.
class SharedMemory {
 public:
  SharedMemory() = default;  // no memory, until some is moved here

  // New, zeroed, and open for reading and writing. Without bytes it has none until resize().
  // Errors: already_exists, no_space, permission_denied, limit_reached (descriptors), too_large
  // (RLIMIT_FSIZE), system. Enters the kernel five times.
  static Result<SharedMemory> create(std::string_view name, std::uint64_t bytes,
                                     const SharedMemoryOptions& options);
  static Result<SharedMemory> create(std::string_view name, std::uint64_t bytes) {
    return create(name, bytes, SharedMemoryOptions{});
  }

  // Errors: not_found, permission_denied, limit_reached, system. Enters the kernel once.
  static Result<SharedMemory> open(std::string_view name, Access access) {
    Result<SharedMemory> opened(std::in_place);
    if (!opened->path_.take(name)) [[unlikely]]
      opened = bad_name(name);
    else if (const long file = opened->path_.open(access); file >= 0) [[likely]]
      opened->fd_.reset(static_cast<int>(file));
    else
      opened = not_opened(file, opened->path_);
    return opened;
  }

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
  std::string_view name() const noexcept { return path_.name(); }  // with its slash

 private:
  using Path = kernel::SharedMemoryPath;
  SharedMemory(Fd fd, const Path& path) noexcept : fd_(std::move(fd)), path_(path) {}
  static Result<SharedMemory> create_named(const Path& path, std::uint64_t bytes, unsigned mode);
  [[gnu::cold]] static Result<SharedMemory> bad_name(std::string_view name) noexcept;
  [[gnu::cold]] static Result<SharedMemory> not_opened(long refused, const Path& path) noexcept;
  Fd fd_;
  Path path_;
};

}  // namespace signalbox::os
