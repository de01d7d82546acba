#include "os/quiet_write.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "signalbox/os/sigpipe.hpp"

namespace signalbox::os {

namespace {

constexpr int kNoSignal = 0x100;  // RWF_NOSIGNAL, which the distribution's headers do not know yet

std::atomic<bool> is_flag_unknown{false};

}  // namespace

ssize_t write_without_signal(int fd, std::span<const std::byte> bytes) noexcept {
  const iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  return ::pwritev2(fd, &part, 1, -1, kNoSignal);
}

ssize_t write_with_signal_held_back(int fd, std::span<const std::byte> bytes) noexcept {
  const SigpipeBlock held_back;
  return ::write(fd, bytes.data(), bytes.size());
}

ssize_t write_quietly(int fd, std::span<const std::byte> bytes) noexcept {
  if (!is_flag_unknown.load()) [[likely]] {
    const ssize_t written = write_without_signal(fd, bytes);
    // glibc answers ENOTSUP, the same number, where a sandbox or an old kernel has no such call.
    if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) [[likely]]
      return written;
    is_flag_unknown.store(true);
  }
  return write_with_signal_held_back(fd, bytes);
}

}  // namespace signalbox::os
