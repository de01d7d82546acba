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
#include "os/lost_pages.hpp"
#include "os/process.hpp"

namespace signalbox::os {

namespace {

std::string range_text(std::size_t bytes, const char* of) {
  return "map " + std::to_string(bytes) + " bytes of " + of;
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

[[gnu::cold]] Error map_failure(int refused, std::size_t bytes, bool is_file, Pages pages) {
  std::string tried = range_text(bytes, is_file ? "a file" : "memory");
  switch (refused) {
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
      if (pages == Pages::huge) {
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

std::size_t page_bytes() noexcept {
  static const auto bytes = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  return bytes;
}

Result<Mapping> Mapping::place(int file, std::size_t bytes, int flags, const MapOptions& options) {
  if (bytes == 0) {
    return std::unexpected(bad_argument(
        range_text(0, "anything") + ": an empty mapping does not exist; give it a size first."));
  }
  const bool is_writable = options.access == Access::read_write;
  const int protection = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
  flags |= options.is_private ? MAP_PRIVATE : MAP_SHARED;
  if (options.is_populated) flags |= MAP_POPULATE;
  std::size_t mapped = bytes;
  if (options.pages == Pages::huge) {
    flags |= MAP_HUGETLB;
    mapped = rounded_up(bytes, huge_page_bytes());
  }
  void* const address =
      ::mmap(nullptr, mapped, protection, flags, file, static_cast<off_t>(options.offset));
  if (address == MAP_FAILED) {
    return std::unexpected(map_failure(errno, bytes, file >= 0, options.pages));
  }
  Mapping made;
  made.data_ = static_cast<std::byte*>(address);
  made.bytes_ = bytes;
  made.mapped_bytes_ = mapped;
  made.offset_ = options.offset;
  made.generation_ = options.is_in_children ? every_generation : fork_generation();
  made.is_writable_ = is_writable;
  if (!options.is_in_children) ::madvise(address, mapped, MADV_DONTFORK);
  // Where the kernel knows no huge pages it refuses, and huge_bytes() tells that there are none.
  if (options.pages == Pages::huge_if_there) ::madvise(address, mapped, MADV_HUGEPAGE);
  return made;
}

Result<Mapping> Mapping::map(const Fd& file, std::size_t bytes, const MapOptions& options) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<Mapping> {
    if (options.offset % page_bytes() != 0) {
      return std::unexpected(bad_argument(range_text(bytes, "a file") + " from byte " +
                                          std::to_string(options.offset) +
                                          ": the offset must be a multiple of the page's size, " +
                                          std::to_string(page_bytes()) + "."));
    }
    if (options.pages == Pages::huge) {
      return std::unexpected(Error{Errc::not_supported,
                                   0,
                                   {},
                                   "cannot map a file in huge pages of the pool: those are for "
                                   "anonymous memory here; ask for "
                                   "Pages::huge_if_there."});
    }
    auto made = place(file.get(), bytes, 0, options);
    if (made && options.is_guarded) {
      made->range_ = watch_range(made->data_, bytes, made->is_writable_, made->generation_);
    }
    return made;
  });
}

Result<Mapping> Mapping::map_all(const Fd& file, const MapOptions& options) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<Mapping> {
    const auto facts = facts_of(file);
    if (!facts) return std::unexpected(facts.error());
    const std::uint64_t rest = facts->bytes - std::min(facts->bytes, options.offset);
    if (rest > SIZE_MAX) {
      return std::unexpected(
          Error{Errc::out_of_memory, EOVERFLOW, "mmap",
                "cannot map a file of " + std::to_string(facts->bytes) +
                    " bytes at once: the address space is smaller; map parts of it."});
    }
    return map(file, static_cast<std::size_t>(rest), options);
  });
}

Result<Mapping> Mapping::anonymous(std::size_t bytes, const MapOptions& options) {
  return signalbox::detail::or_out_of_memory([&] {
    MapOptions of_nothing = options;
    of_nothing.offset = 0;
    auto made = place(-1, bytes, MAP_ANONYMOUS, of_nothing);
    if (made) made->is_growable_ = options.is_private;
    return made;
  });
}

Mapping::~Mapping() {
  if (range_ != nullptr) unwatch_range(*range_);  // a forked child has a table of its own
  // In a forked child that has it not, something else may lie there by now.
  const bool is_here = generation_ == every_generation || generation_ == fork_generation();
  if (data_ != nullptr && is_here) ::munmap(data_, mapped_bytes_);
}

void Mapping::swap(Mapping& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapped_bytes_, other.mapped_bytes_);
  std::swap(range_, other.range_);
  std::swap(offset_, other.offset_);
  std::swap(generation_, other.generation_);
  std::swap(is_writable_, other.is_writable_);
  std::swap(is_growable_, other.is_growable_);
}

bool Mapping::is_lost() const noexcept { return range_ != nullptr && range_->is_lost.load(); }

void Mapping::raise_when_lost(std::atomic<std::uint64_t>& word) noexcept {
  if (range_ != nullptr) range_->raised.store(&word);
}

void Mapping::look_for_loss(const Fd& file) const noexcept {
  if (range_ == nullptr) return;
  const bool is_short = signalbox::detail::done_unless_out_of_memory([&] {
    const auto facts = facts_of(file);
    return facts && facts->bytes < offset_ + bytes_;
  });
  if (is_short) range_->is_lost.store(true);
}

Result<void> Mapping::resize(std::size_t bytes) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    const auto refuse = [&](Errc code, const char* why) {
      return std::unexpected(Error{
          code, 0, {}, "cannot resize a mapping to " + std::to_string(bytes) + " bytes: " + why});
    };
    if (data_ == nullptr || bytes == 0) return refuse(Errc::bad_argument, "it would be empty.");
    if (is_lost()) return refuse(Errc::damaged, "its file was shortened: map it anew.");
    if (!is_growable_ && bytes > bytes_) {
      return refuse(Errc::not_supported,
                    "shared anonymous memory keeps its first size; use os/memory_file.hpp.");
    }
    if (mapped_bytes_ != bytes_) {
      return refuse(Errc::not_supported, "its huge pages keep their number.");
    }
    if (range_ != nullptr) hide_range(*range_);
    void* const moved = ::mremap(data_, mapped_bytes_, bytes, MREMAP_MAYMOVE);
    const int refused = moved == MAP_FAILED ? errno : 0;
    if (refused == 0) {
      data_ = static_cast<std::byte*>(moved);
      bytes_ = mapped_bytes_ = bytes;
    }
    if (range_ != nullptr) show_range(*range_, data_, bytes_);
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
