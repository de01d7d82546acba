#include "os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <optional>
#include <string_view>

#include "os/failure.hpp"
#include "signalbox/os/kernel_memory.hpp"

namespace signalbox::os {

namespace {

constexpr auto keep_owner = static_cast<uid_t>(-1);

// How this process names a file that it has open.
class OwnLink {
 public:
  explicit OwnLink(const Fd& file) noexcept {
    std::snprintf(path_, sizeof(path_), "/proc/self/fd/%d", file.get());
  }
  const char* path() const noexcept { return path_; }

 private:
  char path_[32];
};

// " in <path>", for messages; nothing where /proc does not tell.
std::string in(const Fd& directory) {
  char path[PATH_MAX];
  const ssize_t bytes = ::readlink(OwnLink(directory).path(), path, sizeof(path));
  return bytes <= 0 ? std::string() : " in " + std::string(path, static_cast<std::size_t>(bytes));
}

FileFacts facts_from(const struct stat& st) noexcept {
  return {.bytes = static_cast<std::uint64_t>(st.st_size),
          // st_blocks counts units of 512 bytes, whatever the file system's own block is: stat(2).
          .reserved_bytes = static_cast<std::uint64_t>(st.st_blocks) * 512,
          .inode = st.st_ino,
          .device = st.st_dev,
          .links = static_cast<std::uint32_t>(st.st_nlink),
          .owner = st.st_uid,
          .group = st.st_gid,
          .mode = st.st_mode & 07777,
          .is_directory = S_ISDIR(st.st_mode)};
}

const char* kind_of(mode_t mode) noexcept {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISREG(mode)) return "a plain file";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

// What lies where a directory or a file should, instead of an advice to try again: it stays.
Error wrong_kind(const std::string& tried, const std::string& found, std::string_view kind,
                 Errc code, int refused) {
  return {code,
          refused,
          {},
          "cannot " + tried + ": " + found + " is " + std::string(kind) +
              ". Move it away if no program needs it, or set SIGNALBOX_DIR to another directory, "
              "of a tmpfs."};
}

// The first on the way to a directory that is none, or in which there can be none. Nothing: they
// are in order, or somebody is removing them.
std::optional<Error> no_way_to(const std::string& path, int refused) {
  const std::string tried = "create directory " + path;
  for (std::size_t end = path.find('/', 1); end != std::string::npos;
       end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    struct stat st{};
    if (::lstat(part.c_str(), &st) != 0) return {};
    if (S_ISLNK(st.st_mode) && ::stat(part.c_str(), &st) != 0) {
      return wrong_kind(tried, part, "a symbolic link to nowhere", Errc::bad_argument, refused);
    }
    if (!S_ISDIR(st.st_mode)) {
      return wrong_kind(tried, part, kind_of(st.st_mode), Errc::bad_argument, refused);
    }
  }
  // Where nobody makes files, it says that the name does not exist.
  const std::string parent = path.substr(0, path.rfind('/'));
  struct statfs system{};
  if (::statfs(parent.c_str(), &system) != 0 || system.f_type != PROC_SUPER_MAGIC) return {};
  return wrong_kind(tried, parent, "the kernel's, who lets nobody make files in it",
                    Errc::bad_argument, refused);
}

// For a refusal: whose directory it is and who asks. Looks for the nearest parent one may look at.
std::string owners(int refused, std::string path) {
  if (refused != EACCES && refused != EPERM) return {};
  for (std::size_t end = path.rfind('/'); end != std::string::npos && end > 0;
       end = path.rfind('/')) {
    path.resize(end);
    struct stat st{};
    if (::stat(path.c_str(), &st) != 0) continue;
    return " (" + path + " belongs to uid " + std::to_string(st.st_uid) + ", this process is uid " +
           std::to_string(::geteuid()) + ")";
  }
  return {};
}

}  // namespace

bool give_rights(const Fd& directory, const std::string& name, const Rights& rights) noexcept {
  const bool is_grouped = !rights.group || ::fchownat(directory.get(), name.c_str(), keep_owner,
                                                      *rights.group, AT_SYMLINK_NOFOLLOW) == 0;
  return is_grouped && ::fchmodat(directory.get(), name.c_str(), rights.mode, 0) == 0;
}

Result<void> make_directories(const std::string& path, const Rights& rights) {
  for (std::size_t end = 1; end != std::string::npos;) {
    end = path.find('/', end + 1);
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), rights.mode) == 0) {
      // mkdir obeys the umask; the mode we promise does not. The group comes first, because a
      // change of it may take the setgid bit away.
      if (rights.group && ::chown(part.c_str(), keep_owner, *rights.group) != 0) {
        return std::unexpected(failure(errno, "chown", "set the group of directory " + part));
      }
      if (::chmod(part.c_str(), rights.mode) != 0) {
        return std::unexpected(failure(errno, "chmod", "set the mode of directory " + part));
      }
    } else if (errno != EEXIST) {
      const int refused = errno;
      if (refused == ENOTDIR || refused == ENOENT) {
        // ENOENT would tell the caller that somebody was quicker, and to try again.
        const int told = refused == ENOENT ? 0 : refused;
        if (auto wrong = no_way_to(part, told)) return std::unexpected(std::move(*wrong));
      }
      return std::unexpected(
          failure(refused, "mkdir", "create directory " + part + owners(refused, part)));
    }
  }
  return {};
}

Result<Fd> open_directory(const std::string& path) {
  const int fd = retried(
      [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW); });
  if (fd < 0) {
    const int refused = errno;
    struct stat st{};
    if ((refused == ENOTDIR || refused == ELOOP) && ::lstat(path.c_str(), &st) == 0 &&
        !S_ISDIR(st.st_mode)) {
      return std::unexpected(
          wrong_kind("open directory " + path, "it", kind_of(st.st_mode), Errc::damaged, refused));
    }
    return std::unexpected(
        failure(refused, "open", "open directory " + path + owners(refused, path)));
  }
  return Fd(fd);
}

Result<Fd> open_file(const Fd& directory, const std::string& name, Access access) {
  const int mode = access == Access::read ? O_RDONLY : O_RDWR;
  const int fd = retried([&] {
    return ::openat(directory.get(), name.c_str(), mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  });
  if (fd >= 0) return Fd(fd);
  const int refused = errno;
  struct stat st{};
  if ((refused == EISDIR || refused == ELOOP || refused == ENXIO) &&
      ::fstatat(directory.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) {
    return std::unexpected(wrong_kind("open file " + name + in(directory), "it",
                                      kind_of(st.st_mode), Errc::damaged, refused));
  }
  return std::unexpected(failure(refused, "openat", "open file " + name));
}

Result<Fd> reopen(const Fd& file) {
  const OwnLink self(file);
  const int fd = retried([&] { return ::open(self.path(), O_RDWR | O_CLOEXEC | O_NONBLOCK); });
  if (fd < 0) return std::unexpected(failure(errno, "open", std::string("open ") + self.path()));
  return Fd(fd);
}

int reserve(const Fd& file, std::uint64_t bytes) noexcept {
  return static_cast<int>(-kernel::by_name::reserve(file.get(), bytes));
}

Refusal set_size(const Fd& file, std::uint64_t before, std::uint64_t bytes) noexcept {
  if (bytes > before) return {reserve(file, bytes), "fallocate"};
  const int answer = retried([&] { return ::ftruncate(file.get(), static_cast<off_t>(bytes)); });
  return {answer == 0 ? 0 : errno, "ftruncate"};
}

Result<Fd> create_unnamed(const Fd& directory, const std::string& path, std::uint64_t bytes,
                          const Rights& rights) {
  Fd file(retried(
      [&] { return ::openat(directory.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, rights.mode); }));
  if (!file.is_open()) {
    return std::unexpected(failure(errno, "open(O_TMPFILE)", "create a file for " + path));
  }
  if (rights.group && ::fchown(file.get(), keep_owner, *rights.group) != 0) {
    return std::unexpected(failure(errno, "fchown", "set the group of a file for " + path));
  }
  if (::fchmod(file.get(), rights.mode) != 0) {
    return std::unexpected(failure(errno, "fchmod", "set the mode of a file for " + path));
  }
  if (const int refused = reserve(file, bytes); refused != 0) {
    std::string tried = "reserve " + std::to_string(bytes) + " bytes for " + path;
    if (const auto space = free_space(directory)) {
      tried += " (" + std::to_string(space->bytes) + " bytes are free there)";
    }
    return std::unexpected(failure(refused, "fallocate", std::move(tried)));
  }
  return file;
}

Result<void> link_unnamed(const Fd& file, const Fd& directory, const std::string& name) {
  const OwnLink self(file);
  if (::linkat(AT_FDCWD, self.path(), directory.get(), name.c_str(), AT_SYMLINK_FOLLOW) == 0)
    return {};
  // Without /proc the kernel still links by descriptor, given CAP_DAC_READ_SEARCH or Linux 6.10.
  const int by_path = errno;
  if (by_path == ENOENT &&
      ::linkat(file.get(), "", directory.get(), name.c_str(), AT_EMPTY_PATH) == 0) {
    return {};
  }
  return std::unexpected(failure(by_path, "linkat", "give file " + name + " its name"));
}

Result<void> make_fifo(const Fd& directory, const std::string& name, const Rights& rights) {
  if (::mkfifoat(directory.get(), name.c_str(), rights.mode) != 0) {
    return std::unexpected(failure(errno, "mkfifoat", "create named pipe " + name));
  }
  if (give_rights(directory, name, rights)) return {};
  return std::unexpected(
      failure(errno, "fchmodat", "set the group and the mode of named pipe " + name));
}

Result<FileFacts> facts_of(const Fd& file) {
  struct stat st{};
  if (::fstat(file.get(), &st) != 0) {
    return std::unexpected(failure(errno, "fstat", "inspect an open file"));
  }
  return facts_from(st);
}

Result<FileFacts> facts_of(const Fd& directory, const std::string& name) {
  struct stat st{};
  // An absolute name needs no directory, and fstatat then ignores the descriptor.
  if (::fstatat(directory.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return std::unexpected(failure(errno, "fstatat", "inspect file " + name));
  }
  return facts_from(st);
}

Result<void> read_at(const Fd& file, std::uint64_t offset, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = retried([&] {
      return ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (got < 0) return std::unexpected(failure(errno, "pread", "read a shared file"));
    if (got == 0) {
      return std::unexpected(Error{Errc::damaged, 0, {}, "a shared file ends too early."});
    }
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<void> write_at(const Fd& file, std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = retried([&] {
      return ::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    });
    if (put < 0) return std::unexpected(failure(errno, "pwrite", "write a shared file"));
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

bool unlink_file(const Fd& directory, const std::string& name) noexcept {
  return ::unlinkat(directory.get(), name.c_str(), 0) == 0;
}

bool remove_directory(const std::string& path) noexcept { return ::rmdir(path.c_str()) == 0; }

Result<std::vector<std::string>> list_directory(const Fd& directory, const std::string& path) {
  // A second open file description, because reading moves the offset of the one it is given. Read
  // bare: a topic is listed at each coming and going, and opendir() asks and allocates a lot.
  Fd stream(
      retried([&] { return ::openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!stream.is_open()) {
    return std::unexpected(failure(errno, "openat", "list directory " + path));
  }
  std::vector<std::string> names;
  alignas(dirent64) char entries[8192];
  for (;;) {
    const ssize_t bytes = ::getdents64(stream.get(), entries, sizeof(entries));
    if (bytes == 0) return names;
    if (bytes < 0) {
      return std::unexpected(failure(errno, "getdents64", "list directory " + path));
    }
    for (ssize_t at = 0; at < bytes;) {
      const auto* entry = reinterpret_cast<const dirent64*>(entries + at);
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
      at += entry->d_reclen;
    }
  }
}

std::string read_small_file(const char* path) {
  const Fd file(retried([&] { return ::open(path, O_RDONLY | O_CLOEXEC); }));
  if (!file.is_open()) return {};
  char text[1024];
  const ssize_t got = retried([&] { return ::read(file.get(), text, sizeof(text)); });
  if (got <= 0) return {};
  std::string content(text, static_cast<std::size_t>(got));
  if (content.back() == '\n') content.pop_back();
  return content;
}

Result<FreeSpace> free_space(const Fd& directory) {
  struct statfs fs{};
  if (::fstatfs(directory.get(), &fs) != 0) {
    return std::unexpected(failure(errno, "fstatfs", "ask for free space"));
  }
  return FreeSpace{static_cast<std::uint64_t>(fs.f_bavail) * static_cast<std::uint64_t>(fs.f_bsize),
                   fs.f_ffree};
}

}  // namespace signalbox::os
