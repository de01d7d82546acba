// The hardened tier: files are name plates, and memory goes from hand to hand (decision 010).
#include <array>
#include <span>

#include "os/failure.hpp"
#include "topic/directory.hpp"
#include "topic/introduction_server.hpp"

namespace signalbox::topic {

namespace {

// How long one who lives may take to answer before a newcomer gives up.
constexpr auto kAnswerPatience = std::chrono::seconds(2);
// And before the newcomer asks another for what everybody can tell.
constexpr auto kAskAnotherAfter = std::chrono::milliseconds(200);

// The process that sent it is what to look at, and only the kernel knows which that was.
Error sent_by(Error error, const os::Peer& peer) {
  error.text += " Process " + std::to_string(peer.pid) + " sent it.";
  return error;
}

Error incomplete(const std::string& path) {
  return {Errc::damaged, 0, {}, "cannot use " + path + ": too few descriptors were sent for it."};
}

bool is_passing(const Error& error) noexcept {
  return error.code == Errc::not_found;  // it left between two looks
}

}  // namespace

Result<Tier> tier_of(const os::Fd& topic_file, const std::string& path) {
  SegmentHeader header{};
  const auto facts = os::facts_of(topic_file);
  if (!facts) return std::unexpected(facts.error());
  if (auto got = os::read_at(topic_file, 0, std::as_writable_bytes(std::span(&header, 1))); !got) {
    return std::unexpected(Error{got.error().code, got.error().sys_errno, got.error().call,
                                 "cannot use " + path + ": " + got.error().text});
  }
  const std::uint64_t features = header.features_incompatible & feature_hardened;
  auto ok =
      check_header(header, path, SegmentKind::topic, sizeof(TopicPage), facts->bytes, features);
  if (!ok) return std::unexpected(std::move(ok.error()));
  return features == 0 ? Tier::plain : Tier::hardened;
}

Result<OwnSegment> create_own_memory(const TopicDirectory& topic, Participant who,
                                     std::uint64_t total_bytes, std::uint32_t header_bytes) {
  auto fresh = create_memory_segment("signalbox " + topic.name() + " " + who.file,
                                     kind_of(who.role), who.incarnation, total_bytes, header_bytes);
  if (!fresh) return std::unexpected(std::move(fresh.error()));
  auto plate = create_plate(topic.fd(), topic.path_of(who.file), kind_of(who.role), who.incarnation,
                            topic.sharing().files);
  if (!plate) return std::unexpected(std::move(plate.error()));
  auto locked = os::try_lock(*plate, os::LockKind::exclusive);
  if (!locked) return std::unexpected(std::move(locked.error()));
  return OwnSegment{who.incarnation, std::move(who.file), os::LifeFd(std::move(*plate)),
                    std::move(fresh->mapping), std::move(fresh->file)};
}

// ---- the topic itself ---------------------------------------------------------------------------

// By whoever finds no topic: others get both from us, and later from one another.
Result<void> TopicDirectory::make_text_and_bell(const TypeDescription& type) {
  auto text = create_memory_segment("signalbox " + place_.name + " topic", SegmentKind::topic, 0,
                                    sizeof(TopicPage) + type.name.size() + type.text.size(),
                                    sizeof(TopicPage));
  if (!text) return std::unexpected(std::move(text.error()));
  write_type(text->mapping, type_hash_, type);
  text->mapping = os::Mapping();  // nobody writes it any more, not even we
  if (auto sealed = os::add_seals(text->file, os::sealed_contents); !sealed) return sealed;
  auto bell = create_memory_segment("signalbox " + place_.name + " bell", SegmentKind::bell, 0,
                                    sizeof(BellPage), sizeof(BellPage));
  if (!bell) return std::unexpected(std::move(bell.error()));
  if (auto sealed = os::add_seals(bell->file, os::sealed_size); !sealed) return sealed;
  text_ = std::move(text->file);
  bell_memory_ = std::move(bell->file);
  bell_ = std::move(bell->mapping);
  return {};
}

Request TopicDirectory::request(Ask ask, const Participant& whom) const noexcept {
  return {.ask = ask, .topic_inode = topic_inode_, .addressee = whom.incarnation};
}

// False: nobody can hand them over. Either all are dead, and then nothing of the topic is left and
// the next try makes it anew; or somebody is just making it, and the next try finds him.
Result<bool> TopicDirectory::receive_text_and_bell(const TypeDescription& type) {
  std::optional<Error> trouble;
  const auto everyone = participants();
  if (!everyone) return std::unexpected(everyone.error());
  // One that is stopped is no reason to wait while others can answer.
  for (const std::chrono::nanoseconds patience :
       {std::chrono::nanoseconds(kAskAnotherAfter), std::chrono::nanoseconds(kAnswerPatience)}) {
    trouble.reset();
    const Deadline deadline = Deadline::after(kAnswerPatience);
    for (const Participant& who : *everyone) {
      const auto plate = os::open_file(directory_, who.file, os::Access::read);
      if (!plate || !is_alive(*plate)) continue;
      auto given = ask(asking(), who, request(Ask::topic, who), {},
                       std::min(deadline, Deadline::after(patience)));
      if (given && *given) return accept_text_and_bell(std::move(**given), who, type);
      if (!given && !is_passing(given.error())) trouble = std::move(given.error());
    }
    if (!trouble) break;
  }
  if (trouble) return std::unexpected(std::move(*trouble));
  if (try_become_last()) remove_everything();
  // Not held while we wait: the others who wait must find out that nobody else is here.
  topic_file_.close();
  return false;
}

Result<bool> TopicDirectory::accept_text_and_bell(Given given, const Participant& from,
                                                  const TypeDescription& type) {
  if (given.descriptors.size() != 2) {
    return std::unexpected(sent_by(incomplete(path_of(from.file)), given.peer));
  }
  os::Fd& text = given.descriptors[0];
  os::Fd& bell = given.descriptors[1];
  auto sound = check_memory_segment(text, path_of(topic_file_name), SegmentKind::topic, 0,
                                    sizeof(TopicPage), os::sealed_contents);
  if (sound) {
    sound = check_memory_segment(bell, path_of(bell_file_name), SegmentKind::bell, 0,
                                 sizeof(BellPage), os::sealed_size);
  }
  if (!sound) return std::unexpected(sent_by(std::move(sound.error()), given.peer));
  const auto page = map_memory_segment(text, os::Access::read);
  if (!page) return std::unexpected(page.error());
  auto is_ours = compare_type({page->data(), page->size()}, type);
  if (!is_ours || !*is_ours) return is_ours;
  auto mapped = map_memory_segment(bell, os::Access::read_write);
  if (!mapped) return std::unexpected(std::move(mapped.error()));
  bell_ = std::move(*mapped);
  text_ = std::move(text);
  bell_memory_ = std::move(bell);
  return true;
}

// ---- participants -------------------------------------------------------------------------------

// Whoever comes while we are here either finds our socket or is found by us: we listen before we
// look who is there, and so does he.
Result<void> TopicDirectory::introduce(OwnSegment& own) {
  if (tier_ == Tier::plain) return os::link_unnamed(own.life.fd(), directory_, own.file);
  if (auto sealed = os::add_seals(own.memory, os::sealed_to_others); !sealed) return sealed;
  if (auto linked = os::link_unnamed(own.life.fd(), directory_, own.file); !linked) return linked;
  auto met = open_meeting_point(own);
  if (met) met = meet_all(own);
  if (met) return {};
  withdraw(own);
  os::unlink_file(directory_, own.file);
  return met;
}

Result<void> TopicDirectory::open_meeting_point(OwnSegment& own) {
  auto directory = os::open_file(directory_, ".", os::Access::read);
  if (!directory) return std::unexpected(std::move(directory.error()));
  const auto at = os::UnixAddress::in(directory_, socket_name(own.file));
  if (!at) return std::unexpected(at.error());
  auto listener = os::UnixListener::listen(
      *at, {.kind = os::UnixListener::Kind::seqpacket,
            .name = {.mode = sharing_.files.mode,
                     .group = sharing_.files.group,
                     .takes_over_stale = false}});  // names are never used again
  if (!listener) return std::unexpected(std::move(listener.error()));
  auto who = participant_of(own.file);
  point_ = std::make_shared<MeetingPoint>(
      MeetingPoint::Own{.directory = std::move(*directory),
                        .path = place_.topic_path,
                        .sharing = sharing_,
                        .topic_inode = topic_inode_,
                        .who = std::move(*who),
                        .text = std::move(text_),
                        .bell = std::move(bell_memory_),
                        .memory = std::move(own.memory),
                        .listener = os::LifeFd(listener->release())});
  return begin_answering(point_);
}

// Publishers and subscribers give each other their memory: then what was published is not lost with
// a publisher that dies the next moment, and whoever is to respect our pins knows them before we
// can set one.
Result<void> TopicDirectory::meet_all(const OwnSegment& own) {
  const MeetingPoint::Own& ours = point_->own();
  const Deadline deadline = Deadline::after(kAnswerPatience);
  const auto everyone = participants();
  if (!everyone) return std::unexpected(everyone.error());
  for (const Participant& who : *everyone) {
    if (who.role == ours.who.role) continue;
    const auto plate = os::open_file(directory_, who.file, os::Access::read);
    if (!plate || !is_alive(*plate)) continue;
    Request meet = request(Ask::meet, who);
    meet.sender = own.incarnation;
    meet.is_publisher = ours.who.role == Role::publisher ? 1 : 0;
    const int memory[] = {ours.memory.get()};
    auto given = ask(asking(), who, meet, memory, deadline);
    if (!given) return std::unexpected(std::move(given.error()));
    if (!*given) continue;
    if (auto kept = keep_given(who, std::move(**given)); !kept) return kept;
  }
  return {};
}

// Its memory, and behind it the further arenas of a publisher that has grown.
Result<void> TopicDirectory::keep_given(const Participant& who, Given given) {
  const bool has_grown = given.descriptors.size() > 1;
  if (given.descriptors.empty() || (has_grown && who.role != Role::publisher)) {
    return std::unexpected(sent_by(incomplete(path_of(who.file)), given.peer));
  }
  auto kept = point_->keep(who, std::move(given.descriptors[0]), given.peer.pid);
  for (std::size_t i = 1; kept && i < given.descriptors.size(); ++i) {
    kept = point_->keep_arena(who, std::move(given.descriptors[i]), given.peer.pid);
  }
  if (kept || is_passing(kept.error())) return {};
  return std::unexpected(sent_by(std::move(kept.error()), given.peer));
}

void TopicDirectory::withdraw(const OwnSegment& own) noexcept {
  if (tier_ == Tier::plain || generation_ != os::fork_generation()) return;
  if (point_ != nullptr) end_answering(point_);
  const bool is_gone = detail::done_unless_out_of_memory([&] {
    const Stage closed = Stage::closed;
    static_cast<void>(os::write_at(own.life.fd(), offsetof(PlatePage, stage),
                                   std::as_bytes(std::span(&closed, 1))));
    return os::unlink_file(directory_, socket_name(own.file));
  });
  static_cast<void>(is_gone);  // a name that stays is an orphan, and the next visitor's to remove
}

Result<OpenSegment> TopicDirectory::segment_of(const Participant& who) const {
  if (tier_ == Tier::plain) {
    return open_segment(directory_, who.file, path_of(who.file), kind_of(who.role),
                        page_bytes_of(kind_of(who.role)), os::Access::read);
  }
  if (point_ != nullptr) return point_->segment_of(who);
  return std::unexpected(
      Error{Errc::not_found, 0, {}, path_of(who.file) + " has not been introduced."});
}

}  // namespace signalbox::topic
