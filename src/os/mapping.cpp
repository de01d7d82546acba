#include "os/mapping.hpp"

#include <sys/mman.h>

#include <cerrno>

#include "os/failure.hpp"
#include "os/process.hpp"

namespace signalbox::os {

Result<Mapping> Mapping::map(const Fd& file, std::size_t bytes, Access access) {
  const int protection = access == Access::read ? PROT_READ : PROT_READ | PROT_WRITE;
  // Writers fault all pages in now, so that the first lap of a ring costs what every lap costs.
  const int flags = access == Access::read ? MAP_SHARED : MAP_SHARED | MAP_POPULATE;
  void* address = ::mmap(nullptr, bytes, protection, flags, file.get(), 0);
  if (address == MAP_FAILED) {
    return std::unexpected(
        failure(errno, "mmap", "map " + std::to_string(bytes) + " bytes of a segment"));
  }
  ::madvise(address, bytes, MADV_DONTFORK);
  Mapping mapping;
  mapping.data_ = static_cast<std::byte*>(address);
  mapping.bytes_ = bytes;
  mapping.generation_ = fork_generation();
  return mapping;
}

Mapping::~Mapping() {
  // In a forked child the pages were never there, and something else may lie there by now.
  if (data_ != nullptr && generation_ == fork_generation()) ::munmap(data_, bytes_);
}

}  // namespace signalbox::os
