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
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/memory_file.hpp"
#include "topic/layout.hpp"
#include "topic/place.hpp"

namespace signalbox::topic {

//    0  the header (192) | 192 unused (64) | 256 stage (4) | 260 unused (60) | 320
// The stage tells those who only look on whether the owner closed or died; it stands where the
// segments themselves have theirs.
struct PlatePage {
  SegmentHeader header;
  std::uint8_t unused[64];
  Stage stage;
  std::uint8_t rest[60];
};
static_assert(sizeof(PlatePage) == 320 &&
              offsetof(PlatePage, stage) == offsetof(PublisherPage, stage) &&
              offsetof(PlatePage, stage) == offsetof(SubscriberPage, stage));

// What a participant's own segment is.
constexpr SegmentKind kind_of(Role role) noexcept {
  return role == Role::publisher ? SegmentKind::publisher : SegmentKind::subscriber;
}

// A new segment: bytes reserved, mapped for writing, its header filled in, not yet named.
struct NewSegment {
  os::Fd file;
  os::Mapping mapping;
};
Result<NewSegment> create_segment(const os::Fd& directory, const std::string& path,
                                  SegmentKind kind, std::uint64_t incarnation,
                                  std::uint64_t total_bytes, std::uint32_t header_bytes,
                                  const os::Rights& rights);
// The same as memory without a name, for the hardened tier; not sealed yet. `name` is for /proc.
Result<NewSegment> create_memory_segment(const std::string& name, SegmentKind kind,
                                         std::uint64_t incarnation, std::uint64_t total_bytes,
                                         std::uint32_t header_bytes);
// And the file that stands for it in the directory: not yet named.
Result<os::Fd> create_plate(const os::Fd& directory, const std::string& path, SegmentKind kind,
                            std::uint64_t incarnation, const os::Rights& rights);

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

// Memory that somebody else sent: sealed like that, this kind and incarnation, all of it there.
// Looked at before it is mapped. Errors: damaged, layout_mismatch, and what the kernel says.
Result<void> check_memory_segment(const os::Fd& memory, const std::string& path, SegmentKind kind,
                                  std::uint64_t incarnation, std::uint32_t header_bytes,
                                  os::Seals seal);
// All of it, once it was checked: its size cannot change any more.
Result<os::Mapping> map_memory_segment(const os::Fd& memory, os::Access access);

// Judges a private copy of a header: ours by magic, this byte order and layout, this kind, just
// these features (a publisher may besides be one that grows), and no longer than its file. Errors:
// damaged, layout_mismatch.
Result<void> check_header(const SegmentHeader& header, const std::string& path, SegmentKind kind,
                          std::uint32_t header_bytes, std::uint64_t file_bytes,
                          std::uint64_t features = 0);

// Is the file a segment of this kind at all? Asked before anything is unlinked.
bool looks_like_segment(const os::Fd& file, SegmentKind kind);

}  // namespace signalbox::topic
