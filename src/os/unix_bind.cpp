// How a Unix socket gets the file that is its name, takes over one that a dead socket left, and
// removes its own and no other.
#include "os/unix_calls.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>

#include "os/failure.hpp"
#include "os/readiness.hpp"

namespace signalbox::os {

namespace {

constexpr int kLockTries = 1000;  // of a millisecond: the lock is held for a few system calls

std::string path_of(const UnixAddress& at) { return std::string(at.name()); }

Error not_bound(int refused, const UnixAddress& at, std::string_view advice) {
  const std::string tried = "give a Unix socket the name " + at.to_string();
  if (refused == EADDRINUSE) return failure(refused, "bind", tried, Errc::already_exists, advice);
  if (refused == EACCES || refused == EPERM) {
    return failure(refused, "bind", tried, Errc::permission_denied,
                   "The directory must be writable for this user.");
  }
  if (refused == ENOENT) {
    return failure(refused, "bind", tried, Errc::not_found, "Make its directory first.");
  }
  return failure(refused, "bind", tried);
}

// Held while a stale name is taken away, so that of two who found it stale the second does not take
// away the name that the first has just made.
Result<Fd> lock_directory_of(const UnixAddress& at) {
  const std::string path = path_of(at);
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  Fd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened.is_open()) {
    return std::unexpected(failure(errno, "open", "lock directory " + directory));
  }
  const timespec moment{.tv_sec = 0, .tv_nsec = 1'000'000};
  for (int turn = 0; turn < kLockTries; ++turn) {
    if (::flock(opened.get(), LOCK_EX | LOCK_NB) == 0) return opened;
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return std::unexpected(failure(errno, "flock", "lock directory " + directory));
    }
    ::clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, nullptr);
  }
  return std::unexpected(failure(EWOULDBLOCK, "flock", "lock directory " + directory,
                                 Errc::would_block,
                                 "Others have held it for a second: /proc/locks tells who."));
}

// Whether a living socket has this file. A datagram socket asks, and sends nothing: of another kind
// it learns EPROTOTYPE before anybody is disturbed, even of one that does not listen yet.
Result<bool> is_stale(const UnixAddress& at) {
  struct stat st{};
  if (::lstat(path_of(at).c_str(), &st) != 0) {
    if (errno == ENOENT) return true;  // gone meanwhile
    // What cannot be looked at may belong to somebody who lives.
    return std::unexpected(failure(errno, "lstat", "look at socket " + at.to_string()));
  }
  if (!S_ISSOCK(st.st_mode)) return false;
  auto probe = new_unix_socket(SOCK_DGRAM);
  if (!probe) return std::unexpected(std::move(probe.error()));
  const UnixName name = UnixName::of(at);
  return ::connect(probe->get(), name.get(), name.bytes) != 0 &&
         (errno == ECONNREFUSED || errno == ENOENT);
}

// Answers 0 or errno.
int bind_once(const Fd& socket, const UnixName& name) noexcept {
  return ::bind(socket.get(), name.get(), name.bytes) == 0 ? 0 : errno;
}

Result<void> take_over(const Fd& socket, const UnixAddress& at, const UnixName& name) {
  const auto lock = lock_directory_of(at);
  if (!lock) return std::unexpected(lock.error());
  const auto stale = is_stale(at);
  if (!stale) return std::unexpected(stale.error());
  if (!*stale) {
    return std::unexpected(not_bound(EADDRINUSE, at,
                                     "A living socket has it, or it is a file of another kind: "
                                     "end that server, remove the file, or take another name."));
  }
  if (::unlink(path_of(at).c_str()) != 0 && errno != ENOENT) {
    const int refused = errno;
    return std::unexpected(failure(refused, "unlink", "remove stale socket " + at.to_string(),
                                   code_of(refused),
                                   "Its directory must be writable, and where that is sticky only "
                                   "the file's owner may."));
  }
  if (const int refused = bind_once(socket, name); refused != 0) {
    return std::unexpected(not_bound(refused, at, "Somebody was quicker: end that server."));
  }
  return {};
}

}  // namespace

Result<BoundFile> bind_unix(const Fd& socket, const UnixAddress& at, const UnixNameOptions& name) {
  if (at.is_unnamed()) {
    return std::unexpected(
        Error{Errc::bad_argument, 0, {}, "cannot bind a Unix socket to no name."});
  }
  const UnixName raw = UnixName::of(at);
  // The file begins with this mode, less the umask: never with more than it shall have.
  if (at.is_path() && ::fchmod(socket.get(), name.mode) != 0) {
    return std::unexpected(failure(errno, "fchmod", "set the mode of socket " + at.to_string()));
  }
  const int refused = bind_once(socket, raw);
  if (refused == EADDRINUSE && at.is_path() && name.takes_over_stale) {
    if (auto taken = take_over(socket, at, raw); !taken) {
      return std::unexpected(std::move(taken.error()));
    }
  } else if (refused != 0) {
    return std::unexpected(not_bound(refused, at, "Somebody has it: take another name."));
  }
  if (!at.is_path()) return BoundFile{};
  const std::string path = path_of(at);
  struct stat st{};
  const bool is_given =
      (!name.group || ::lchown(path.c_str(), static_cast<uid_t>(-1), *name.group) == 0) &&
      ::chmod(path.c_str(), name.mode) == 0 && ::lstat(path.c_str(), &st) == 0;
  if (is_given) return BoundFile{.device = st.st_dev, .inode = st.st_ino};
  const int why = errno;
  ::unlink(path.c_str());
  return std::unexpected(failure(why, "chmod", "set mode and group of socket " + path));
}

Result<void> remove_bound(const UnixAddress& at, const BoundFile& file) {
  const std::string path = path_of(at);
  const auto not_ours = [&] {
    return failure(ENOENT, "unlink", "remove socket " + path, Errc::not_found,
                   "It is gone, or another's by now.");
  };
  if (file.inode == 0) return std::unexpected(not_ours());
  const auto lock = lock_directory_of(at);
  if (!lock) return std::unexpected(lock.error());
  struct stat st{};
  if (::lstat(path.c_str(), &st) != 0 && errno != ENOENT) {
    return std::unexpected(failure(errno, "lstat", "remove socket " + path));
  }
  if (st.st_dev != file.device || st.st_ino != file.inode) {
    return std::unexpected(not_ours());
  }
  if (::unlink(path.c_str()) == 0) return {};
  return std::unexpected(failure(errno, "unlink", "remove socket " + path, code_of(errno),
                                 "The directory must be writable."));
}

}  // namespace signalbox::os
