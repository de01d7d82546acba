#include "signalbox/os/mapping.hpp"

#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>

#include "os/failure.hpp"
#include "os/file.hpp"
#include "os/limit_text.hpp"
#include "os/process.hpp"

namespace signalbox::os {

namespace {

enum class Of { a_file, memory };

std::string range_text(std::size_t bytes, Of of) {
  return "map " + std::to_string(bytes) + " bytes of " + (of == Of::a_file ? "a file" : "memory");
}

Error bad_argument(std::string text) {
  return {Errc::bad_argument, EINVAL, "mmap", "cannot " + std::move(text)};
}

std::string memory_limits() {
  return "Memory, address space or mappings are used up: this process may have " +
         read_small_file("/proc/sys/vm/max_map_count") +
         " mappings (/proc/sys/vm/max_map_count; it has one a line of /proc/self/maps), and " +
         limit_text(RLIMIT_AS, "RLIMIT_AS", "ulimit -v") + ".";
}

// What is wrong with what was asked for, where the kernel says no more than that something is.
[[gnu::cold]] Error wrong_argument(std::size_t bytes, Of of, const MapOptions& options) {
  if (options.offset % page_bytes() != 0) {
    return bad_argument(range_text(bytes, of) + " from byte " + std::to_string(options.offset) +
                        ": the offset must be a multiple of the page's size, " +
                        std::to_string(page_bytes()) + ".");
  }
  if (options.pages == Pages::huge && of == Of::a_file) {
    return {Errc::not_supported,
            0,
            {},
            "cannot map a file in huge pages of the pool: those are for anonymous memory here; ask "
            "for Pages::huge_if_there."};
  }
  if (bytes == 0) {
    return bad_argument(
        "map 0 bytes of anything: an empty mapping does not exist; give it a size first.");
  }
  return failure(EINVAL, "mmap", range_text(bytes, of));
}

[[gnu::cold]] Error map_failure(int refused, std::size_t bytes, Of of, const MapOptions& options) {
  std::string tried = range_text(bytes, of);
  switch (refused) {
    case EINVAL:
      return wrong_argument(bytes, of, options);
    case EACCES:
      return failure(refused, "mmap", std::move(tried), Errc::permission_denied,
                     "The descriptor must be open for reading, and for a shared mapping that is "
                     "written also for writing.");
    case EPERM:
      return failure(refused, "mmap", std::move(tried), Errc::permission_denied,
                     "The memory is sealed against writing: map it for reading.");
    case ENODEV:
      return failure(refused, "mmap", std::move(tried), Errc::not_supported,
                     "It is no file, or one that cannot be mapped: read it instead.");
    case ENOMEM:
      if (options.pages == Pages::huge) {
        return failure(refused, "mmap", std::move(tried) + " in huge pages", Errc::no_space,
                       "The pool has " + read_small_file("/proc/sys/vm/nr_hugepages") +
                           " huge pages and too few are free (grep Huge /proc/meminfo): raise "
                           "/proc/sys/vm/nr_hugepages, or ask for Pages::huge_if_there.");
      }
      return failure(refused, "mmap", std::move(tried), Errc::out_of_memory, memory_limits());
    default:
      return failure(refused, "mmap", std::move(tried));
  }
}

std::size_t huge_page_bytes() {
  std::size_t kilobytes = 2048;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> info(std::fopen("/proc/meminfo", "re"),
                                                             std::fclose);
  char line[256];
  while (info && std::fgets(line, sizeof(line), info.get()) != nullptr) {
    if (std::sscanf(line, "Hugepagesize: %zu kB", &kilobytes) == 1) break;
  }
  return kilobytes * 1024;
}

constexpr std::size_t rounded_up(std::size_t bytes, std::size_t unit) noexcept {
  return (bytes + unit - 1) / unit * unit;
}

int advice_number(Advice advice) noexcept {
  switch (advice) {
    case Advice::normal:
      break;
    case Advice::sequential:
      return MADV_SEQUENTIAL;
    case Advice::random:
      return MADV_RANDOM;
    case Advice::will_need:
      return MADV_WILLNEED;
    case Advice::cold:
      return MADV_COLD;
  }
  return MADV_NORMAL;
}

// From a part to whole pages, which is all that the kernel takes.
struct PageRange {
  std::byte* begin;
  std::size_t bytes;
};
PageRange pages_of(const Mapping& mapping, Mapping::Part part) noexcept {
  const std::size_t begin = std::min(part.offset, mapping.size());
  const std::size_t end = begin + std::min(part.bytes, mapping.size() - begin);
  const std::size_t whole = begin / page_bytes() * page_bytes();
  return {mapping.data() + whole, end - whole};
}

}  // namespace

static_assert(PROT_READ == 1 && (PROT_READ | PROT_WRITE) == 3 && MAP_SHARED == 1 &&
              MAP_PRIVATE == 2 && MAP_POPULATE == 0x8000);

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

Mapping::Placed Mapping::place_specially(int file, std::size_t bytes, MapOptions options) noexcept {
  const bool is_file = file >= 0;
  const bool is_huge = options.pages == Pages::huge;
  if (is_file && is_huge) return {-EINVAL, nullptr};
  int flags = options.is_private ? MAP_PRIVATE : MAP_SHARED;
  if (!is_file) flags |= MAP_ANONYMOUS;
  if (options.is_populated) flags |= MAP_POPULATE;
  if (is_huge) flags |= MAP_HUGETLB;
  const int protection = options.access == Access::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
  const long at = kernel::map(file, bytes, protection, flags, options.offset);
  if (kernel::is_refused(at)) return {at, nullptr};
  void* const address = reinterpret_cast<void*>(static_cast<std::uintptr_t>(at));
  if (!options.is_in_children) ::madvise(address, bytes, MADV_DONTFORK);
  // Where the kernel knows no huge pages it refuses, and huge_bytes() tells that there are none.
  if (options.pages == Pages::huge_if_there) ::madvise(address, bytes, MADV_HUGEPAGE);
  return watched(at, bytes, options);
}

Result<Mapping> Mapping::not_mapped(long refused, std::size_t bytes, MapOptions options) noexcept {
  if (refused == no_entry) return std::unexpected(signalbox::detail::out_of_memory());
  return std::unexpected(signalbox::detail::explained(Errc::out_of_memory, [&] {
    return map_failure(static_cast<int>(-refused), bytes, Of::a_file, options);
  }));
}

Result<Mapping> Mapping::not_all_mapped(long refused, std::uint64_t file_bytes,
                                        MapOptions options) noexcept {
  if (file_bytes != unknown && refused != is_too_large) {
    return not_mapped(refused, rest_of(file_bytes, options), options);
  }
  return std::unexpected(signalbox::detail::explained(Errc::out_of_memory, [&] {
    if (file_bytes == unknown) {
      return failure(static_cast<int>(-refused), "fstat", "inspect an open file");
    }
    return Error{Errc::out_of_memory, EOVERFLOW, "mmap",
                 "cannot map a file of " + std::to_string(file_bytes) +
                     " bytes at once: the address space is smaller; map parts of it."};
  }));
}

Result<Mapping> Mapping::anonymous(std::size_t bytes, const MapOptions& options) {
  MapOptions of_nothing = options;
  of_nothing.offset = 0;
  of_nothing.is_guarded = false;
  const std::size_t mapped =
      options.pages == Pages::huge ? rounded_up(bytes, huge_page_bytes()) : bytes;
  const Placed placed = place_specially(-1, mapped, of_nothing);
  if (kernel::is_refused(placed.address)) {
    return std::unexpected(signalbox::detail::explained(Errc::out_of_memory, [&] {
      return map_failure(static_cast<int>(-placed.address), bytes, Of::memory, of_nothing);
    }));
  }
  Mapping made(placed, bytes, of_nothing);
  made.mapped_bytes_ = mapped;
  // What lies behind the first size of shared anonymous memory is nowhere.
  if (!options.is_private) made.kind_ &= ~is_growable_kind;
  return made;
}

void Mapping::raise_when_lost(std::atomic<std::uint64_t>& word) noexcept {
  if (range_ == nullptr) return;
  const auto at = reinterpret_cast<std::uintptr_t>(&word);
  std::uintptr_t before = range_->told.load();
  while (!range_->told.compare_exchange_weak(before, at | (before & WatchedRange::lost))) {
  }
}

void Mapping::look_for_loss(const Fd& file) const noexcept {
  if (range_ == nullptr) return;
  const bool is_short = signalbox::detail::done_unless_out_of_memory([&] {
    const auto facts = facts_of(file);
    return facts && facts->bytes < offset_ + bytes_;
  });
  if (is_short) range_->told.fetch_or(WatchedRange::lost);
}

Result<void> Mapping::resize(std::size_t bytes) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    const auto refuse = [&](Errc code, const char* why) {
      return std::unexpected(Error{
          code, 0, {}, "cannot resize a mapping to " + std::to_string(bytes) + " bytes: " + why});
    };
    if (data_ == nullptr || bytes == 0) return refuse(Errc::bad_argument, "it would be empty.");
    if (is_lost()) return refuse(Errc::damaged, "its file was shortened: map it anew.");
    if ((kind_ & is_growable_kind) == 0 && bytes > bytes_) {
      return refuse(Errc::not_supported,
                    "shared anonymous memory keeps its first size; use os/memory_file.hpp.");
    }
    if (mapped_bytes_ != bytes_) {
      return refuse(Errc::not_supported, "its huge pages keep their number.");
    }
    if (range_ != nullptr) kernel::hide_range(*range_);
    void* const moved = ::mremap(data_, mapped_bytes_, bytes, MREMAP_MAYMOVE);
    const int refused = moved == MAP_FAILED ? errno : 0;
    if (refused == 0) {
      data_ = static_cast<std::byte*>(moved);
      bytes_ = mapped_bytes_ = bytes;
    }
    if (range_ != nullptr) kernel::show_range(*range_, data_, bytes_);
    if (refused == 0) return {};
    const std::string tried = "resize a mapping to " + std::to_string(bytes) + " bytes";
    if (refused == ENOMEM || refused == EAGAIN) {
      return std::unexpected(
          failure(refused, "mremap", tried, Errc::out_of_memory, memory_limits()));
    }
    return std::unexpected(failure(refused, "mremap", tried));
  });
}

Result<void> Mapping::advise(Advice advice, Part part) const {
  const auto [begin, bytes] = pages_of(*this, part);
  if (::madvise(begin, bytes, advice_number(advice)) == 0) return {};
  const int refused = errno;
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    return std::unexpected(failure(refused, "madvise", "advise on a mapping"));
  });
}

namespace {

Result<void> write_back(const Mapping& mapping, Mapping::Part part, int how) {
  const auto [begin, bytes] = pages_of(mapping, part);
  if (::msync(begin, bytes, how) == 0) return {};
  const int refused = errno;
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    return std::unexpected(failure(refused, "msync", "write a mapping to its file"));
  });
}

}  // namespace

Result<void> Mapping::flush(Part part) const { return write_back(*this, part, MS_SYNC); }
Result<void> Mapping::start_flush(Part part) const { return write_back(*this, part, MS_ASYNC); }

Result<void> Mapping::lock(Part part) const {
  const auto [begin, bytes] = pages_of(*this, part);
  if (::mlock(begin, bytes) == 0) return {};
  const int refused = errno;
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    const std::string tried = "keep " + std::to_string(bytes) + " bytes in memory";
    // The kernel says ENOMEM for an unprivileged process that is over its limit, EPERM for one
    // whose limit is 0, and EAGAIN where the pages could not be brought in.
    rlimit limit{};
    ::getrlimit(RLIMIT_MEMLOCK, &limit);
    if (refused == EPERM || (refused == ENOMEM && limit.rlim_cur != RLIM_INFINITY)) {
      return std::unexpected(
          failure(refused, "mlock", tried, Errc::limit_reached,
                  "What one process may lock has a limit: " +
                      limit_text(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", "ulimit -l") +
                      ". Lock less, or raise it (limits.conf(5), or LimitMEMLOCK= of systemd)."));
    }
    return std::unexpected(failure(refused, "mlock", tried));
  });
}

Result<void> Mapping::unlock(Part part) const {
  const auto [begin, bytes] = pages_of(*this, part);
  if (::munlock(begin, bytes) == 0) return {};
  const int refused = errno;
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    return std::unexpected(failure(refused, "munlock", "let a mapping be swapped out again"));
  });
}

std::uint64_t Mapping::huge_bytes() const {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> maps(std::fopen("/proc/self/smaps", "re"),
                                                             std::fclose);
  const auto begin = reinterpret_cast<std::uintptr_t>(data_);
  const std::uintptr_t end = begin + mapped_bytes_;
  bool is_ours = false;
  std::uint64_t kilobytes = 0;
  char line[1024];
  while (maps && std::fgets(line, sizeof(line), maps.get()) != nullptr) {
    unsigned long long from = 0;
    unsigned long long to = 0;
    unsigned long long amount = 0;
    char field[32];
    if (std::sscanf(line, "%llx-%llx", &from, &to) == 2) {
      is_ours = from < end && begin < to;
    } else if (is_ours && std::sscanf(line, "%31[A-Za-z_]: %llu kB", field, &amount) == 2) {
      const std::string_view name = field;
      const bool is_huge = name == "AnonHugePages" || name == "ShmemPmdMapped" ||
                           name == "FilePmdMapped" || name == "Shared_Hugetlb" ||
                           name == "Private_Hugetlb";
      if (is_huge) kilobytes += amount;
    }
  }
  // A neighbour that the kernel has merged with this mapping is counted with it.
  return std::min<std::uint64_t>(kilobytes * 1024, mapped_bytes_);
}

}  // namespace signalbox::os
