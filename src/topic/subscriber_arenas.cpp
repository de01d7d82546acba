// How a subscriber follows a publisher that grows: maps its further arenas, when it looks who is
// there or when a slot names one, and pins frames in them.
#include <string>
#include <utility>

#include "topic/subscriber_core.hpp"

namespace signalbox {

namespace {

// A private copy of what an arena says of itself.
struct ArenaFacts {
  std::uint64_t incarnation;
  std::uint32_t number;
  std::uint32_t frames;
  std::uint64_t frame_bytes;
  std::uint64_t frames_offset;
  std::uint64_t tail_bytes_max;
};

// Does it lie inside its file, and has each frame room for such a message?
bool is_sound(const ArenaFacts& arena, std::uint64_t bytes, std::uint64_t fixed_bytes) {
  constexpr std::uint64_t frames_max = shm::chunks_limit / (topic::arenas_max + 1);
  return arena.frames != 0 && arena.frames <= frames_max &&
         arena.tail_bytes_max <= wire::size_max && arena.frames_offset % topic::cache_line == 0 &&
         arena.frames_offset <= bytes && arena.frame_bytes % topic::cache_line == 0 &&
         arena.frame_bytes >= topic::tail_offset(fixed_bytes) + arena.tail_bytes_max &&
         arena.frames <= (bytes - arena.frames_offset) / arena.frame_bytes;
}

}  // namespace

Result<void> SubscriberCore::map_arena(PublisherLink& link, std::uint32_t number) {
  auto segment = presence_->directory.arena_of(link.who, number);
  if (!segment) return std::unexpected(std::move(segment.error()));
  const auto& page = *segment->mapping.at<const topic::ArenaPage>(0);
  const ArenaFacts facts{page.header.incarnation, page.number,        page.frames,
                         page.frame_bytes,        page.frames_offset, page.tail_bytes_max};
  if (facts.incarnation != link.incarnation || facts.number != number ||
      !is_sound(facts, segment->mapping.size(), fixed_bytes_)) {
    return std::unexpected(refuse(
        Errc::damaged, "arena " +
                           presence_->directory.path_of(topic::arena_name(link.who.file, number)) +
                           " contradicts itself or its publisher; stop its owner (pid " +
                           std::to_string(link.pid) + ")."));
  }
  segment->mapping.raise_when_lost(lane_.bell->epoch);
  if (link.arenas.size() < number) link.arenas.resize(number);
  link.arenas[number - 1] = {
      .view = std::make_shared<PublisherView>(presence_, std::move(segment->mapping)),
      .first_chunk = number * facts.frames,
      .frames = facts.frames,
      .frame_bytes = facts.frame_bytes,
      .frames_offset = facts.frames_offset,
      .tail_bytes_max = facts.tail_bytes_max,
      .file = std::move(segment->file)};
  link.arenas_mapped |= 1U << number;
  if (link.cursor < shm::cursor_slots) {
    shm::say_mapped(page_->cursors[link.cursor], link.arenas_mapped);
  }
  return {};
}

// All that are within reach. What cannot be mapped now is tried again when a slot names it, and
// told then. False: the publisher has been removed meanwhile.
bool SubscriberCore::map_arenas(PublisherLink& link) {
  if (link.shape.arenas == 0) return true;
  const std::uint32_t news =
      presence_->directory.arenas_within_reach(link.who, link.page->arenas.load()) &
      topic::arena_bits(link.shape.arenas) & ~link.arenas_mapped;
  bool is_missing = false;
  for (std::uint32_t number = 1; number <= link.shape.arenas; ++number) {
    if ((news & 1U << number) == 0) continue;
    const auto mapped = map_arena(link, number);
    is_missing = is_missing || (!mapped && mapped.error().code == Errc::not_found);
  }
  if (!is_missing) return true;
  // Its own name goes before those of its arenas do.
  const auto facts = os::facts_of(link.file);
  return !facts || facts->links != 0;
}

void SubscriberCore::map_further_arenas() {
  for (PublisherLink& link : links_) {
    if (!link.drained && !link.is_evicted) static_cast<void>(map_arenas(link));
  }
}

void SubscriberCore::look_for_lost_arenas(const PublisherLink& link) const noexcept {
  for (const ArenaView& arena : link.arenas) {
    if (arena.file.is_open()) presence_->directory.look_for_loss(arena.view->mapping, arena.file);
  }
}

SubscriberCore::Filled SubscriberCore::pin_in_arena(PublisherLink& link, std::uint64_t word,
                                                    std::uint64_t tail_bytes,
                                                    RawSample& sample) noexcept {
  const std::uint64_t number = word >> 32;
  if (number > link.shape.arenas) return refuse_message(link, "names an impossible arena");
  const auto bit = 1U << number;
  if ((link.arenas_mapped & bit) == 0) {
    const auto mapped = detail::or_out_of_memory(
        [&] { return map_arena(link, static_cast<std::uint32_t>(number)); });
    if (!mapped) return explain_unmapped(link, mapped.error());
  }
  const ArenaView& arena = link.arenas[number - 1];
  const std::uint64_t chunk = word & UINT32_MAX;
  const std::uint64_t index = chunk - arena.first_chunk;  // huge if it is below
  if (index >= arena.frames || tail_bytes > arena.tail_bytes_max) {
    return refuse_message(link, "names an impossible frame");
  }
  const std::byte* const at =
      arena.view->mapping.data() + arena.frames_offset + index * arena.frame_bytes;
  return pin(link, {static_cast<std::uint32_t>(chunk), at, tail_bytes}, arena.view, sample);
}

// What is gone or damaged will not come back, so the message is skipped; whatever else stands in
// the way (no descriptors left, say) may pass, and the message stays until then.
SubscriberCore::Filled SubscriberCore::explain_unmapped(PublisherLink& link,
                                                        const Error& error) noexcept {
  const bool is_for_good = error.code == Errc::not_found || error.code == Errc::damaged ||
                           error.code == Errc::layout_mismatch;
  if (is_for_good) {
    return refuse_message(link, error.code == Errc::not_found
                                    ? "lies in an arena whose memory is gone"
                                    : "lies in an arena that is damaged");
  }
  held_back_ = true;
  status_ = detail::explained(error.code, [&]() -> Error {
    return {error.code, error.sys_errno, error.call,
            "topic \"" + topic() + "\": message " + std::to_string(link.position) +
                " of publisher " + link.who.file +
                " lies in memory that cannot be mapped: " + error.text};
  });
  return Filled::refused;
}

}  // namespace signalbox
