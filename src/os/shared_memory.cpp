#include "signalbox/os/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "base/text.hpp"
#include "os/failure.hpp"
#include "os/file.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

using Path = kernel::SharedMemoryPath;

constexpr const char* folder = "/dev/shm";

std::string advice_for(int refused, const Path& path) {
  switch (refused) {
    case EACCES:
    case EPERM:
      return "This process is uid " + std::to_string(::geteuid()) +
             "; who may, is told by `ls -l " + path.c_str() + "` and `ls -ld /dev/shm`.";
    case ENOENT:
      return "Nobody has created it, or somebody has unlinked it: `ls /dev/shm` shows what there "
             "is.";
    case EEXIST:
      return "Open it, use open_or_create(), or unlink() it first if nobody needs it.";
    case ENOSPC: {
      const auto shm = open_directory(folder);
      const auto space = shm ? free_space(*shm) : std::unexpected(shm.error());
      return (space ? std::to_string(space->bytes) + " bytes are free in /dev/shm" : "It is full") +
             " (df -h /dev/shm): unlink what nobody needs, or enlarge it (mount -o "
             "remount,size=...).";
    }
    default:
      return general_advice(refused);
  }
}

[[gnu::cold]] std::unexpected<Error> refusal(int refused, std::string_view call, const char* verb,
                                             const Path& path) {
  return std::unexpected(failure(refused, call,
                                 std::string(verb).append(" shared memory ").append(path.name()),
                                 code_of(refused), advice_for(refused, path)));
}

// Why not that name.
[[gnu::cold]] Error refusal_of_name(std::string_view name) {
  const std::string_view rest = name.starts_with('/') ? name.substr(1) : name;
  const auto refuse = [&](int like, const std::string& why) {
    return Error{
        Errc::bad_name, like, "shm_open",
        "cannot use \"" + shown(cut_to(name, 300)) + "\" as the name of shared memory: " + why};
  };
  if (rest.empty()) return refuse(EINVAL, "it is empty.");
  if (rest == "." || rest == "..") return refuse(EINVAL, "it is a directory.");
  if (rest.find('/') != std::string_view::npos) {
    return refuse(EINVAL, "it may begin with a slash, and has no other: there are no folders.");
  }
  if (holds_zero(rest)) return refuse(EINVAL, "it has a zero byte.");
  return refuse(ENAMETOOLONG, "it has " + std::to_string(rest.size()) + " bytes, and " +
                                  std::to_string(NAME_MAX) + " is the limit.");
}

Result<Path> checked(std::string_view name) {
  Path path;
  if (path.take(name)) return path;
  return std::unexpected(refusal_of_name(name));
}

}  // namespace

Result<SharedMemory> SharedMemory::bad_name(std::string_view name) noexcept {
  return std::unexpected(
      signalbox::detail::explained(Errc::out_of_memory, [&] { return refusal_of_name(name); }));
}

Result<SharedMemory> SharedMemory::not_opened(long refused, const Path& path) noexcept {
  return or_out_of_memory([&]() -> Result<SharedMemory> {
    // A folder is nothing that could be opened under such a name: shm_open(3).
    const int like = refused == -EISDIR ? EINVAL : static_cast<int>(-refused);
    return refusal(like, "shm_open", "open", path);
  });
}

Result<SharedMemory> SharedMemory::create_named(const Path& path, std::uint64_t bytes,
                                                unsigned mode) {
  Fd fd(retried([&] { return ::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode); }));
  if (!fd.is_open()) return refusal(errno, "open(O_TMPFILE)", "create", path);
  if (::fchmod(fd.get(), mode) != 0) return refusal(errno, "fchmod", "create", path);
  if (const int refused = bytes == 0 ? 0 : reserve(fd, bytes); refused != 0) {
    return refusal(refused, "fallocate", ("reserve " + std::to_string(bytes) + " bytes of").c_str(),
                   path);
  }
  // An absolute path needs no directory.
  if (const auto linked = link_unnamed(fd, Fd(), path.c_str()); !linked) {
    return refusal(linked.error().sys_errno, "linkat", "create", path);
  }
  return SharedMemory(std::move(fd), path);
}

Result<SharedMemory> SharedMemory::create(std::string_view name, std::uint64_t bytes,
                                          const SharedMemoryOptions& options) {
  return or_out_of_memory([&]() -> Result<SharedMemory> {
    const auto path = checked(name);
    if (!path) return std::unexpected(path.error());
    return create_named(*path, bytes, options.mode);
  });
}

Result<SharedMemory> SharedMemory::open_or_create(std::string_view name, std::uint64_t bytes,
                                                  const SharedMemoryOptions& options) {
  return or_out_of_memory([&]() -> Result<SharedMemory> {
    const auto path = checked(name);
    if (!path) return std::unexpected(path.error());
    // Each turn means that somebody else has created or unlinked it meanwhile.
    for (;;) {
      const long file = path->open(Access::read_write);
      if (file >= 0) return SharedMemory(Fd(static_cast<int>(file)), *path);
      if (file != -ENOENT) return not_opened(file, *path);
      auto made = create_named(*path, bytes, options.mode);
      if (made || made.error().code != Errc::already_exists) return made;
    }
  });
}

Result<void> SharedMemory::unlink(std::string_view name) {
  return or_out_of_memory([&]() -> Result<void> {
    const auto path = checked(name);
    if (!path) return std::unexpected(path.error());
    if (::unlink(path->c_str()) == 0) return {};
    // As shm_unlink(3), which does no more.
    return refusal(errno == EPERM ? EACCES : errno, "shm_unlink", "unlink", *path);
  });
}

Result<std::uint64_t> SharedMemory::size() const {
  struct stat facts{};
  if (::fstat(fd_.get(), &facts) == 0) return static_cast<std::uint64_t>(facts.st_size);
  const int refused = errno;
  return or_out_of_memory([&]() -> Result<std::uint64_t> {
    return refusal(refused, "fstat", "ask for the size of", path_);
  });
}

Result<void> SharedMemory::resize(std::uint64_t bytes) {
  const auto before = size();
  if (!before) return std::unexpected(before.error());
  return or_out_of_memory([&]() -> Result<void> {
    const auto [refused, call] = set_size(fd_, *before, bytes);
    if (refused == 0) return {};
    // Both mean that it was opened for reading.
    if (refused == EBADF || (refused == EINVAL && bytes <= *before)) {
      return std::unexpected(failure(
          refused, call, "resize shared memory " + std::string(name()), Errc::permission_denied,
          "It was opened for reading: open it with Access::read_write."));
    }
    return refusal(refused, call, ("give " + std::to_string(bytes) + " bytes to").c_str(), path_);
  });
}

}  // namespace signalbox::os
