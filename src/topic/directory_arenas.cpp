// The further arenas of publishers that grow: files in the plain tier, and in the hardened tier
// memory that each subscriber is handed before a slot names it (decision 012).
#include <array>
#include <cstring>
#include <span>

#include "topic/directory.hpp"
#include "topic/introduction_server.hpp"

namespace signalbox::topic {

namespace {

// How long one who lives may take to answer, as when a publisher is opened.
constexpr auto kHandOverPatience = std::chrono::seconds(2);

}  // namespace

Result<NewSegment> TopicDirectory::create_arena(const OwnSegment& own, std::uint32_t number,
                                                const ArenaPlan& plan) const {
  const std::string file = arena_name(own.file, number);
  auto fresh =
      tier_ == Tier::plain
          ? create_segment(directory_, path_of(file), SegmentKind::arena, own.incarnation,
                           plan.total, sizeof(ArenaPage), sharing_.files)
          : create_memory_segment("signalbox " + place_.name + " " + file, SegmentKind::arena,
                                  own.incarnation, plan.total, sizeof(ArenaPage));
  if (!fresh) return fresh;
  auto* page = fresh->mapping.at<ArenaPage>(0);
  page->number = number;
  page->frames = static_cast<std::uint32_t>(plan.frames);
  page->frame_bytes = plan.frame_bytes;
  page->frames_offset = plan.frames_offset;
  page->tail_bytes_max = plan.tail_bytes_max;
  return fresh;
}

Result<void> TopicDirectory::show_arena(const OwnSegment& own, std::uint32_t number,
                                        os::Fd& arena) {
  if (tier_ == Tier::plain) {
    return os::link_unnamed(arena, directory_, arena_name(own.file, number));
  }
  if (arena.is_open()) {
    if (auto sealed = os::add_seals(arena, os::sealed_to_others); !sealed) return sealed;
    point_->offer_arena(number, std::move(arena));
  }
  // Whoever is introduced from here on gets it with our memory; all others who are here, now.
  return hand_to_all(own, point_->offered_arena(number));
}

Result<void> TopicDirectory::hand_to_all(const OwnSegment& own, int arena) {
  const Deadline deadline = Deadline::after(kHandOverPatience);
  const auto everyone = participants();
  if (!everyone) return std::unexpected(everyone.error());
  for (const Participant& who : *everyone) {
    if (who.role != Role::subscriber) continue;
    const auto plate = os::open_file(directory_, who.file, os::Access::read);
    if (!plate || !is_alive(*plate)) continue;
    Request here = request(Ask::arena, who);
    here.sender = own.incarnation;
    here.is_publisher = 1;
    const int memory[] = {arena};
    auto given = ask(asking(), who, here, memory, deadline);
    if (!given) return std::unexpected(std::move(given.error()));
  }
  return {};
}

std::uint32_t TopicDirectory::arenas_within_reach(const Participant& who,
                                                  std::uint32_t spoken_of) const noexcept {
  if (tier_ == Tier::plain) return spoken_of;
  return point_ == nullptr ? 0 : point_->arenas_of(who.incarnation);
}

Result<OpenSegment> TopicDirectory::arena_of(const Participant& who, std::uint32_t number) const {
  const std::string file = arena_name(who.file, number);
  if (tier_ == Tier::plain) {
    return open_segment(directory_, file, path_of(file), SegmentKind::arena, sizeof(ArenaPage),
                        os::Access::read);
  }
  if (point_ != nullptr) return point_->arena_of(who.incarnation, number);
  return std::unexpected(Error{Errc::not_found, 0, {}, path_of(file) + " was not handed over."});
}

// The publisher's own file goes first: one who finds it gone looks for no arena, and arenas without
// it are known to be nobody's.
bool TopicDirectory::unlink_publisher(const std::string& file, std::uint32_t arenas) noexcept {
  const bool removed = os::unlink_file(directory_, file);
  if (arenas == 0 || tier_ != Tier::plain) return removed;
  // What stays for want of memory is an orphan, and the next visitor's to remove.
  static_cast<void>(detail::done_unless_out_of_memory([&] {
    for (std::uint32_t number = 1; number <= arenas; ++number) {
      os::unlink_file(directory_, arena_name(file, number));
    }
    return true;
  }));
  return removed;
}

Grown grown_of(const os::Fd& publisher_file) noexcept {
  Grown grown;
  static_cast<void>(detail::done_unless_out_of_memory([&] {
    std::array<std::byte, sizeof(PublisherPage)> page{};
    if (!os::read_at(publisher_file, 0, page)) return false;
    const auto word = [&](std::size_t offset) {
      std::uint64_t value = 0;
      std::memcpy(&value, page.data() + offset, sizeof(value));
      return value;
    };
    constexpr std::uint64_t bytes_max = wire::size_max;
    const std::uint64_t grown_max = word(offsetof(PublisherPage, grown_tail_bytes_max));
    if (grown_max > bytes_max) return false;
    grown.most = arenas_of(word(offsetof(PublisherPage, tail_bytes_max)), grown_max);
    std::memcpy(&grown.spoken_of, page.data() + offsetof(PublisherPage, arenas),
                sizeof(grown.spoken_of));
    return true;
  }));
  // Bits of arenas that there cannot be would keep the files for ever.
  grown.spoken_of &= arena_bits(grown.most);
  return grown;
}

}  // namespace signalbox::topic
