// foreign_page.hpp: the page of a participant, read without mapping it.
//
//   Threads  one at a time
//   Crash    nothing to lose; nothing is written or locked
//   Fork     nothing is shared but the open file
//   Limits   one descriptor
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "os/file.hpp"
#include "topic/layout.hpp"
#include "topic/place.hpp"
#include "topic/segment.hpp"

namespace signalbox::inspect {

// A copy of the first bytes of a segment whose header was checked.
class ForeignPage {
 public:
  // Errors: damaged, layout_mismatch, not_found, permission_denied, limit_reached, system.
  static Result<ForeignPage> open(const os::Fd& directory, const std::string& name,
                                  const std::string& path, topic::SegmentKind kind);

  // The same of memory that somebody sent, once its seals were checked.
  static Result<ForeignPage> of_memory(os::Fd memory, const std::string& path,
                                       topic::SegmentKind kind, std::uint64_t incarnation,
                                       os::Seals seal);

  const os::Fd& file() const noexcept { return file_; }
  os::Fd take_file() noexcept { return std::move(file_); }
  const topic::SegmentHeader& header() const noexcept { return header_; }
  std::uint64_t file_bytes() const noexcept { return file_bytes_; }
  std::string program() const;
  // A field of the copy, which has the size of the kind's page.
  template <class T>
  T field(std::size_t offset) const noexcept {
    T value;
    std::memcpy(&value, copy_.data() + offset, sizeof(value));
    return value;
  }

 private:
  os::Fd file_;
  std::uint64_t file_bytes_ = 0;
  topic::SegmentHeader header_{};
  std::vector<std::byte> copy_;
};

// Has the owner said that it is closed? Asked of the file itself, which may have lost its name.
bool says_closed(const os::Fd& file, topic::Role role) noexcept;

// Without control characters: it is for people's terminals, and others chose the bytes.
std::string printable(std::string text);

// The topic's name from its directory's, in which '+' stands for '/'.
std::string topic_of_directory(std::string name);

}  // namespace signalbox::inspect
