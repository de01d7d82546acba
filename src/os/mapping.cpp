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
  mapping.range_ = watch_range(address, bytes, access == Access::read_write);
  return mapping;
}

Mapping::~Mapping() {
  // A forked child has a table of its own.
  if (range_ != nullptr) unwatch_range(*range_);
  // In a forked child the pages were never there, and something else may lie there by now.
  if (data_ != nullptr && generation_ == fork_generation()) ::munmap(data_, bytes_);
}

void Mapping::look_for_loss(const Fd& file) const noexcept {
  const bool is_short = signalbox::detail::done_unless_out_of_memory([&] {
    const auto facts = facts_of(file);
    return facts && facts->bytes < bytes_;
  });
  if (is_short) range_->is_lost.store(true);
}

}  // namespace signalbox::os
