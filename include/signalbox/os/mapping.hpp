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

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/fork_generation.hpp"
#include "signalbox/os/kernel_memory.hpp"
#include "signalbox/os/lost_pages.hpp"

namespace signalbox::os {

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
  static Result<Mapping> map(const Fd& file, std::size_t bytes, const MapOptions& options) {
    const Placed placed = place(file.get(), bytes, options);
    if (kernel::is_refused(placed.address)) [[unlikely]]
      return not_mapped(placed.address, bytes, options);
    return Mapping(placed, bytes, options);
  }

  // All of the file from options.offset on, as long as it is now.
  static Result<Mapping> map_all(const Fd& file, const MapOptions& options) {
    std::uint64_t bytes = 0;
    const Placed placed = place_all(file.get(), bytes, options);
    if (kernel::is_refused(placed.address)) [[unlikely]]
      return not_all_mapped(placed.address, bytes, options);
    return Mapping(placed, rest_of(bytes, options), options);
  }

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
  ~Mapping() {
    if (range_ != nullptr) {
      kernel::unwatch_range(*range_);  // a forked child has a table of its own
    } else if (data_ == nullptr) {
      return;
    }
    // In a forked child that has it not, something else may lie there by now.
    const unsigned generation = generation_of(kind_);
    if (generation == every_generation || generation == fork_generation())
      kernel::unmap(data_, mapped_bytes_);
  }

  bool is_mapped() const noexcept { return data_ != nullptr; }
  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return bytes_; }
  bool is_writable() const noexcept { return (kind_ & is_writable_kind) != 0; }
  std::span<const std::byte> bytes() const noexcept { return {data_, bytes_}; }
  // Empty where it was mapped for reading.
  std::span<std::byte> writable_bytes() const noexcept {
    return is_writable() ? std::span(data_, bytes_) : std::span<std::byte>();
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
    if (!std::is_const_v<T> && !is_writable()) return {};
    return {at<T>(0), bytes_ / sizeof(T)};
  }

  // Has the file been shortened, and somebody touched what is gone? Then from there on it reads as
  // zeroes, in this process alone, and nothing in it is to be believed any more. Unguarded: false.
  bool is_lost() const noexcept { return range_ != nullptr && range_->is_lost(); }
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
  friend class MappedFile;

  // What is handed to and from the library is handed by value: what a call might have seen, the
  // compiler has to keep in memory, and to read again after each entry into the kernel.
  struct Placed {
    long address;         // or what is_refused(), the kernel's errno or one of these
    WatchedRange* range;  // null: unguarded
  };
  static constexpr long no_entry = -4000;               // no memory for the table
  static constexpr long is_too_large = -4001;           // for the address space
  static constexpr std::uint64_t unknown = UINT64_MAX;  // how long the file is: fstat refused

  Mapping(const Placed& placed, std::size_t bytes, const MapOptions& options) noexcept
      : data_(reinterpret_cast<std::byte*>(static_cast<std::uintptr_t>(placed.address))),
        bytes_(bytes),
        range_(placed.range),
        mapped_bytes_(bytes),
        offset_(options.offset),
        kind_(kind_for(options)) {}
  static MappingKind kind_for(const MapOptions& options) noexcept {
    return (options.is_in_children ? every_generation : fork_generation()) | is_growable_kind |
           (options.access == Access::read_write ? is_writable_kind : 0);
  }
  static std::size_t rest_of(std::uint64_t file_bytes, const MapOptions& options) noexcept {
    return static_cast<std::size_t>(file_bytes - std::min(file_bytes, options.offset));
  }

  static Placed place(int file, std::size_t bytes, const MapOptions& options) noexcept {
    constexpr int to_read = 1, to_read_and_write = 3;       // PROT_...
    constexpr int shared = 1, own = 2, populated = 0x8000;  // MAP_...
    if (options.pages != Pages::normal || !options.is_in_children) [[unlikely]]
      return place_specially(file, bytes, options);
    const bool is_writable = options.access == Access::read_write;
    const int flags = (options.is_private ? own : shared) | (options.is_populated ? populated : 0);
    const long at =
        kernel::map(file, bytes, is_writable ? to_read_and_write : to_read, flags, options.offset);
    if (kernel::is_refused(at)) [[unlikely]]
      return {at, nullptr};
    return watched(at, bytes, options);
  }
  static Placed place_all(int file, std::uint64_t& bytes, const MapOptions& options) noexcept {
    bytes = unknown;
    if (const long refused = kernel::bytes_of(file, bytes); refused != 0) [[unlikely]]
      return {refused, nullptr};
    if (bytes - std::min(bytes, options.offset) > SIZE_MAX) return {is_too_large, nullptr};
    return place(file, rest_of(bytes, options), options);
  }
  // Unmaps it where there is no memory for its entry.
  static Placed watched(long address, std::size_t bytes, const MapOptions& options) noexcept {
    if (!options.is_guarded) return {address, nullptr};
    void* const data = reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
    WatchedRange* const range = kernel::watch_range(data, bytes, kind_for(options));
    if (range != nullptr) [[likely]]
      return {address, range};
    kernel::unmap(data, bytes);
    return {no_entry, nullptr};
  }
  // In huge pages, or for this process alone; of no file (-1).
  [[gnu::cold]] static Placed place_specially(int file, std::size_t bytes,
                                              MapOptions options) noexcept;
  [[gnu::cold]] static Result<Mapping> not_mapped(long refused, std::size_t bytes,
                                                  MapOptions options) noexcept;
  [[gnu::cold]] static Result<Mapping> not_all_mapped(long refused, std::uint64_t file_bytes,
                                                      MapOptions options) noexcept;

  void swap(Mapping& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(mapped_bytes_, other.mapped_bytes_);
    std::swap(range_, other.range_);
    std::swap(offset_, other.offset_);
    std::swap(kind_, other.kind_);
  }
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  WatchedRange* range_ = nullptr;
  std::size_t mapped_bytes_ = 0;  // whole huge pages, where they were asked for
  std::uint64_t offset_ = 0;
  MappingKind kind_ = every_generation;
};

// The size of a page, which offsets are multiples of.
std::size_t page_bytes() noexcept;

}  // namespace signalbox::os
