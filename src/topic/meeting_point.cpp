#include "topic/meeting_point.hpp"

#include <algorithm>
#include <span>

#include "topic/directory.hpp"

namespace signalbox::topic {

namespace {

Error not_found(const std::string& path) {
  return {Errc::not_found, 0, {}, path + " has not handed over its memory."};
}

}  // namespace

// ---- for the server -----------------------------------------------------------------------------

// Who only looks on has not opened the topic's file, and names no topic.
bool MeetingPoint::concerns_us(const Request& request) const noexcept {
  const bool is_any = request.ask == Ask::look && request.topic_inode == 0;
  return request.addressee == own_.who.incarnation &&
         (is_any || request.topic_inode == own_.topic_inode);
}

Answer MeetingPoint::answer(const Request& request, std::uint32_t pid, std::vector<os::Fd> received,
                            std::vector<int>& give) {
  if (!concerns_us(request)) return Answer::elsewhere;
  switch (request.ask) {
    case Ask::topic:
      give = {own_.text.get(), own_.bell.get()};
      return Answer::given;
    case Ask::look:
      give = {own_.text.get(), own_.memory.get()};
      return Answer::given;
    case Ask::meet:
    case Ask::arena:
      break;
    default:
      return Answer::malformed;
  }
  if (received.size() != 1) return Answer::malformed;
  const Answer taken = take_in(request, pid, std::move(received[0]));
  if (taken == Answer::given && request.ask == Ask::meet) {
    give = {own_.memory.get()};
    const std::lock_guard lock(mutex_);
    for (const auto& [number, arena] : arenas_) give.push_back(arena.get());
  }
  return taken;
}

// What a peer on the other side sent of its own.
Answer MeetingPoint::take_in(const Request& request, std::uint32_t pid, os::Fd memory) {
  const Role role = request.is_publisher != 0 ? Role::publisher : Role::subscriber;
  const bool is_arena = request.ask == Ask::arena;
  if (role == own_.who.role || (is_arena && role != Role::publisher)) return Answer::malformed;
  const Participant peer{role, request.sender, file_name(role, request.sender)};
  const auto kept =
      is_arena ? keep_arena(peer, std::move(memory), pid) : keep(peer, std::move(memory), pid);
  if (kept) return Answer::given;
  if (kept.error().code == Errc::not_found) return Answer::nobody;
  if (kept.error().code == Errc::limit_reached) return Answer::exhausted;
  return Answer::bad_memory;
}

// ---- for the participant ------------------------------------------------------------------------

MeetingPoint::Kept* MeetingPoint::find(std::uint64_t incarnation) noexcept {
  const auto found =
      std::ranges::find(kept_, incarnation, [](const Kept& kept) { return kept.peer.incarnation; });
  return found == kept_.end() ? nullptr : &*found;
}

Result<os::Fd> MeetingPoint::living_plate_of(const Participant& peer) const {
  auto plate = os::open_file(own_.directory, peer.file, os::Access::read);
  if (plate && !is_alive(*plate)) return std::unexpected(not_found(own_.path + "/" + peer.file));
  return plate;
}

Result<void> MeetingPoint::keep(const Participant& peer, os::Fd memory, std::uint32_t pid) {
  const std::string path = own_.path + "/" + peer.file;
  auto checked = check_memory_segment(memory, path, kind_of(peer.role), peer.incarnation,
                                      page_bytes_of(kind_of(peer.role)), os::sealed_to_others);
  if (!checked) return checked;
  auto plate = living_plate_of(peer);
  if (!plate) return std::unexpected(std::move(plate.error()));
  const std::lock_guard lock(mutex_);
  Kept* const known = find(peer.incarnation);
  if (known == nullptr) {
    kept_.push_back({peer, std::move(*plate), std::move(memory), pid});
  } else if (!known->memory.is_open()) {
    // An arena overtook it. From another process it was no arena of this publisher's.
    if (known->pid != pid) known->arenas.clear();
    known->pid = pid;
    known->memory = std::move(memory);
  }
  return {};
}

Result<void> MeetingPoint::keep_arena(const Participant& peer, os::Fd arena, std::uint32_t pid) {
  const std::string path = own_.path + "/" + peer.file;
  auto checked = check_memory_segment(arena, path, SegmentKind::arena, peer.incarnation,
                                      sizeof(ArenaPage), os::sealed_to_others);
  if (!checked) return checked;
  std::uint32_t number = 0;
  auto got = os::read_at(arena, offsetof(ArenaPage, number),
                         std::as_writable_bytes(std::span(&number, 1)));
  if (!got) return got;
  auto plate = living_plate_of(peer);
  if (!plate) return std::unexpected(std::move(plate.error()));
  const std::lock_guard lock(mutex_);
  Kept* known = find(peer.incarnation);
  if (known == nullptr) {
    // We are being introduced to it at this moment: its answer to that is on its way.
    kept_.push_back({peer, std::move(*plate), os::Fd(), pid});
    known = &kept_.back();
  }
  if (known->pid != pid || number == 0 || number > arenas_max) {
    return std::unexpected(not_found(path));
  }
  known->arenas.try_emplace(number, std::move(arena));
  return {};
}

std::uint32_t MeetingPoint::arenas_of(std::uint64_t publisher) noexcept {
  const std::lock_guard lock(mutex_);
  std::uint32_t bits = 0;
  if (const Kept* const known = find(publisher)) {
    for (const auto& [number, arena] : known->arenas) bits |= 1U << number;
  }
  return bits;
}

Result<OpenSegment> MeetingPoint::arena_of(std::uint64_t publisher, std::uint32_t number) {
  const std::lock_guard lock(mutex_);
  Kept* const known = find(publisher);
  if (known == nullptr || !known->arenas.contains(number)) {
    return std::unexpected(
        not_found(own_.path + "/" + arena_name(file_name(Role::publisher, publisher), number)));
  }
  auto mapping = map_memory_segment(known->arenas[number], os::Access::read);
  if (!mapping) return std::unexpected(std::move(mapping.error()));
  known->arenas.erase(number);
  return OpenSegment{os::Fd(), std::move(*mapping)};
}

void MeetingPoint::offer_arena(std::uint32_t number, os::Fd arena) {
  const std::lock_guard lock(mutex_);
  arenas_.try_emplace(number, std::move(arena));
}

int MeetingPoint::offered_arena(std::uint32_t number) const {
  const std::lock_guard lock(mutex_);
  return arenas_.at(number).get();
}

Result<OpenSegment> MeetingPoint::segment_of(const Participant& peer) {
  const std::lock_guard lock(mutex_);
  Kept* const kept = find(peer.incarnation);
  if (kept == nullptr || kept->peer.role != peer.role || !kept->memory.is_open()) {
    return std::unexpected(not_found(own_.path + "/" + peer.file));
  }
  if (!kept->plate.is_open()) {
    auto plate = os::open_file(own_.directory, peer.file, os::Access::read);
    if (!plate) return std::unexpected(std::move(plate.error()));
    kept->plate = std::move(*plate);
  }
  auto mapping = map_memory_segment(kept->memory, os::Access::read);
  if (!mapping) return std::unexpected(std::move(mapping.error()));
  kept->was_mapped = true;
  return OpenSegment{std::move(kept->plate), std::move(*mapping)};
}

std::vector<Participant> MeetingPoint::kept() const {
  const std::lock_guard lock(mutex_);
  std::vector<Participant> all;
  all.reserve(kept_.size());
  for (const Kept& kept : kept_) all.push_back(kept.peer);
  return all;
}

// Whoever handed us its memory had a name then: one that was known before the list was made and is
// not in it has lost its name. Of one that came later the list cannot tell.
void MeetingPoint::settle(const std::vector<Participant>& before,
                          std::vector<Participant>& listed) {
  const std::lock_guard lock(mutex_);
  for (const Participant& who : before) {
    if (std::ranges::find(listed, who.file, &Participant::file) != listed.end()) continue;
    const Kept* const kept = find(who.incarnation);
    if (kept == nullptr) continue;
    if (who.role == Role::publisher && !kept->was_mapped) {
      listed.push_back(who);
    } else if (kept->arenas.empty()) {
      std::erase_if(kept_,
                    [&](const Kept& one) { return one.peer.incarnation == who.incarnation; });
    }
  }
}

}  // namespace signalbox::topic
