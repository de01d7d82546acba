// Memory that is opened or made, mapped, written once, and let go.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>

#include "bench/scratch_domain.hpp"
#include "bench/wrapped_call.hpp"
#include "signalbox/os/mapped_file.hpp"
#include "signalbox/os/memory_file.hpp"
#include "signalbox/os/shared_memory.hpp"

namespace bench {

namespace {

using namespace signalbox::os;

constexpr std::size_t bytes_mapped = 8192;

void touch(const Mapping& mapping) { mapping.data()[0] = std::byte{1}; }

void map_and_touch(int fd) {
  struct stat facts;
  must(::fstat(fd, &facts) == 0);
  const auto bytes = static_cast<std::size_t>(facts.st_size);
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  must(at != MAP_FAILED);
  *static_cast<std::byte*>(at) = std::byte{1};
  must(::munmap(at, bytes) == 0);
}

// A name of shared memory, which goes with its object.
struct Named {
  std::string name = scratch_shm_name();
  Named() { must(SharedMemory::create(name, bytes_mapped)); }
  Named(const Named&) = delete;
  Named& operator=(const Named&) = delete;
  ~Named() { ::shm_unlink(name.c_str()); }
};

auto our_shared_memory() {
  return [named = std::make_unique<Named>()] {
    const auto memory = SharedMemory::open(named->name, Access::read_write);
    must(memory.has_value());
    const auto mapping = memory->map({.access = Access::read_write});
    must(mapping.has_value());
    touch(*mapping);
  };
}

auto bare_shared_memory() {
  return [named = std::make_unique<Named>()] {
    const int fd = ::shm_open(named->name.c_str(), O_RDWR | O_CLOEXEC, 0);
    must(fd >= 0);
    map_and_touch(fd);
    ::close(fd);
  };
}

auto our_memory_file() {
  return [] {
    const auto memory = MemoryFile::create("bench", bytes_mapped);
    must(memory.has_value());
    const auto mapping = memory->map({.access = Access::read_write});
    must(mapping.has_value());
    touch(*mapping);
  };
}

auto bare_memory_file() {
  return [] {
    const int fd = ::memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x0008U);
    must(fd >= 0);
    must(::fallocate(fd, 0, 0, bytes_mapped) == 0);
    map_and_touch(fd);
    ::close(fd);
  };
}

// A file that goes with its object.
struct OnDisk {
  std::string path = scratch_directory() + "/mapped";
  OnDisk() { must(MappedFile::create(path, bytes_mapped, 0600, {})); }
  OnDisk(const OnDisk&) = delete;
  OnDisk& operator=(const OnDisk&) = delete;
  ~OnDisk() { ::unlink(path.c_str()); }
};

auto our_mapped_file() {
  return [file = std::make_unique<OnDisk>()] {
    const auto mapped = MappedFile::open(file->path, {.access = Access::read_write});
    must(mapped.has_value());
    touch(mapped->mapping());
  };
}

auto bare_mapped_file() {
  return [file = std::make_unique<OnDisk>()] {
    const int fd = ::open(file->path.c_str(), O_RDWR | O_CLOEXEC);
    must(fd >= 0);
    map_and_touch(fd);
    ::close(fd);
  };
}

}  // namespace

std::vector<WrappedCall> memory_calls() {
  return {
      {"shared memory map", "shm_open to munmap", many_of(our_shared_memory),
       many_of(bare_shared_memory)},
      {"memfd", "memfd_create to munmap", many_of(our_memory_file), many_of(bare_memory_file)},
      {"mapped file", "open to munmap", many_of(our_mapped_file), many_of(bare_mapped_file)},
  };
}

}  // namespace bench
