// os/mapped_file.hpp: a file as memory, and a search in files that are larger than memory.
//
//   Lives     the mapping until its object is destroyed; the file until somebody removes it
//   Threads   the bytes are for all; an object belongs to one thread at a time
//   Crash     what was written to a shared mapping is in the file; without flush() a loss of power
//             may still lose it
//   Fork      a child has the descriptor until it execs, and the mapping as MapOptions say
//   Limits    RLIMIT_NOFILE, RLIMIT_FSIZE, the space of the file system; those of os/mapping.hpp
//   Pollable  no: regular files are always ready
//   Manual    mmap(2) open(2) posix_fallocate(3)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/mapping.hpp"

namespace signalbox::os {

class MappedFile {
 public:
  // All of an existing file from options.offset on, as long as it is now. A private mapping that is
  // written needs reading rights only. Links are followed. Errors: not_found, permission_denied,
  // limit_reached (descriptors), bad_name (a zero byte), and those of Mapping::map(); an empty file
  // is a bad_argument.
  static Result<MappedFile> open(const std::string& path, const MapOptions& options) {
    const bool is_written = options.access == Access::read_write && !options.is_private;
    const int flags = is_written ? kernel::open_to_write : kernel::open_to_read;
    long file = -1;
    // A zero byte would end it there. To look for its end takes half of what looking for one does.
    if (std::char_traits<char>::length(path.c_str()) != path.size()) [[unlikely]]
      return not_opened(file, path);
    while ((file = kernel::open_path(path.c_str(), flags)) < 0) [[unlikely]] {
      if (file != kernel::interrupted) return not_opened(file, path);
    }
    std::uint64_t bytes = 0;
    const auto placed = Mapping::place_all(static_cast<int>(file), bytes, options);
    if (kernel::is_refused(placed.address)) [[unlikely]]
      return not_mapped(Fd(static_cast<int>(file)), placed.address, bytes, path, options);
    return MappedFile(Fd(static_cast<int>(file)),
                      Mapping(placed, Mapping::rest_of(bytes, options), options));
  }

  // A new file, zeroed, every byte reserved, of exactly this mode whatever the umask is; mapped for
  // reading and writing whatever options.access says. It is removed by unlink(2) only, and on an
  // error here. Errors: already_exists, no_space, too_large (RLIMIT_FSIZE), permission_denied,
  // limit_reached, bad_name, and those of Mapping::map().
  static Result<MappedFile> create(const std::string& path, std::uint64_t bytes, unsigned mode,
                                   const MapOptions& options);

  // Makes the file so long, its new bytes reserved, or so short, and the mapping with it, which may
  // move. Errors: permission_denied (open for reading), no_space, too_large, and those of
  // Mapping::resize(); then the file may have been resized already, and the mapping not.
  Result<void> resize(std::uint64_t bytes);

  // The bytes, and what can be done with them: flush(), advise(), lock(), is_lost().
  const Mapping& mapping() const noexcept { return mapping_; }
  const Fd& fd() const noexcept { return fd_; }

 private:
  MappedFile(Fd fd, Mapping mapping) noexcept : fd_(std::move(fd)), mapping_(std::move(mapping)) {}
  [[gnu::cold]] static Result<MappedFile> not_opened(long refused,
                                                     const std::string& path) noexcept;
  [[gnu::cold]] static Result<MappedFile> not_mapped(Fd file, long refused,
                                                     std::uint64_t file_bytes,
                                                     const std::string& path,
                                                     MapOptions options) noexcept;
  Fd fd_;
  Mapping mapping_;
};

// Finds each place of some bytes in a file, which is never read into memory: a window of it is
// mapped at a time, and the kernel drops its pages as it likes. So a file may be larger than memory
// and than the address space.
class FileSearch {
 public:
  static constexpr std::size_t window_bytes_usual = std::size_t{64} << 20;

  // `file` must stay open. What is searched for may cross windows, be longer than one, and contain
  // zero bytes; of no bytes nothing is found. Error: out_of_memory.
  static Result<FileSearch> create(const Fd& file, std::string_view wanted, std::uint64_t from,
                                   std::size_t window_bytes);
  static Result<FileSearch> create(const Fd& file, std::string_view wanted) {
    return create(file, wanted, 0, window_bytes_usual);
  }

  // The byte at which it stands next, also overlapping the one before; empty: no more. A file that
  // grows meanwhile is searched to its new end. Errors: damaged (it was shortened meanwhile), and
  // those of Mapping::map(). Enters the kernel twice a window.
  Result<std::optional<std::uint64_t>> next();

 private:
  FileSearch(int file, std::string wanted, std::uint64_t from, std::size_t window_bytes) noexcept
      : file_(file), wanted_(std::move(wanted)), at_(from), window_bytes_(window_bytes) {}
  Result<bool> move_window();
  int file_;  // the descriptor's number, not its owner
  std::string wanted_;
  std::uint64_t at_;
  std::size_t window_bytes_;
  Mapping window_;
  std::uint64_t window_begin_ = 0;
};

}  // namespace signalbox::os
