#include "signalbox/os/kernel_memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "os/limit_text.hpp"

namespace signalbox::os::kernel {

static_assert(open_to_read == (O_RDONLY | O_CLOEXEC | O_NONBLOCK) &&
              open_to_write == (O_RDWR | O_CLOEXEC | O_NONBLOCK) && no_link == O_NOFOLLOW &&
              AT_FDCWD == -100);
static_assert(memory_plain == (MFD_CLOEXEC | MFD_ALLOW_SEALING));
#if !SBX_ENTERS_BY_NAME
static_assert(sizeof(struct stat) <= sizeof(FileRecord) &&
              offsetof(struct stat, st_size) == offsetof(FileRecord, bytes));
static_assert(sizeof(rlimit) == sizeof(LimitRecord) &&
              offsetof(rlimit, rlim_cur) == offsetof(LimitRecord, now) &&
              RLIM_INFINITY == UINT64_MAX && RLIMIT_FSIZE == 1);
#endif

namespace by_name {

long bytes_of(int file, std::uint64_t& bytes) noexcept {
  struct stat facts{};
  if (::fstat(file, &facts) != 0) return -errno;
  bytes = static_cast<std::uint64_t>(facts.st_size);
  return 0;
}

long map(int file, std::size_t bytes, int protection, int flags, std::uint64_t offset) noexcept {
  void* const at = ::mmap(nullptr, bytes, protection, flags, file, static_cast<off_t>(offset));
  return at == MAP_FAILED ? -errno : address_of(at);
}

long reserve(int file, std::uint64_t bytes) noexcept {
  if (bytes > INT64_MAX || is_over_file_limit(bytes)) return -EFBIG;
  int refused = 0;
  do {
    refused = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  } while (refused == EINTR);
  return -refused;
}

}  // namespace by_name

}  // namespace signalbox::os::kernel
