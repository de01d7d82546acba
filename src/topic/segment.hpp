// segment.hpp: files that are complete before they have a name, and checked before they are used.
//
//   Threads  one at a time
//   Crash    a segment without a name vanishes with its creator
//   Fork     see os/mapping.hpp
//   Limits   free space of the file system
#pragma once

#include <cstdint>
#include <string>

#include "os/file.hpp"
#include "os/mapping.hpp"
#include "topic/layout.hpp"

namespace signalbox::topic {

inline constexpr unsigned file_mode = 0600;
inline constexpr unsigned directory_mode = 0700;

// A new segment: bytes reserved, mapped for writing, its header filled in, not yet named.
struct NewSegment {
  os::Fd file;
  os::Mapping mapping;
};
Result<NewSegment> create_segment(const os::Fd& directory, const std::string& path,
                                  SegmentKind kind, std::uint64_t incarnation,
                                  std::uint64_t total_bytes, std::uint32_t header_bytes);

// A segment somebody else made.
struct OpenSegment {
  os::Fd file;
  os::Mapping mapping;
};
// Opens and checks it: long enough, ours by magic, this byte order and layout, this kind.
// `path` is for messages. Errors: damaged, layout_mismatch, not_found, permission_denied.
Result<OpenSegment> open_segment(const os::Fd& directory, const std::string& name,
                                 const std::string& path, SegmentKind kind,
                                 std::uint32_t header_bytes, os::Access access);

// Judges a private copy of a header: ours by magic, this byte order and layout, this kind, and no
// longer than its file. Errors: damaged, layout_mismatch.
Result<void> check_header(const SegmentHeader& header, const std::string& path, SegmentKind kind,
                          std::uint32_t header_bytes, std::uint64_t file_bytes);

// Is the file a segment of this kind at all? Asked before anything is unlinked.
bool looks_like_segment(const os::Fd& file, SegmentKind kind);

}  // namespace signalbox::topic
