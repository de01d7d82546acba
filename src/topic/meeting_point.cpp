#include "topic/meeting_point.hpp"

#include <algorithm>

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

Answer MeetingPoint::answer(const Request& request, std::vector<os::Fd> received,
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
      break;
    default:
      return Answer::malformed;
  }
  const Role role = request.is_publisher != 0 ? Role::publisher : Role::subscriber;
  if (received.size() != 1 || role == own_.who.role) return Answer::malformed;
  const Participant peer{role, request.sender, file_name(role, request.sender)};
  if (auto kept = keep(peer, std::move(received[0])); !kept) {
    if (kept.error().code == Errc::not_found) return Answer::nobody;
    if (kept.error().code == Errc::limit_reached) return Answer::exhausted;
    return Answer::bad_memory;
  }
  give = {own_.memory.get()};
  return Answer::given;
}

// ---- for the participant ------------------------------------------------------------------------

MeetingPoint::Kept* MeetingPoint::find(std::uint64_t incarnation) noexcept {
  const auto found =
      std::ranges::find(kept_, incarnation, [](const Kept& kept) { return kept.peer.incarnation; });
  return found == kept_.end() ? nullptr : &*found;
}

Result<void> MeetingPoint::keep(const Participant& peer, os::Fd memory) {
  const std::string path = own_.path + "/" + peer.file;
  auto checked = check_memory_segment(memory, path, kind_of(peer.role), peer.incarnation,
                                      page_bytes_of(kind_of(peer.role)), os::sealed_to_others);
  if (!checked) return checked;
  auto plate = os::open_file(own_.directory, peer.file, os::Access::read);
  if (!plate) return std::unexpected(std::move(plate.error()));
  if (!is_alive(*plate)) return std::unexpected(not_found(path));
  const std::lock_guard lock(mutex_);
  if (find(peer.incarnation) == nullptr) {
    kept_.push_back({peer, std::move(*plate), std::move(memory)});
  }
  return {};
}

Result<OpenSegment> MeetingPoint::segment_of(const Participant& peer) {
  const std::lock_guard lock(mutex_);
  Kept* const kept = find(peer.incarnation);
  if (kept == nullptr || kept->peer.role != peer.role) {
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
    } else {
      std::erase_if(kept_,
                    [&](const Kept& one) { return one.peer.incarnation == who.incarnation; });
    }
  }
}

}  // namespace signalbox::topic
