// footprint.hpp: the memory that a topic will take, as a sum, before anything is created.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <cstdint>
#include <string>

#include "signalbox/describe.hpp"
#include "signalbox/error.hpp"
#include "signalbox/raw_topic.hpp"

namespace signalbox {

// Bytes of tmpfs, as `du` counts them on a kernel with pages of 4 KiB. All is reserved when a
// publisher or subscriber is opened, and nothing is allocated later, but for the arenas of a
// publisher that was told to grow; pages of a frame that was never written count all the same.
struct Footprint {
  // Once for a topic.
  std::uint64_t description_bytes = 0;  // the file `topic`: the type's name and text
  std::uint64_t bell_bytes = 0;
  // For each publisher: control + ring + frames * frame_bytes, and what rounds that up to pages.
  std::uint64_t control_bytes = 0;
  std::uint64_t ring_bytes = 0;  // depth slots, of a cache line or a few
  // depth (shown) + loans_max (lent) + held_max (overwritten, but still held by a reader); 0 where
  // every message fits its slot.
  std::uint64_t frames = 0;
  std::uint64_t frame_bytes = 0;  // fixed part and tail, rounded up to a cache line or a page
  std::uint64_t publisher_bytes = 0;
  // What a publisher with grown_tail_bytes_max may take besides, when there has been a loan for
  // each size: so many further arenas, each of as many frames, the tails twice as long each time.
  std::uint32_t arenas = 0;
  std::uint64_t grown_bytes_max = 0;
  // For each subscriber: its control page with pins and cursors.
  std::uint64_t subscriber_bytes = 0;

  // As opened; grown as far as they may, publishers take grown_bytes_max more each.
  std::uint64_t total_bytes(std::uint64_t publishers, std::uint64_t subscribers) const noexcept {
    return description_bytes + bell_bytes + publishers * publisher_bytes +
           subscribers * subscriber_bytes;
  }
};

// Enters no kernel and creates nothing. Errors: bad_argument (the description is not one, or an
// option is outside its range), out_of_memory.
Result<Footprint> footprint(const TypeDescription& type, const PublisherOptions& options = {});

template <class T>
Result<Footprint> footprint(const PublisherOptions& options = {}) {
  return detail::or_out_of_memory(
      [&] { return footprint(TypeDescription{type_name<T>(), topic_description<T>()}, options); });
}

// The sum as a table, a part a line; where the heap is used up, "out of memory".
std::string to_string(const Footprint& footprint) noexcept;

}  // namespace signalbox
