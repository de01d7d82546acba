#include "os/file_lock.hpp"

#include <fcntl.h>

#include <cerrno>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

struct flock whole_file(short type) noexcept {
  struct flock lock{};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  return lock;
}

}  // namespace

Result<bool> try_lock(const Fd& file, LockKind kind) {
  struct flock lock = whole_file(kind == LockKind::shared ? F_RDLCK : F_WRLCK);
  if (retried([&] { return ::fcntl(file.get(), F_OFD_SETLK, &lock); }) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return std::unexpected(failure(errno, "fcntl(F_OFD_SETLK)", "lock a file"));
}

void unlock(const Fd& file) noexcept {
  struct flock lock = whole_file(F_UNLCK);
  retried([&] { return ::fcntl(file.get(), F_OFD_SETLK, &lock); });
}

Result<bool> is_exclusively_locked(const Fd& file) {
  struct flock lock = whole_file(F_RDLCK);
  if (retried([&] { return ::fcntl(file.get(), F_OFD_GETLK, &lock); }) != 0) {
    return std::unexpected(failure(errno, "fcntl(F_OFD_GETLK)", "ask for a file's lock"));
  }
  return lock.l_type != F_UNLCK;
}

}  // namespace signalbox::os
