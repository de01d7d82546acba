#include "signalbox/os/shared_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>

#include "os/failure.hpp"
#include "os/file.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

// Where shm_open(3) keeps its objects; glibc knows no other place.
constexpr const char* folder = "/dev/shm";

std::string path_of(const std::string& name) { return folder + name; }

std::string advice_for(int refused, const std::string& name) {
  switch (refused) {
    case EACCES:
    case EPERM:
      return "This process is uid " + std::to_string(::geteuid()) +
             "; who may, is told by `ls -l " + path_of(name) + "` and `ls -ld /dev/shm`.";
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
                                             const std::string& name) {
  return std::unexpected(failure(refused, call, verb + (" shared memory " + name), code_of(refused),
                                 advice_for(refused, name)));
}

// The name with its slash.
Result<std::string> checked(std::string_view name) {
  const std::string_view rest = name.starts_with('/') ? name.substr(1) : name;
  const auto refuse = [&](int like, const std::string& why) {
    return std::unexpected(Error{Errc::bad_name, like, "shm_open",
                                 "cannot use \"" + std::string(name.substr(0, 300)) +
                                     "\" as the name of shared memory: " + why});
  };
  if (rest.empty()) return refuse(EINVAL, "it is empty.");
  if (rest == "." || rest == "..") return refuse(EINVAL, "it is a directory.");
  if (rest.find('/') != std::string_view::npos) {
    return refuse(EINVAL, "it may begin with a slash, and has no other: there are no folders.");
  }
  if (rest.find('\0') != std::string_view::npos) return refuse(EINVAL, "it has a zero byte.");
  if (rest.size() > NAME_MAX) {
    return refuse(ENAMETOOLONG, "it has " + std::to_string(rest.size()) + " bytes, and " +
                                    std::to_string(NAME_MAX) + " is the limit.");
  }
  return "/" + std::string(rest);
}

Result<Fd> open_named(const std::string& name, Access access) {
  const int mode = access == Access::read ? O_RDONLY : O_RDWR;
  Fd fd(retried([&] { return ::shm_open(name.c_str(), mode | O_CLOEXEC, 0); }));
  if (!fd.is_open()) return refusal(errno, "shm_open", "open", name);
  return fd;
}

}  // namespace

Result<SharedMemory> SharedMemory::create_named(const std::string& name, std::uint64_t bytes,
                                                unsigned mode) {
  Fd fd(retried([&] { return ::open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, mode); }));
  if (!fd.is_open()) return refusal(errno, "open(O_TMPFILE)", "create", name);
  if (::fchmod(fd.get(), mode) != 0) return refusal(errno, "fchmod", "create", name);
  if (const int refused = bytes == 0 ? 0 : reserve(fd, bytes); refused != 0) {
    return refusal(refused, "fallocate", ("reserve " + std::to_string(bytes) + " bytes of").c_str(),
                   name);
  }
  // An absolute path needs no directory.
  if (const auto linked = link_unnamed(fd, Fd(), path_of(name)); !linked) {
    return refusal(linked.error().sys_errno, "linkat", "create", name);
  }
  return SharedMemory(std::move(fd), name);
}

Result<SharedMemory> SharedMemory::create(std::string_view name, std::uint64_t bytes,
                                          const SharedMemoryOptions& options) {
  return or_out_of_memory([&]() -> Result<SharedMemory> {
    const auto full = checked(name);
    if (!full) return std::unexpected(full.error());
    return create_named(*full, bytes, options.mode);
  });
}

Result<SharedMemory> SharedMemory::open(std::string_view name, Access access) {
  return or_out_of_memory([&]() -> Result<SharedMemory> {
    auto full = checked(name);
    if (!full) return std::unexpected(std::move(full.error()));
    auto fd = open_named(*full, access);
    if (!fd) return std::unexpected(std::move(fd.error()));
    return SharedMemory(std::move(*fd), std::move(*full));
  });
}

Result<SharedMemory> SharedMemory::open_or_create(std::string_view name, std::uint64_t bytes,
                                                  const SharedMemoryOptions& options) {
  return or_out_of_memory([&]() -> Result<SharedMemory> {
    const auto full = checked(name);
    if (!full) return std::unexpected(full.error());
    // Each turn means that somebody else has created or unlinked it meanwhile.
    for (;;) {
      auto fd = open_named(*full, Access::read_write);
      if (fd) return SharedMemory(std::move(*fd), *full);
      if (fd.error().code != Errc::not_found) return std::unexpected(std::move(fd.error()));
      auto made = create_named(*full, bytes, options.mode);
      if (made || made.error().code != Errc::already_exists) return made;
    }
  });
}

Result<void> SharedMemory::unlink(std::string_view name) {
  return or_out_of_memory([&]() -> Result<void> {
    const auto full = checked(name);
    if (!full) return std::unexpected(full.error());
    if (::shm_unlink(full->c_str()) == 0) return {};
    return refusal(errno, "shm_unlink", "unlink", *full);
  });
}

Result<std::uint64_t> SharedMemory::size() const {
  struct stat facts{};
  if (::fstat(fd_.get(), &facts) == 0) return static_cast<std::uint64_t>(facts.st_size);
  const int refused = errno;
  return or_out_of_memory([&]() -> Result<std::uint64_t> {
    return refusal(refused, "fstat", "ask for the size of", name_);
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
      return std::unexpected(
          failure(refused, call, "resize shared memory " + name_, Errc::permission_denied,
                  "It was opened for reading: open it with Access::read_write."));
    }
    return refusal(refused, call, ("give " + std::to_string(bytes) + " bytes to").c_str(), name_);
  });
}

}  // namespace signalbox::os
