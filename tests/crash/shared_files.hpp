// shared_files.hpp: the files of a topic as an onlooker sees them: which there are, whether a byte
// changed, and a copy of them as of this moment.
//
//   Threads  one
//   Limits   the onlooker maps read-only and takes no lock, so that he is nobody's participant
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kill_driver {

std::set<std::string> names_in(const std::string& directory);

// Copies the regular files and named pipes whose names begin so, making the directory if need be.
// Locks are not copied: in the copy everyone is dead.
void copy_files(const std::string& from, const std::string& to, std::string_view prefix);

class SharedFiles {
 public:
  explicit SharedFiles(std::string directory) : directory_(std::move(directory)) {}
  ~SharedFiles() { unmap(); }
  SharedFiles(const SharedFiles&) = delete;
  SharedFiles& operator=(const SharedFiles&) = delete;

  // After a system call: true if names came or went since the last look.
  bool names_changed();
  // True if a byte of a named file changed since the last look.
  bool bytes_changed();

 private:
  struct File {
    std::string name;
    std::uint64_t inode = 0;
    const std::byte* live = nullptr;
    std::vector<std::byte> seen{};
  };
  static std::vector<File> look(const std::string& directory);
  void unmap();

  std::string directory_;
  std::vector<File> files_;
};

}  // namespace kill_driver
