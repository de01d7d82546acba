// os/mapping.hpp: bytes of a file, of shared memory or of nothing, in this process's memory.
//
// The kernel raises SIGBUS in whoever touches a page behind the end of its file, so that anybody
// who may shorten a file could end everybody who maps it. Here what is lost reads as zeroes, and
// is_lost() tells. For that the first mapping of a file installs a handler for SIGBUS, which passes
// on what is not its own. See `is_guarded` for doing without.
//
//   Lives     the mapping until its object is destroyed, whether or not the file is still open; the
//             bytes as long as the file
//   Threads   the bytes are for all; the object belongs to one thread at a time, is_lost() to all
//   Crash     the kernel unmaps; what was written to a shared mapping is in the file
//   Fork      a child has its own mapping of the same bytes, or none: MapOptions::is_in_children
//   Limits    /proc/sys/vm/max_map_count mappings, RLIMIT_AS; RLIMIT_MEMLOCK for lock(); the guard
//             needs SIGBUS unblocked, and a handler that is installed later must pass on to it
//   Pollable  no: who writes tells by other means (os/event_fd.hpp, os/futex.hpp)
//   Manual    mmap(2) mremap(2) madvise(2) msync(2) mlock(2)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"

namespace signalbox::os {

struct WatchedRange;

enum class Pages {
  normal,         // 4 KiB on most machines
  huge_if_there,  // the kernel may use huge ones (MADV_HUGEPAGE); huge_bytes() tells what it did
  huge,           // from the pool that the administrator has reserved (MAP_HUGETLB), or no_space
};

struct MapOptions {
  Access access = Access::read;
  std::uint64_t offset = 0;   // where in the file it begins; a multiple of the page's size
  bool is_private = false;    // writes are this process's own copy, and never reach the file
  bool is_populated = false;  // all pages are there at once, instead of at their first touch
  Pages pages = Pages::normal;
  bool is_in_children = true;  // a forked child has it too; otherwise touching it is SIGSEGV there
  bool is_guarded = true;      // a file that others shorten is lost, and no SIGBUS
};

// How the bytes will be used; wrong advice costs speed and nothing else.
enum class Advice { normal, sequential, random, will_need, cold };

class Mapping {
 public:
  // Some of its bytes; what lies behind the end is left out.
  struct Part {
    std::size_t offset = 0;
    std::size_t bytes = SIZE_MAX;
  };

  Mapping() = default;
  // Maps so many bytes of the file, which must be at least that long: what lies behind its end is
  // lost from the beginning. The file may be closed afterwards. Errors: bad_argument (no bytes, or
  // the offset), permission_denied (the descriptor's access, or a seal), not_supported (no file
  // that can be mapped; Pages::huge), out_of_memory (with the limits), system. Enters the kernel
  // once or twice.
  static Result<Mapping> map(const Fd& file, std::size_t bytes, const MapOptions& options);

  // All of the file from options.offset on, as long as it is now.
  static Result<Mapping> map_all(const Fd& file, const MapOptions& options);

  // Memory of no file, zeroed: private, or shared with the children that are forked later. Errors
  // besides: no_space (Pages::huge, and the pool is empty). `offset` and `is_guarded` mean nothing.
  static Result<Mapping> anonymous(std::size_t bytes, const MapOptions& options);

  Mapping(Mapping&& other) noexcept { swap(other); }
  Mapping& operator=(Mapping&& other) noexcept {
    Mapping old(std::move(*this));
    swap(other);
    return *this;
  }
  // Unmaps. Spans and pointers into it mean nothing any more.
  ~Mapping();

  bool is_mapped() const noexcept { return data_ != nullptr; }
  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return bytes_; }
  bool is_writable() const noexcept { return is_writable_; }
  std::span<const std::byte> bytes() const noexcept { return {data_, bytes_}; }
  // Empty where it was mapped for reading.
  std::span<std::byte> writable_bytes() const noexcept {
    return is_writable_ ? std::span(data_, bytes_) : std::span<std::byte>();
  }
  // The T that lies there. Not checked: it is within size(), and written only if is_writable().
  template <class T>
  T* at(std::size_t offset) const noexcept {
    return reinterpret_cast<T*>(data_ + offset);
  }
  // As many T as fit; none, where T is not const and it was mapped for reading.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  std::span<T> array_of() const noexcept {
    if (!std::is_const_v<T> && !is_writable_) return {};
    return {at<T>(0), bytes_ / sizeof(T)};
  }

  // Has the file been shortened, and somebody touched what is gone? Then from there on it reads as
  // zeroes, in this process alone, and nothing in it is to be believed any more. Unguarded: false.
  bool is_lost() const noexcept;
  // This word changes when a part is lost, so that a fast path need look at nothing else. It must
  // live as long as anybody touches the bytes.
  void raise_when_lost(std::atomic<std::uint64_t>& word) noexcept;
  // Is the file still as long as what was mapped? One that is not is lost from here on, touched or
  // not. Enters the kernel.
  void look_for_loss(const Fd& file) const noexcept;

  // Makes it longer or shorter; it may move, and then old pointers mean nothing. Nobody may touch
  // it meanwhile. The file must be long enough already. Errors: bad_argument (no bytes), damaged
  // (it is lost), not_supported (shared anonymous memory cannot grow: what lies behind its first
  // size is nowhere), out_of_memory, system.
  Result<void> resize(std::size_t bytes);

  // Errors: out_of_memory, system.
  Result<void> advise(Advice advice, Part part) const;
  Result<void> advise(Advice advice) const { return advise(advice, Part{}); }

  // Writes what was changed to the disk: flush() waits until it is there, start_flush() does not.
  // Needed for what must outlive the machine's power; other processes see changes without it.
  // Errors: system (EIO: the disk failed, and what was written may be lost).
  Result<void> flush(Part part) const;
  Result<void> flush() const { return flush(Part{}); }
  Result<void> start_flush(Part part) const;
  Result<void> start_flush() const { return start_flush(Part{}); }

  // Keeps it in memory, never swapped out, until unlock() or the end of the mapping; a child has no
  // lock. Errors: limit_reached (RLIMIT_MEMLOCK, with its value), out_of_memory, system.
  Result<void> lock(Part part) const;
  Result<void> lock() const { return lock(Part{}); }
  Result<void> unlock(Part part) const;
  Result<void> unlock() const { return unlock(Part{}); }

  // How much of it lies in huge pages at the moment. Reads /proc/self/smaps, which is slow; 0 where
  // that cannot be read.
  std::uint64_t huge_bytes() const;

 private:
  static Result<Mapping> place(int file, std::size_t bytes, int flags, const MapOptions& options);
  void swap(Mapping& other) noexcept;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t mapped_bytes_ = 0;  // whole huge pages, where they were asked for
  WatchedRange* range_ = nullptr;
  std::uint64_t offset_ = 0;
  unsigned generation_ = 0;  // process.hpp: which process mapped it
  bool is_writable_ = false;
  bool is_growable_ = true;
};

// The size of a page, which offsets are multiples of.
std::size_t page_bytes() noexcept;

}  // namespace signalbox::os
