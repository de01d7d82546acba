#include "shared_files.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace kill_driver {

namespace fs = std::filesystem;

std::set<std::string> names_in(const std::string& directory) {
  std::set<std::string> names;
  std::error_code none;  // a directory that is not there has no names in it
  for (const auto& entry : fs::directory_iterator(directory, none)) {
    names.insert(entry.path().filename());
  }
  return names;
}

void copy_files(const std::string& from, const std::string& to, std::string_view prefix) {
  fs::create_directories(to);
  for (const std::string& name : names_in(from)) {
    if (!name.starts_with(prefix)) continue;
    const fs::path source = fs::path(from) / name;
    const fs::path copy = fs::path(to) / name;
    if (fs::is_fifo(source)) {
      ::mkfifo(copy.c_str(), 0600);
    } else {
      fs::copy_file(source, copy);
    }
  }
}

std::vector<SharedFiles::File> SharedFiles::look(const std::string& directory) {
  std::vector<File> files;
  for (const std::string& name : names_in(directory)) {
    struct stat facts{};
    if (::stat((directory + "/" + name).c_str(), &facts) != 0) continue;
    files.push_back({.name = name, .inode = facts.st_ino});
  }
  return files;
}

bool SharedFiles::names_changed() {
  std::vector<File> now = look(directory_);
  const auto same = [](const File& a, const File& b) {
    return a.name == b.name && a.inode == b.inode;
  };
  if (std::ranges::equal(now, files_, same)) return false;
  unmap();
  files_ = std::move(now);
  for (File& file : files_) {
    const int fd =
        ::open((directory_ + "/" + file.name).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat facts{};
    if (fd < 0) continue;
    if (::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode)) {
      const auto bytes = static_cast<std::size_t>(facts.st_size);
      void* const at = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
      if (at != MAP_FAILED) {
        file.live = static_cast<const std::byte*>(at);
        file.seen.assign(file.live, file.live + bytes);
      }
    }
    ::close(fd);
  }
  return true;
}

bool SharedFiles::bytes_changed() {
  bool changed = false;
  for (File& file : files_) {
    if (file.seen.empty() || std::memcmp(file.seen.data(), file.live, file.seen.size()) == 0) {
      continue;
    }
    std::memcpy(file.seen.data(), file.live, file.seen.size());
    changed = true;
  }
  return changed;
}

void SharedFiles::unmap() {
  for (const File& file : files_) {
    if (file.seen.empty()) continue;
    ::munmap(const_cast<std::byte*>(file.live), file.seen.size());
  }
  files_.clear();
}

}  // namespace kill_driver
