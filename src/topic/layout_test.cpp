// Goal: the bytes that programs share are those of docs/formats/layout-2.md, field by field.
// Method: each row of the table there is compared with offsetof and sizeof; no row may be missing.
#include "topic/layout.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <string>

namespace signalbox::topic {
namespace {

struct FieldFacts {
  const char* name;
  std::size_t offset;
  std::size_t bytes;
};

// The macro exists because only it can turn a field into its own name.
#define SBX_FACTS(type, field) \
  FieldFacts { #type "." #field, offsetof(type, field), sizeof(type::field) }

const FieldFacts kFields[] = {
    SBX_FACTS(SegmentHeader, magic),
    SBX_FACTS(SegmentHeader, byte_order),
    SBX_FACTS(SegmentHeader, major),
    SBX_FACTS(SegmentHeader, minor),
    SBX_FACTS(SegmentHeader, kind),
    SBX_FACTS(SegmentHeader, header_bytes),
    SBX_FACTS(SegmentHeader, total_bytes),
    SBX_FACTS(SegmentHeader, features_compatible),
    SBX_FACTS(SegmentHeader, features_read_only_compatible),
    SBX_FACTS(SegmentHeader, features_incompatible),
    SBX_FACTS(SegmentHeader, incarnation),
    SBX_FACTS(SegmentHeader, pid),
    SBX_FACTS(SegmentHeader, uid),
    SBX_FACTS(SegmentHeader, start_ticks),
    SBX_FACTS(SegmentHeader, pid_namespace),
    SBX_FACTS(SegmentHeader, boot_id),
    SBX_FACTS(SegmentHeader, created_wall_ns),
    SBX_FACTS(SegmentHeader, program),
    SBX_FACTS(TopicPage, type_hash),
    SBX_FACTS(TopicPage, name_bytes),
    SBX_FACTS(TopicPage, description_bytes),
    SBX_FACTS(TopicPage, text_offset),
    SBX_FACTS(BellPage, bell.epoch),
    SBX_FACTS(BellPage, bell.sleepers),
    SBX_FACTS(BellPage, bell.ticket),
    SBX_FACTS(PublisherPage, type_hash),
    SBX_FACTS(PublisherPage, depth),
    SBX_FACTS(PublisherPage, frames),
    SBX_FACTS(PublisherPage, frame_bytes),
    SBX_FACTS(PublisherPage, ring_offset),
    SBX_FACTS(PublisherPage, frames_offset),
    SBX_FACTS(PublisherPage, fixed_bytes),
    SBX_FACTS(PublisherPage, tail_bytes_max),
    SBX_FACTS(PublisherPage, stage),
    SBX_FACTS(PublisherPage, asymmetric),
    SBX_FACTS(PublisherPage, silent),
    SBX_FACTS(PublisherPage, slot_lines),
    SBX_FACTS(PublisherPage, dropped),
    SBX_FACTS(PublisherPage, evicted),
    SBX_FACTS(PublisherPage, grown_tail_bytes_max),
    SBX_FACTS(PublisherPage, arenas),
    SBX_FACTS(PublisherPage, wanted),
    SBX_FACTS(ArenaPage, number),
    SBX_FACTS(ArenaPage, frames),
    SBX_FACTS(ArenaPage, frame_bytes),
    SBX_FACTS(ArenaPage, frames_offset),
    SBX_FACTS(ArenaPage, tail_bytes_max),
    SBX_FACTS(SubscriberPage, type_hash),
    SBX_FACTS(SubscriberPage, reliable),
    SBX_FACTS(SubscriberPage, asymmetric),
    SBX_FACTS(SubscriberPage, pins_offset),
    SBX_FACTS(SubscriberPage, cursors_offset),
    SBX_FACTS(SubscriberPage, stage),
    SBX_FACTS(SubscriberPage, armed),
    SBX_FACTS(SubscriberPage, pins),
    SBX_FACTS(SubscriberPage, cursors),
};

TEST(Layout, EqualsTheGoldenTable) {
  std::ifstream document(LAYOUT_DOCUMENT);
  ASSERT_TRUE(document) << LAYOUT_DOCUMENT;
  const std::regex row(R"(\| (\w+\.[\w.]+) \| (\d+) \| (\d+) \|)");
  std::set<std::string> written;
  std::smatch found;
  for (std::string line; std::getline(document, line);) {
    if (!std::regex_match(line, found, row)) continue;
    written.insert(found[1].str() + " " + found[2].str() + " " + found[3].str());
  }
  std::set<std::string> compiled;
  for (const FieldFacts& field : kFields) {
    compiled.insert(std::string(field.name) + " " + std::to_string(field.offset) + " " +
                    std::to_string(field.bytes));
  }
  EXPECT_EQ(written, compiled);
}

TEST(Layout, BeginsWithTheMagicInAscii) {
  const std::uint64_t magic = segment_magic;
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(&magic), 8), "SGLBOX1\n");
}

}  // namespace
}  // namespace signalbox::topic
