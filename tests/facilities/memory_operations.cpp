#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "attempt.hpp"
#include "joined.hpp"
#include "signalbox/os/mapped_file.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/memory_file.hpp"
#include "signalbox/os/shared_memory.hpp"

namespace facilities {

namespace {

using namespace signalbox::os;

constexpr std::uint64_t kBytes = 8192;
const MapOptions kWritable{.access = Access::read_write};

std::string unless_mode(const std::string& path, unsigned mode) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return "there is no " + path;
  return unless((facts.st_mode & 0777U) == mode, "it has another mode than asked for");
}

std::vector<Operation> of_shared_memory() {
  return {
      {"SharedMemoryCreate",
       [](const Ground& ground) {
         return making<SharedMemory>(
             [&] { return SharedMemory::create(ground.name(), kBytes, {.mode = 0626}); },
             [&](SharedMemory& memory) {
               if (memory.size().value() != kBytes) return std::string("another size");
               return unless_mode("/dev/shm" + ground.name(), 0626);
             },
             ground.name());
       }},
      {"SharedMemoryOpen",
       [](const Ground& ground) {
         static_cast<void>(SharedMemory::create(ground.name(), kBytes).value());
         return making<SharedMemory>(
             [&] { return SharedMemory::open(ground.name(), Access::read_write); }, {},
             ground.name());
       }},
      {"SharedMemoryOpenOrCreate",
       [](const Ground& ground) {
         return making<SharedMemory>(
             [&] { return SharedMemory::open_or_create(ground.name(), kBytes); },
             [](SharedMemory& memory) {
               return unless(memory.size().value() == kBytes, "another size");
             },
             ground.name());
       }},
      {"SharedMemoryUnlink",
       [](const Ground& ground) {
         static_cast<void>(SharedMemory::create(ground.name(), kBytes).value());
         return Attempt{[&] { return SharedMemory::unlink(ground.name()); }, {}, ground.name()};
       },
       true},
      {"SharedMemoryResize",
       [](const Ground& ground) {
         return with<SharedMemory>(
             SharedMemory::create(ground.name(), kBytes).value(),
             [](SharedMemory& memory) { return memory.resize(3 * kBytes); },
             [](SharedMemory& memory) {
               return unless(memory.size().value() == 3 * kBytes, "another size");
             },
             ground.name());
       }},
      {"SharedMemoryMap",
       [](const Ground& ground) {
         auto memory =
             std::make_shared<SharedMemory>(SharedMemory::create(ground.name(), kBytes).value());
         return making<Mapping>([memory] { return memory->map(kWritable); },
                                [](Mapping& mapping) {
                                  mapping.data()[kBytes - 1] = std::byte{1};
                                  return unless(mapping.size() == kBytes, "another size");
                                });
       }},
  };
}

MemoryFile memory_file() { return MemoryFile::create("proof", kBytes).value(); }

std::vector<Operation> of_memory_file() {
  return {
      {"MemoryFileCreate",
       [](const Ground&) {
         return making<MemoryFile>(
             [] { return MemoryFile::create("proof", kBytes); },
             [](MemoryFile& memory) { return unless(memory.size().value() == kBytes, "size"); });
       }},
      {"MemoryFileSeal",
       [](const Ground&) {
         return with<MemoryFile>(
             memory_file(), [](MemoryFile& memory) { return memory.add_seals(sealed_contents); },
             [](MemoryFile& memory) {
               return unless((memory.seals().value() & sealed_contents) == sealed_contents,
                             "seals");
             });
       }},
      {"MemoryFileResize",
       [](const Ground&) {
         return with<MemoryFile>(
             memory_file(), [](MemoryFile& memory) { return memory.resize(2 * kBytes); },
             [](MemoryFile& memory) {
               return unless(memory.size().value() == 2 * kBytes, "another size");
             });
       }},
      {"MemoryFileShrink",
       [](const Ground&) {
         return with<MemoryFile>(
             memory_file(), [](MemoryFile& memory) { return memory.resize(1); },
             [](MemoryFile& memory) { return unless(memory.size().value() == 1, "size"); });
       }},
  };
}

std::vector<Operation> of_mapped_file() {
  return {
      {"MappedFileCreate",
       [](const Ground& ground) {
         return making<MappedFile>(
             [&] { return MappedFile::create(ground.path("file"), kBytes, 0626, kWritable); },
             [&](MappedFile&) { return unless_mode(ground.path("file"), 0626); }, ground.folder());
       }},
      {"MappedFileOpen",
       [](const Ground& ground) {
         std::ofstream(ground.path("file")) << std::string(kBytes, 'x');
         return making<MappedFile>(
             [&] { return MappedFile::open(ground.path("file"), kWritable); },
             [](MappedFile& file) {
               return unless(file.mapping().data()[kBytes - 1] == std::byte{'x'}, "bytes");
             },
             ground.folder());
       }},
      {"MappedFileResize",
       [](const Ground& ground) {
         return with<MappedFile>(
             MappedFile::create(ground.path("file"), kBytes, 0600, kWritable).value(),
             [](MappedFile& file) { return file.resize(4 * kBytes); },
             [](MappedFile& file) {
               file.mapping().data()[4 * kBytes - 1] = std::byte{1};
               return unless(file.mapping().size() == 4 * kBytes, "another size");
             });
       }},
      {"FileSearchNext",
       [](const Ground& ground) {
         std::ofstream(ground.path("file")) << std::string(3 * kBytes, '.') << "needle";
         const auto file =
             std::make_shared<MappedFile>(MappedFile::open(ground.path("file"), {}).value());
         return Attempt{[file]() -> Result<void> {
           auto search = FileSearch::create(file->fd(), "needle", 0, 4096);
           if (!search) return done(std::move(search));
           auto found = search->next();
           if (found && *found != 3 * kBytes) std::abort();
           return done(std::move(found));
         }};
       }},
  };
}

std::vector<Operation> of_mapping() {
  return {
      {"MappingAnonymous",
       [](const Ground&) {
         return making<Mapping>([] { return Mapping::anonymous(kBytes, kWritable); },
                                [](Mapping& mapping) {
                                  mapping.data()[kBytes - 1] = std::byte{1};
                                  return unless(mapping.size() == kBytes, "another size");
                                });
       }},
      {"MappingFlush",
       [](const Ground& ground) {
         return with<MappedFile>(
             MappedFile::create(ground.path("file"), kBytes, 0600, kWritable).value(),
             [](MappedFile& file) { return file.mapping().flush(); });
       }},
      {"MappingLock",
       [](const Ground&) {
         return with<Mapping>(Mapping::anonymous(kBytes, kWritable).value(),
                              [](Mapping& mapping) { return mapping.lock(); });
       }},
      {"MappingAdvise",
       [](const Ground&) {
         return with<Mapping>(Mapping::anonymous(kBytes, kWritable).value(),
                              [](Mapping& mapping) { return mapping.advise(Advice::random); });
       }},
  };
}

}  // namespace

std::vector<Operation> memory_operations() {
  return joined<Operation>({of_shared_memory(), of_memory_file(), of_mapped_file(), of_mapping()});
}

}  // namespace facilities
