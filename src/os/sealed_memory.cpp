#include "os/sealed_memory.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "os/failure.hpp"

namespace signalbox::os {

namespace {

// Linux 6.3; kernels that may be told to refuse memory that could be executed want it named.
constexpr unsigned no_execution = 0x0008;
constexpr int size_seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr std::size_t name_bytes_max = 249;  // memfd_create(2)

int seals_of(Seal seal) noexcept {
  switch (seal) {
    case Seal::size:
      return size_seals;
    case Seal::foreign_writing:
      return size_seals | F_SEAL_FUTURE_WRITE;
    case Seal::writing:
      break;
  }
  return size_seals | F_SEAL_WRITE;
}

std::string names_of(int seals) {
  std::string names;
  const auto add = [&](int seal, const char* name) {
    if ((seals & seal) != 0) names.append(names.empty() ? "" : ", ").append(name);
  };
  add(F_SEAL_SHRINK, "F_SEAL_SHRINK");
  add(F_SEAL_GROW, "F_SEAL_GROW");
  add(F_SEAL_FUTURE_WRITE, "F_SEAL_FUTURE_WRITE");
  add(F_SEAL_WRITE, "F_SEAL_WRITE");
  add(F_SEAL_SEAL, "F_SEAL_SEAL");
  return names;
}

Error damaged(std::string what) { return {Errc::damaged, 0, {}, std::move(what)}; }

}  // namespace

Result<Fd> create_memory(const std::string& name, std::uint64_t bytes) {
  const std::string label = name.substr(0, std::min(name.size(), name_bytes_max));
  constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  Fd memory(::memfd_create(label.c_str(), flags | no_execution));
  if (!memory.is_open() && errno == EINVAL) memory = Fd(::memfd_create(label.c_str(), flags));
  if (!memory.is_open()) {
    return std::unexpected(failure(errno, "memfd_create", "create memory for " + name));
  }
  if (const int refused = reserve(memory, bytes); refused != 0) {
    return std::unexpected(failure(
        refused, "fallocate", "reserve " + std::to_string(bytes) + " bytes of memory for " + name));
  }
  return memory;
}

Result<void> seal(const Fd& memory, Seal seal) {
  // F_SEAL_SEAL takes effect with the rest of the same call.
  if (::fcntl(memory.get(), F_ADD_SEALS, seals_of(seal)) == 0) return {};
  return std::unexpected(failure(errno, "fcntl(F_ADD_SEALS)", "seal memory"));
}

Result<std::uint64_t> check_sealed(const Fd& memory, Seal seal) {
  const int seals = ::fcntl(memory.get(), F_GET_SEALS);
  if (seals < 0) return std::unexpected(damaged("it is no memory that can be sealed."));
  if (const int missing = seals_of(seal) & ~seals; missing != 0) {
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
