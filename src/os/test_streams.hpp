// test_streams.hpp: for tests: bytes from text and back, a watchdog's deadline, a directory of
// one's own, and how many descriptors this process has open.
//
//   Threads  any     Crash  the directory stays     Fork  safe     Limits  none
#pragma once

#include <dirent.h>
#include <stdlib.h>

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "base/must.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"

namespace signalbox::os::test {

// A watchdog for what must come, never a measure.
inline Deadline soon() { return Deadline::after(std::chrono::seconds(60)); }

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What one call of a handle's read() brings.
template <class Handle>
std::string read_text(Handle& from, std::size_t bytes_max = 4096) {
  std::vector<std::byte> room(bytes_max);
  const std::size_t got = must(from.read(room, soon()));
  return text_of(std::span(room).first(got));
}
// Everything up to the end of the file.
template <class Handle>
std::string read_to_end(Handle& from) {
  std::string all;
  for (;;) {
    const std::string more = read_text(from, 65536);
    if (more.empty()) return all;
    all += more;
  }
}

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

class OwnDirectory {
 public:
  OwnDirectory() {
    std::string pattern = std::filesystem::temp_directory_path() / "sbx-streams-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = pattern;
  }
  ~OwnDirectory() { std::filesystem::remove_all(path_); }
  OwnDirectory(const OwnDirectory&) = delete;
  OwnDirectory& operator=(const OwnDirectory&) = delete;
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace signalbox::os::test
