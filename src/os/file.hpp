// file.hpp: directories and files of a tmpfs domain.
//
//   Threads  an Fd belongs to one thread at a time
//   Crash    the kernel closes descriptors; an unnamed file that was never linked vanishes
//   Fork     descriptors are close-on-exec; see process.hpp for what a child must drop
//   Limits   RLIMIT_NOFILE
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"

namespace signalbox::os {

struct FileFacts {
  std::uint64_t bytes;
  std::uint64_t reserved_bytes;  // less than bytes: the file has holes
  std::uint64_t inode;
  std::uint64_t device;
  std::uint32_t links;  // 0: the name is gone
  std::uint32_t owner;
  std::uint32_t group;
  unsigned mode;  // permission bits, with setgid and its like
  bool is_directory;
};

// What whoever creates something gives it: exactly this mode, whatever the umask is, and this group
// where one is named.
struct Rights {
  unsigned mode;
  std::optional<std::uint32_t> group{};
};

// Gives them to a name that was just created. On failure errno says why.
bool give_rights(const Fd& directory, const std::string& name, const Rights& rights) noexcept;

// Creates every missing directory of an absolute path with these rights.
Result<void> make_directories(const std::string& path, const Rights& rights);
// Does not follow a link in the last part of the path.
Result<Fd> open_directory(const std::string& path);

// Opens a file by name in a directory; never follows a link, never blocks, never creates.
Result<Fd> open_file(const Fd& directory, const std::string& name, Access access);

// The same file once more, to read and to write, with locks and a position of its own. Needs /proc.
Result<Fd> reopen(const Fd& file);

// Allocates the first `bytes` of a file or of memory now, so that a shortage is an error here and
// never SIGBUS later. Answers 0 or what the kernel says (an errno); EFBIG over RLIMIT_FSIZE, for
// which the kernel would end the process with SIGXFSZ.
int reserve(const Fd& file, std::uint64_t bytes) noexcept;

// Makes a file of so many bytes longer, its new bytes reserved, or shorter. Number 0, or what the
// named call says; nothing is changed then.
struct Refusal {
  int number;
  const char* call;
};
Refusal set_size(const Fd& file, std::uint64_t before, std::uint64_t bytes) noexcept;

// A file without a name in the directory, its bytes reserved. `path` is for messages only.
Result<Fd> create_unnamed(const Fd& directory, const std::string& path, std::uint64_t bytes,
                          const Rights& rights);

// Gives an unnamed file its name. Error already_exists if the name is taken.
Result<void> link_unnamed(const Fd& file, const Fd& directory, const std::string& name);

// A named pipe. Error already_exists.
Result<void> make_fifo(const Fd& directory, const std::string& name, const Rights& rights);

Result<FileFacts> facts_of(const Fd& file);
// The facts of a name, not following links.
Result<FileFacts> facts_of(const Fd& directory, const std::string& name);

// Copies so many bytes from there. Unlike a mapping, a file that others shorten meanwhile is an
// error here, damaged, and no SIGBUS. Errors besides: what the kernel says.
Result<void> read_at(const Fd& file, std::uint64_t offset, std::span<std::byte> bytes);

// Writes so many bytes there.
Result<void> write_at(const Fd& file, std::uint64_t offset, std::span<const std::byte> bytes);

// True if the name was removed by this call.
bool unlink_file(const Fd& directory, const std::string& name) noexcept;
bool remove_directory(const std::string& path) noexcept;

// The names in a directory, without "." and "..".
Result<std::vector<std::string>> list_directory(const Fd& directory, const std::string& path);

// Reads a small text file such as one in /proc, without its final newline; empty on any error.
std::string read_small_file(const char* path);

// Bytes and inodes still free where this directory lies.
struct FreeSpace {
  std::uint64_t bytes;
  std::uint64_t inodes;
};
Result<FreeSpace> free_space(const Fd& directory);

}  // namespace signalbox::os
