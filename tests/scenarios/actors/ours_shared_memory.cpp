// Shared memory objects by os::SharedMemory, sealed memory by os::MemoryFile.
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "actor.hpp"
#include "ours.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/memory_file.hpp"
#include "signalbox/os/shared_memory.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, os::Mapping> mappings;
std::map<std::string, os::MemoryFile> files;

std::string map(const std::string& name, const Result<os::SharedMemory>& memory,
                os::Access access) {
  if (!memory) return answer_of(memory.error());
  return keep(mappings, name, memory->map({.access = access}));
}

std::string create(const Words& words) {
  return map(words[0],
             os::SharedMemory::create(words[1], static_cast<std::uint64_t>(words.number(2)),
                                      {.mode = mode_of(words, 3)}),
             os::Access::read_write);
}

std::string open(const Words& words) {
  const auto access = words.has(2) ? os::Access::read : os::Access::read_write;
  return map(words[0], os::SharedMemory::open(words[1], access), access);
}

std::string write(const Words& words) {
  const auto room = mappings.at(words[0]).writable_bytes();
  const std::string bytes = words.bytes(2);
  const auto offset = static_cast<std::size_t>(words.number(1));
  if (offset + bytes.size() > room.size()) return "EINVAL";
  std::memcpy(room.data() + offset, bytes.data(), bytes.size());
  return ok();
}

std::string read(const Words& words) {
  const auto memory = mappings.at(words[0]).bytes();
  const auto offset = static_cast<std::size_t>(words.number(1));
  const auto count = static_cast<std::size_t>(words.number(2));
  if (offset + count > memory.size()) return "EINVAL";
  std::string bytes(reinterpret_cast<const char*>(memory.data()) + offset, count);
  std::replace(bytes.begin(), bytes.end(), '\0', '.');  // an answer is a line of text
  return ok(word_of(bytes));
}

std::string create_file(const Words& words) {
  return keep(files, words[0],
              os::MemoryFile::create("scenario", static_cast<std::uint64_t>(words.number(1))));
}

const std::map<std::string, os::Seals>& all_seals() {
  static const std::map<std::string, os::Seals> all = {{"shrink", os::Seals::shrink},
                                                       {"grow", os::Seals::grow},
                                                       {"write", os::Seals::write},
                                                       {"seal", os::Seals::seal}};
  return all;
}

std::string seal(const Words& words) {
  auto set = os::Seals::none;
  for (std::size_t i = 1; i < words.count(); ++i) set = set | all_seals().at(words[i]);
  return answer_of(files.at(words[0]).add_seals(set));
}

std::string which_seals(const Words& words) {
  const auto set = files.at(words[0]).seals();
  std::string answer = answer_of(set);
  if (!set) return answer;
  for (const auto& [name, bit] : all_seals()) {
    if ((*set & bit) != os::Seals::none) answer += " " + name;
  }
  return answer;
}

// Ours are written through mappings. That the kernel keeps their seals is asked of the descriptor.
std::string write_file(const Words& words) {
  const std::string bytes = words.bytes(2);
  const ssize_t count =
      ::pwrite(files.at(words[0]).fd().get(), bytes.data(), bytes.size(), words.number(1));
  return count < 0 ? answer_of(count) : ok(count);
}

std::string read_file(const Words& words) {
  const auto mapping = files.at(words[0]).map({.access = os::Access::read});
  if (!mapping) return answer_of(mapping.error());
  const auto bytes = mapping->bytes().subspan(static_cast<std::size_t>(words.number(1)),
                                              static_cast<std::size_t>(words.number(2)));
  return ok(word_of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
}

}  // namespace

void offer_shared_memory(Actor& actor) {
  actor.offer("shm_create", create);
  actor.offer("shm_open", open);
  actor.offer("shm_unlink",
              [](const Words& words) { return answer_of(os::SharedMemory::unlink(words[0])); });
  actor.offer("memory_write", write);
  actor.offer("memory_read", read);
  actor.offer("memory_close", [](const Words& words) {
    mappings.erase(words[0]);
    return ok();
  });
  actor.offer("memfd_create", create_file);
  actor.offer("memfd_seal", seal);
  actor.offer("memfd_seals", which_seals);
  actor.offer("memfd_resize", [](const Words& words) {
    return answer_of(files.at(words[0]).resize(static_cast<std::uint64_t>(words.number(1))));
  });
  actor.offer("memfd_write", write_file);
  actor.offer("memfd_read", read_file);
  actor.offer("memfd_map", [](const Words& words) {
    const auto access = words.has(1) ? os::Access::read : os::Access::read_write;
    return keep(mappings, words[0], files.at(words[0]).map({.access = access}));
  });
  actor.offer("memfd_unmap", [](const Words& words) {
    mappings.erase(words[0]);
    return ok();
  });
}

}  // namespace signalbox::scenarios
