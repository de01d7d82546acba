// Shared memory objects and sealed memory files by bare calls.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "actor.hpp"

namespace signalbox::scenarios {

namespace {

struct Memory {
  int fd = -1;
  char* bytes = nullptr;
  std::size_t size = 0;
};
std::map<std::string, Memory> memories;

std::string map(const std::string& name, int fd, int protection) {
  struct stat status{};
  if (fd < 0 || ::fstat(fd, &status) != 0) return answer_of(-1);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* const bytes = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) {
    const std::string answer = answer_of(-1);
    ::close(fd);
    return answer;
  }
  memories[name] = {fd, static_cast<char*>(bytes), size};
  return ok();
}

// shm_create NAME OBJECT BYTES [MODE]
std::string create(const Words& words) {
  const auto mode = static_cast<mode_t>(words.has(3) ? std::stoi(words[3], nullptr, 8) : 0600);
  const int fd = ::shm_open(words[1].c_str(), O_RDWR | O_CREAT | O_EXCL, mode);
  if (fd < 0) return answer_of(-1);
  if (::ftruncate(fd, words.number(2)) != 0) return answer_of(-1);
  return map(words[0], fd, PROT_READ | PROT_WRITE);
}

// shm_open NAME OBJECT [r]
std::string open(const Words& words) {
  const bool reads_only = words.has(2);
  const int fd = ::shm_open(words[1].c_str(), reads_only ? O_RDONLY : O_RDWR, 0);
  return map(words[0], fd, reads_only ? PROT_READ : PROT_READ | PROT_WRITE);
}

// memory_write NAME OFFSET TEXT
std::string write(const Words& words) {
  const Memory& memory = memories.at(words[0]);
  const std::string bytes = words.bytes(2);
  const auto offset = static_cast<std::size_t>(words.number(1));
  if (offset + bytes.size() > memory.size) return "EINVAL";
  std::memcpy(memory.bytes + offset, bytes.data(), bytes.size());
  return ok();
}

// memory_read NAME OFFSET COUNT
std::string read(const Words& words) {
  const Memory& memory = memories.at(words[0]);
  const auto offset = static_cast<std::size_t>(words.number(1));
  const auto count = static_cast<std::size_t>(words.number(2));
  if (offset + count > memory.size) return "EINVAL";
  std::string bytes(memory.bytes + offset, count);
  for (char& byte : bytes) {
    if (byte == '\0') byte = '.';  // an answer is a line of text
  }
  return ok(word_of(bytes));
}

std::string close(const Words& words) {
  const Memory memory = memories.at(words[0]);
  memories.erase(words[0]);
  ::munmap(memory.bytes, memory.size);
  return answer_of(::close(memory.fd));
}

// memfd_create NAME BYTES
std::string create_file(const Words& words) {
  const int fd = ::memfd_create("scenario", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0 || ::ftruncate(fd, words.number(1)) != 0) return answer_of(-1);
  memories[words[0]] = {fd, nullptr, 0};
  return ok();
}

const std::map<std::string, int>& seals() {
  static const std::map<std::string, int> all = {{"shrink", F_SEAL_SHRINK},
                                                 {"grow", F_SEAL_GROW},
                                                 {"write", F_SEAL_WRITE},
                                                 {"seal", F_SEAL_SEAL}};
  return all;
}

// memfd_seal NAME SEAL...
std::string seal(const Words& words) {
  int set = 0;
  for (std::size_t i = 1; i < words.count(); ++i) set |= seals().at(words[i]);
  return answer_of(::fcntl(memories.at(words[0]).fd, F_ADD_SEALS, set));
}

std::string which_seals(const Words& words) {
  const int set = ::fcntl(memories.at(words[0]).fd, F_GET_SEALS);
  if (set < 0) return answer_of(set);
  std::string answer = "ok";
  for (const auto& [name, bit] : seals()) answer += (set & bit) != 0 ? " " + name : "";
  return answer;
}

// memfd_write NAME OFFSET TEXT
std::string write_file(const Words& words) {
  const std::string bytes = words.bytes(2);
  const ssize_t count =
      ::pwrite(memories.at(words[0]).fd, bytes.data(), bytes.size(), words.number(1));
  return count < 0 ? answer_of(count) : ok(count);
}

// memfd_read NAME OFFSET COUNT
std::string read_file(const Words& words) {
  std::string bytes(static_cast<std::size_t>(words.number(2)), '\0');
  const ssize_t count =
      ::pread(memories.at(words[0]).fd, bytes.data(), bytes.size(), words.number(1));
  if (count < 0) return answer_of(count);
  return ok(word_of(bytes.substr(0, static_cast<std::size_t>(count))));
}

// memfd_map NAME [r]: a mapping that stays until memfd_unmap.
std::string map_file(const Words& words) {
  Memory& memory = memories.at(words[0]);
  struct stat status{};
  ::fstat(memory.fd, &status);
  void* const bytes =
      ::mmap(nullptr, static_cast<std::size_t>(status.st_size),
             words.has(1) ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, memory.fd, 0);
  if (bytes == MAP_FAILED) return answer_of(-1);
  memory.bytes = static_cast<char*>(bytes);
  memory.size = static_cast<std::size_t>(status.st_size);
  return ok();
}

}  // namespace

void offer_shared_memory(Actor& actor) {
  actor.offer("shm_create", create);
  actor.offer("shm_open", open);
  actor.offer("shm_unlink",
              [](const Words& words) { return answer_of(::shm_unlink(words[0].c_str())); });
  actor.offer("memory_write", write);
  actor.offer("memory_read", read);
  actor.offer("memory_close", close);
  actor.offer("memfd_create", create_file);
  actor.offer("memfd_seal", seal);
  actor.offer("memfd_seals", which_seals);
  actor.offer("memfd_resize", [](const Words& words) {
    return answer_of(::ftruncate(memories.at(words[0]).fd, words.number(1)));
  });
  actor.offer("memfd_write", write_file);
  actor.offer("memfd_read", read_file);
  actor.offer("memfd_map", map_file);
  actor.offer("memfd_unmap", [](const Words& words) {
    const Memory& memory = memories.at(words[0]);
    return answer_of(::munmap(memory.bytes, memory.size));
  });
}

}  // namespace signalbox::scenarios
