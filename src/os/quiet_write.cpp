#include "os/quiet_write.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/sigpipe.hpp"

namespace signalbox::os {

std::atomic<bool> kernel::is_write_flag_unknown{false};

ssize_t write_without_signal(int fd, std::span<const std::byte> bytes) noexcept {
  const long written = kernel::write_without_signal(fd, bytes);
  if (written >= 0) return written;
  errno = static_cast<int>(-written);
  return -1;
}

ssize_t write_with_signal_held_back(int fd, std::span<const std::byte> bytes) noexcept {
  const SigpipeBlock held_back;
  return ::write(fd, bytes.data(), bytes.size());
}

ssize_t write_quietly(int fd, std::span<const std::byte> bytes) noexcept {
  if (!kernel::is_write_flag_unknown.load()) [[likely]] {
    const ssize_t written = write_without_signal(fd, bytes);
    // ENOSYS where a sandbox or an old kernel has no such call.
    if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) [[likely]]
      return written;
    kernel::is_write_flag_unknown.store(true);
  }
  return write_with_signal_held_back(fd, bytes);
}

}  // namespace signalbox::os
