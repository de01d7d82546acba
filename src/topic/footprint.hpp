// footprint.hpp: where the parts of a publisher's files lie, and how large they are.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  those of the options
#pragma once

#include <cstdint>
#include <string>

#include "signalbox/raw_topic.hpp"
#include "wire/description.hpp"

namespace signalbox::topic {

struct PublisherPlan {
  std::uint32_t slot_lines;
  std::uint64_t ring_bytes;
  std::uint64_t frames;
  std::uint64_t frame_bytes;
  std::uint64_t ring_offset;
  std::uint64_t frames_offset;
  std::uint64_t total;
};
// Of options that check_options() accepted; the sum, with all arenas, then stays below 2^60.
PublisherPlan plan_publisher(const wire::ParsedType& type,
                             const PublisherOptions& options) noexcept;

// A further arena of a publisher that grows.
struct ArenaPlan {
  std::uint64_t frames;
  std::uint64_t frame_bytes;
  std::uint64_t frames_offset;
  std::uint64_t tail_bytes_max;
  std::uint64_t total;
};
// `number` is from 1 to arenas_of() of the options.
ArenaPlan plan_arena(const wire::ParsedType& type, const PublisherOptions& options,
                     std::uint32_t number) noexcept;

// `act` is what the caller cannot do then, for messages: "publish on topic \"p\"". Error:
// bad_argument.
Result<void> check_options(const std::string& act, const wire::ParsedType& type,
                           const PublisherOptions& options);

// What the file consists of, as half a sentence: for those whom it did not fit.
std::string sum_of(const PublisherPlan& plan, const PublisherOptions& options);

// A subscriber's file: its control page with pins and cursors.
std::uint64_t subscriber_file_bytes() noexcept;

}  // namespace signalbox::topic
