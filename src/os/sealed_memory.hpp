// sealed_memory.hpp: memory without a name, of which the kernel promises what nobody can do to it.
//
//   Threads  an Fd belongs to one thread at a time
//   Crash    the memory goes with the last descriptor and the last mapping of it
//   Fork     a child holds copies of the descriptors; mappings see mapping.hpp
//   Limits   RLIMIT_NOFILE, the memory of the machine or of the control group
//   Manual   memfd_create(2), fcntl(2) "File Sealing"
#pragma once

#include <cstdint>
#include <string>

#include "os/file.hpp"

namespace signalbox::os {

// What can never happen again to memory that is sealed so. Its seals cannot be changed either.
enum class Seal {
  size,             // neither shorter nor longer, so touching what was checked is never SIGBUS
  foreign_writing,  // besides: written only through mappings that exist already, its maker's
  writing,          // besides: not written by anybody
};

// Reserves the bytes now. `name` is for /proc and for messages. Errors: no_space, out_of_memory,
// limit_reached, not_supported, system.
Result<Fd> create_memory(const std::string& name, std::uint64_t bytes);

// Errors: what the kernel says; `writing` is refused while the memory is mapped for writing.
Result<void> seal(const Fd& memory, Seal seal);

// Is this memory sealed like that, and all of it there? For what somebody else sent: it may be any
// kind of descriptor. Answers its size. Error: damaged, with what is missing.
Result<std::uint64_t> check_sealed(const Fd& memory, Seal seal);

}  // namespace signalbox::os
