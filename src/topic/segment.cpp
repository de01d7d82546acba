#include "topic/segment.hpp"

#include <chrono>
#include <cstring>
#include <new>
#include <span>

#include "os/process.hpp"

namespace signalbox::topic {

namespace {

Error damaged(const std::string& path, const std::string& found) {
  return {Errc::damaged,
          0,
          {},
          "cannot use " + path + ": " + found +
              " It was left as it is; remove it by hand if no program needs it."};
}

void fill_header(SegmentHeader& header, SegmentKind kind, std::uint64_t incarnation,
                 std::uint64_t total_bytes, std::uint32_t header_bytes) {
  header = {};
  header.magic = segment_magic;
  header.byte_order = byte_order_mark;
  header.major = layout_major;
  header.minor = layout_minor;
  header.kind = kind;
  header.header_bytes = header_bytes;
  header.total_bytes = total_bytes;
  header.incarnation = incarnation;
  const os::Identity who = os::identity_of_this_process();
  header.pid = who.pid;
  header.uid = who.uid;
  header.start_ticks = who.start_ticks;
  header.pid_namespace = who.pid_namespace;
  std::memcpy(header.boot_id, who.boot_id.data(), sizeof(header.boot_id));
  std::memcpy(header.program, who.program.data(), sizeof(header.program));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  header.created_wall_ns =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
}

// A child does not get it: what a handle that it must not use points at, it must not write either.
Result<os::Mapping> map_segment(const os::Fd& file, std::uint64_t bytes, os::Access access) {
  // Writers fault all pages in now, so that the first lap of a ring costs what every lap costs.
  const bool is_populated = access == os::Access::read_write;
  return os::Mapping::map(
      file, bytes, {.access = access, .is_populated = is_populated, .is_in_children = false});
}

}  // namespace

// Each field was copied from foreign memory once; only the copy is judged.
Result<void> check_header(const SegmentHeader& header, const std::string& path, SegmentKind kind,
                          std::uint32_t header_bytes, std::uint64_t file_bytes,
                          std::uint64_t features) {
  if (header.magic != segment_magic) {
    return std::unexpected(damaged(path, "it does not begin with Signalbox's magic number."));
  }
  if (header.byte_order != byte_order_mark) {
    return std::unexpected(damaged(path, "it was written with another byte order."));
  }
  const std::string writer =
      "(program \"" + std::string(header.program, strnlen(header.program, sizeof(header.program))) +
      "\", pid " + std::to_string(header.pid) + ")";
  const std::string advice =
      ". Run both programs with the same Signalbox version, or remove the directory when no "
      "program uses it.";
  if (header.major != layout_major) {
    return std::unexpected(
        Error{Errc::layout_mismatch,
              0,
              {},
              "cannot use " + path + ": it has shared layout " + std::to_string(header.major) +
                  "." + std::to_string(header.minor) + " " + writer + ", this library has layout " +
                  std::to_string(layout_major) + "." + std::to_string(layout_minor) + advice});
  }
  const std::uint64_t known = features | (kind == SegmentKind::publisher ? feature_growing : 0);
  if (const auto unknown = header.features_incompatible & ~known; unknown != 0) {
    return std::unexpected(
        Error{Errc::layout_mismatch,
              0,
              {},
              "cannot use " + path + ": its layout " + std::to_string(header.major) + "." +
                  std::to_string(header.minor) + " " + writer + " uses features (bits " +
                  std::to_string(unknown) + ") that this library, layout " +
                  std::to_string(layout_major) + "." + std::to_string(layout_minor) +
                  ", does not know or did not expect there" + advice});
  }
  if ((header.features_incompatible & features) != features) {
    return std::unexpected(damaged(path, "it is not of the hardened tier."));
  }
  if (header.kind != kind || header.header_bytes < header_bytes) {
    return std::unexpected(damaged(path, "its header is of another kind of segment."));
  }
  if (header.total_bytes > file_bytes || header.header_bytes > header.total_bytes) {
    return std::unexpected(damaged(path, "it says it has " + std::to_string(header.total_bytes) +
                                             " bytes, but the file has " +
                                             std::to_string(file_bytes) + "."));
  }
  return {};
}

Result<NewSegment> create_segment(const os::Fd& directory, const std::string& path,
                                  SegmentKind kind, std::uint64_t incarnation,
                                  std::uint64_t total_bytes, std::uint32_t header_bytes,
                                  const os::Rights& rights) {
  auto file = os::create_unnamed(directory, path, total_bytes, rights);
  if (!file) return std::unexpected(std::move(file.error()));
  auto mapping = map_segment(*file, total_bytes, os::Access::read_write);
  if (!mapping) return std::unexpected(std::move(mapping.error()));
  fill_header(*mapping->at<SegmentHeader>(0), kind, incarnation, total_bytes, header_bytes);
  return NewSegment{std::move(*file), std::move(*mapping)};
}

Result<NewSegment> create_memory_segment(const std::string& name, SegmentKind kind,
                                         std::uint64_t incarnation, std::uint64_t total_bytes,
                                         std::uint32_t header_bytes) {
  auto memory = os::MemoryFile::create(name, total_bytes);
  if (!memory) return std::unexpected(std::move(memory.error()));
  auto mapping = map_segment(memory->fd(), total_bytes, os::Access::read_write);
  if (!mapping) return std::unexpected(std::move(mapping.error()));
  auto& header = *mapping->at<SegmentHeader>(0);
  fill_header(header, kind, incarnation, total_bytes, header_bytes);
  header.features_incompatible = feature_hardened;
  return NewSegment{memory->release(), std::move(*mapping)};
}

Result<os::Fd> create_plate(const os::Fd& directory, const std::string& path, SegmentKind kind,
                            std::uint64_t incarnation, const os::Rights& rights) {
  PlatePage plate{};
  fill_header(plate.header, kind, incarnation, sizeof(plate), sizeof(SegmentHeader));
  plate.header.features_incompatible = feature_hardened;
  auto file = os::create_unnamed(directory, path, sizeof(plate), rights);
  if (!file) return file;
  if (auto put = os::write_at(*file, 0, std::as_bytes(std::span(&plate, 1))); !put) {
    return std::unexpected(std::move(put.error()));
  }
  return file;
}

Result<void> check_memory_segment(const os::Fd& memory, const std::string& path, SegmentKind kind,
                                  std::uint64_t incarnation, std::uint32_t header_bytes,
                                  os::Seals seal) {
  const auto refused = [&](const std::string& why) {
    return std::unexpected(
        Error{Errc::damaged, 0, {}, "cannot use the memory sent for " + path + ": " + why});
  };
  const auto bytes = os::check_sealed(memory, seal);
  if (!bytes) return refused(bytes.error().text);
  if (*bytes < header_bytes) {
    return refused("it has only " + std::to_string(*bytes) + " bytes, its header alone has " +
                   std::to_string(header_bytes) + ".");
  }
  SegmentHeader header{};
  if (auto got = os::read_at(memory, 0, std::as_writable_bytes(std::span(&header, 1))); !got) {
    return refused(got.error().text);
  }
  if (auto ok = check_header(header, path, kind, header_bytes, *bytes, feature_hardened); !ok) {
    return ok;
  }
  if (header.incarnation != incarnation) return refused("it is another participant's.");
  return {};
}

Result<os::Mapping> map_memory_segment(const os::Fd& memory, os::Access access) {
  const auto facts = os::facts_of(memory);
  if (!facts) return std::unexpected(facts.error());
  return map_segment(memory, facts->bytes, access);
}

Result<OpenSegment> open_segment(const os::Fd& directory, const std::string& name,
                                 const std::string& path, SegmentKind kind,
                                 std::uint32_t header_bytes, os::Access access) {
  auto file = os::open_file(directory, name, access);
  if (!file) return std::unexpected(std::move(file.error()));
  const auto facts = os::facts_of(*file);
  if (!facts) return std::unexpected(facts.error());
  if (facts->bytes < sizeof(SegmentHeader)) {
    return std::unexpected(damaged(path, "the file has only " + std::to_string(facts->bytes) +
                                             " bytes, a segment's header alone has " +
                                             std::to_string(sizeof(SegmentHeader)) + "."));
  }
  // Reading a hole of a tmpfs file needs a page, and when none is free that is SIGBUS.
  if (facts->reserved_bytes < facts->bytes) {
    return std::unexpected(damaged(path, "only " + std::to_string(facts->reserved_bytes) +
                                             " of its " + std::to_string(facts->bytes) +
                                             " bytes are there, the rest are holes."));
  }
  auto mapping = map_segment(*file, facts->bytes, access);
  if (!mapping) return std::unexpected(std::move(mapping.error()));
  SegmentHeader header;
  std::memcpy(&header, mapping->data(), sizeof(header));
  if (auto ok = check_header(header, path, kind, header_bytes, facts->bytes); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  return OpenSegment{std::move(*file), std::move(*mapping)};
}

bool looks_like_segment(const os::Fd& file, SegmentKind kind) {
  SegmentHeader header{};
  const auto got = os::read_at(file, 0, std::as_writable_bytes(std::span(&header, 1)));
  return got && header.magic == segment_magic && header.kind == kind;
}

}  // namespace signalbox::topic
