#include "signalbox/os/memory_file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "os/failure.hpp"
#include "os/file.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

static_assert(static_cast<int>(Seals::seal) == F_SEAL_SEAL);
static_assert(static_cast<int>(Seals::shrink) == F_SEAL_SHRINK);
static_assert(static_cast<int>(Seals::grow) == F_SEAL_GROW);
static_assert(static_cast<int>(Seals::write) == F_SEAL_WRITE);
static_assert(static_cast<int>(Seals::future_write) == F_SEAL_FUTURE_WRITE);

std::string names_of(Seals seals) {
  std::string names;
  const auto add = [&](Seals seal, const char* name) {
    if ((seals & seal) != Seals::none) names.append(names.empty() ? "" : ", ").append(name);
  };
  add(Seals::shrink, "F_SEAL_SHRINK");
  add(Seals::grow, "F_SEAL_GROW");
  add(Seals::future_write, "F_SEAL_FUTURE_WRITE");
  add(Seals::write, "F_SEAL_WRITE");
  add(Seals::exec, "F_SEAL_EXEC");
  add(Seals::seal, "F_SEAL_SEAL");
  return names;
}

Error damaged(std::string what) { return {Errc::damaged, 0, {}, std::move(what)}; }

// None where it is no memory that can be sealed.
Seals seals_of(const Fd& memory) noexcept {
  const int seals = ::fcntl(memory.get(), F_GET_SEALS);
  return static_cast<Seals>(seals < 0 ? 0 : seals);
}

}  // namespace

Result<MemoryFile> MemoryFile::create_after(long refused, const char* label,
                                            std::uint64_t bytes) noexcept {
  return or_out_of_memory([&]() -> Result<MemoryFile> {
    // Before Linux 6.3. Newer kernels that are told to refuse memory that could be executed want it
    // said that it is not.
    if (refused == -EINVAL) refused = kernel::create_memory(label, kernel::memory_plain);
    if (refused < 0) {
      return std::unexpected(failure(static_cast<int>(-refused), "memfd_create",
                                     std::string("create memory for ") + label));
    }
    Fd memory(static_cast<int>(refused));
    const long unreserved = bytes == 0 ? 0 : kernel::reserve(memory.get(), bytes);
    if (unreserved == 0) return MemoryFile(std::move(memory));
    return reserve_after(unreserved, std::move(memory), label, bytes);
  });
}

Result<MemoryFile> MemoryFile::reserve_after(long refused, Fd memory, const char* label,
                                             std::uint64_t bytes) noexcept {
  while (refused == kernel::interrupted) refused = kernel::reserve(memory.get(), bytes);
  if (refused == 0) return MemoryFile(std::move(memory));
  if (refused == -EINVAL && bytes > INT64_MAX) refused = -EFBIG;
  return or_out_of_memory([&]() -> Result<MemoryFile> {
    return std::unexpected(
        failure(static_cast<int>(-refused), "fallocate",
                "reserve " + std::to_string(bytes) + " bytes of memory for " + label));
  });
}

Result<MemoryFile> MemoryFile::adopt(Fd memory, Seals required) {
  return or_out_of_memory([&]() -> Result<MemoryFile> {
    if (const auto bytes = check_sealed(memory, required); !bytes) {
      Error error = bytes.error();
      error.text = "cannot use the memory that was handed over: " + error.text;
      return std::unexpected(std::move(error));
    }
    return MemoryFile(std::move(memory));
  });
}

Result<void> MemoryFile::add_seals(Seals seals) { return os::add_seals(fd_, seals); }

Result<Seals> MemoryFile::seals() const {
  const int seals = ::fcntl(fd_.get(), F_GET_SEALS);
  if (seals >= 0) return static_cast<Seals>(seals);
  const int refused = errno;
  return or_out_of_memory([&]() -> Result<Seals> {
    return std::unexpected(failure(refused, "fcntl(F_GET_SEALS)", "ask for the seals of memory"));
  });
}

Result<std::uint64_t> MemoryFile::size() const {
  return or_out_of_memory([&]() -> Result<std::uint64_t> {
    const auto facts = facts_of(fd_);
    if (!facts) return std::unexpected(facts.error());
    return facts->bytes;
  });
}

Result<void> MemoryFile::resize(std::uint64_t bytes) {
  const auto before = size();
  if (!before) return std::unexpected(before.error());
  const auto [refused, call] = set_size(fd_, *before, bytes);
  if (refused == 0) return {};
  return or_out_of_memory([&]() -> Result<void> {
    std::string tried =
        "give " + std::to_string(bytes) + " bytes to memory that has " + std::to_string(*before);
    if (refused != EPERM) return std::unexpected(failure(refused, call, std::move(tried)));
    return std::unexpected(failure(refused, call, std::move(tried), Errc::permission_denied,
                                   "It is sealed: " + names_of(seals_of(fd_)) + "."));
  });
}

Result<void> add_seals(const Fd& memory, Seals seals) {
  // F_SEAL_SEAL takes effect with the rest of the same call.
  if (::fcntl(memory.get(), F_ADD_SEALS, static_cast<int>(seals)) == 0) return {};
  const int refused = errno;
  return or_out_of_memory([&]() -> Result<void> {
    constexpr std::string_view call = "fcntl(F_ADD_SEALS)";
    std::string tried = "seal memory with " + names_of(seals);
    if (refused == EBUSY) {
      return std::unexpected(failure(refused, call, std::move(tried), Errc::would_block,
                                     "Somebody has it mapped for writing: unmap it everywhere "
                                     "first, or use Seals::future_write."));
    }
    if (refused == EPERM) {
      return std::unexpected(failure(
          refused, call, std::move(tried), Errc::permission_denied,
          "It has " + names_of(seals_of(memory)) +
              "; with F_SEAL_SEAL among them, or open for reading only, no more are added."));
    }
    return std::unexpected(failure(refused, call, std::move(tried)));
  });
}

Result<std::uint64_t> check_sealed(const Fd& memory, Seals required) {
  const int seals = ::fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0) return std::unexpected(damaged("it is no memory that can be sealed."));
  const auto missing =
      static_cast<Seals>(static_cast<std::uint32_t>(required) & ~static_cast<std::uint32_t>(seals));
  if (missing != Seals::none) {
    return std::unexpected(damaged("it is not sealed: " + names_of(missing) + " is missing."));
  }
  // Huge pages can be sealed too, but reserve and map by other rules.
  struct statfs fs{};
  if (::fstatfs(memory.get(), &fs) != 0 || fs.f_type != TMPFS_MAGIC) {
    return std::unexpected(damaged("it is memory of another kind (huge pages?)."));
  }
  const auto facts = facts_of(memory);
  if (!facts) return std::unexpected(facts.error());
  if (facts->reserved_bytes < facts->bytes) {
    return std::unexpected(damaged("only " + std::to_string(facts->reserved_bytes) + " of its " +
                                   std::to_string(facts->bytes) + " bytes are there."));
  }
  return facts->bytes;
}

}  // namespace signalbox::os
