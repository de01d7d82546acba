#include "topic/directory.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <utility>

#include "os/failure.hpp"
#include "signalbox/os/futex.hpp"
#include "topic/introduction_server.hpp"

namespace signalbox::topic {

namespace {

// How long to keep meeting somebody who is removing the topic before calling him stuck.
constexpr auto kAttachPatience = std::chrono::seconds(2);

// A joiner that met a directory on its way out gives its remover the processor and tries again.
void let_the_other_finish() noexcept {
  const timespec pause{.tv_sec = 0, .tv_nsec = 200'000};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}

Error type_mismatch(const std::string& topic, const std::string& their_name,
                    const wire::ParsedType& theirs, const TypeDescription& type,
                    const wire::ParsedType& ours) {
  return {Errc::type_mismatch,
          0,
          {},
          "cannot open topic \"" + topic + "\": " + wire::first_difference(theirs, ours) +
              ". The topic holds " + their_name + " (" + std::to_string(theirs.fixed_bytes) +
              " bytes), the caller has " + type.name + " (" + std::to_string(ours.fixed_bytes) +
              " bytes). Rebuild the older program, or stop every user of the topic first."};
}

// A subscriber's page that is gone or damaged belongs to nobody who will come; one that we only
// failed to look at (no descriptors left, say) may well.
bool is_ours_to_miss(const Error& error) noexcept {
  return error.code != Errc::not_found && error.code != Errc::damaged &&
         error.code != Errc::layout_mismatch;
}

}  // namespace

void write_type(const os::Mapping& fresh, const wire::Hash128& hash, const TypeDescription& type) {
  auto* page = fresh.at<TopicPage>(0);
  page->type_hash[0] = hash.high;
  page->type_hash[1] = hash.low;
  page->name_bytes = static_cast<std::uint32_t>(type.name.size());
  page->description_bytes = static_cast<std::uint32_t>(type.text.size());
  page->text_offset = sizeof(TopicPage);
  std::byte* text = fresh.data() + sizeof(TopicPage);
  std::memcpy(text, type.name.data(), type.name.size());
  std::memcpy(text + type.name.size(), type.text.data(), type.text.size());
}

Result<TopicDirectory> TopicDirectory::attach(std::string_view topic, const TypeDescription& type,
                                              std::string_view domain, Tier tier) {
  auto place = locate(topic, domain);
  if (!place) return std::unexpected(std::move(place.error()));
  if (tier != Tier::plain && tier != Tier::hardened) {
    return std::unexpected(Error{Errc::bad_argument,
                                 0,
                                 {},
                                 "cannot open topic \"" + place->name + "\": tier is " +
                                     std::to_string(std::to_underlying(tier)) +
                                     ", which is no Tier."});
  }
  auto parsed = wire::parse_description(type.text);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  TopicDirectory here;
  here.place_ = std::move(*place);
  here.type_ = std::move(*parsed);
  here.type_hash_ = wire::hash_description(type.text);
  here.generation_ = os::fork_generation();
  here.tier_ = tier;
  const Deadline deadline = Deadline::after(kAttachPatience);
  for (;;) {
    auto attached = here.try_attach(type);
    if (!attached) return std::unexpected(std::move(attached.error()));
    if (*attached) break;
    if (deadline.passed()) {
      return std::unexpected(Error{Errc::abandoned,
                                   0,
                                   {},
                                   "cannot open topic \"" + here.place_.name +
                                       "\": another process has been making or removing " +
                                       here.place_.topic_path +
                                       " for 2 s; is it stopped? Let it go on or kill it."});
    }
    let_the_other_finish();
  }
  here.bell_.raise_when_lost(here.bell().epoch);
  here.reap_all();
  return here;
}

// One try. False: the directory went away under our hands.
Result<bool> TopicDirectory::try_attach(const TypeDescription& type) {
  topic_file_.close();
  is_valid_ = false;
  sharing_ = sharing_of(place_.domain_path);
  if (auto usable = make_root(place_); !usable) return std::unexpected(std::move(usable.error()));
  if (auto made = os::make_directories(place_.topic_path, sharing_.directories); !made) {
    return made.error().sys_errno == ENOENT ? Result<bool>(false)
                                            : std::unexpected(std::move(made.error()));
  }
  auto directory = os::open_directory(place_.topic_path);
  if (!directory) {
    // Whoever makes a shared topic's directory needs a moment until the group may enter.
    const bool is_passing =
        directory.error().code == Errc::not_found ||
        (directory.error().code == Errc::permission_denied && sharing_.group.has_value());
    return is_passing ? Result<bool>(false) : std::unexpected(std::move(directory.error()));
  }
  directory_ = std::move(*directory);
  auto ready = open_or_create_topic(type);
  if (!ready) {
    return ready.error().code == Errc::not_found ? Result<bool>(false)
                                                 : std::unexpected(std::move(ready.error()));
  }
  if (!topic_file_.fd().is_open()) return false;
  if (tier_ == Tier::hardened) {
    const auto facts = os::facts_of(topic_file_.fd());
    if (!facts) return std::unexpected(facts.error());
    topic_inode_ = facts->inode;
  }
  const bool is_ours = is_valid_;  // made just now, with our type
  auto same_type = is_ours ? Result<bool>(true) : check_type(type);
  if (!same_type) return std::unexpected(std::move(same_type.error()));
  if (!*same_type) return false;
  is_valid_ = true;
  if (auto bell = open_or_create_bell(); !bell) {
    return bell.error().code == Errc::not_found ? Result<bool>(false)
                                                : std::unexpected(std::move(bell.error()));
  }
  return true;
}

// Leaves topic_file_ open and share-locked, or closed if the topic was being removed.
Result<void> TopicDirectory::open_or_create_topic(const TypeDescription& type) {
  auto existing = os::open_file(directory_, topic_file_name, os::Access::read_write);
  if (existing) {
    auto entered = enter(std::move(*existing));
    if (!entered) return std::unexpected(std::move(entered.error()));
    return {};
  }
  if (existing.error().code != Errc::not_found) return std::unexpected(std::move(existing.error()));
  const bool is_plain = tier_ == Tier::plain;
  if (!is_plain) {
    if (auto made = make_text_and_bell(type); !made) return made;
  }
  const std::uint64_t bytes =
      sizeof(TopicPage) + (is_plain ? type.name.size() + type.text.size() : 0);
  auto fresh = create_segment(directory_, path_of(topic_file_name), SegmentKind::topic, 0, bytes,
                              sizeof(TopicPage), sharing_.files);
  if (!fresh) return std::unexpected(std::move(fresh.error()));
  if (is_plain) {
    write_type(fresh->mapping, type_hash_, type);
  } else {
    fresh->mapping.at<TopicPage>(0)->header.features_incompatible = feature_hardened;
  }
  auto locked = os::try_lock(fresh->file, os::LockKind::shared);
  if (!locked) return std::unexpected(std::move(locked.error()));
  if (auto linked = os::link_unnamed(fresh->file, directory_, topic_file_name); !linked) {
    // Somebody was quicker: the next try finds his.
    if (linked.error().code == Errc::already_exists) return {};
    return std::unexpected(std::move(linked.error()));
  }
  topic_file_ = os::LifeFd(std::move(fresh->file));
  is_valid_ = true;
  return {};
}

// Takes the shared lock on an existing topic file, unless it is on its way out.
Result<bool> TopicDirectory::enter(os::Fd topic_file) {
  auto locked = os::try_lock(topic_file, os::LockKind::shared);
  if (!locked) return std::unexpected(std::move(locked.error()));
  if (!*locked) return false;
  const auto facts = os::facts_of(topic_file);
  if (!facts) return std::unexpected(facts.error());
  if (facts->links == 0) return false;
  topic_file_ = os::LifeFd(std::move(topic_file));
  return true;
}

// True if the topic's type is ours; false if it was another's, left by the dead, and is gone now.
Result<bool> TopicDirectory::check_type(const TypeDescription& type) {
  const std::string path = path_of(topic_file_name);
  if (tier_ == Tier::hardened) {
    if (const auto theirs = tier_of(topic_file_.fd(), path); !theirs) {
      return std::unexpected(theirs.error());
    } else if (*theirs != tier_) {
      return refuse_tier(*theirs);
    }
    return receive_text_and_bell(type);
  }
  auto segment = open_segment(directory_, topic_file_name, path, SegmentKind::topic,
                              sizeof(TopicPage), os::Access::read);
  if (!segment) {
    if (segment.error().code == Errc::not_found) return false;
    const auto theirs = tier_of(topic_file_.fd(), path);
    if (theirs && *theirs != tier_) return refuse_tier(*theirs);
    return std::unexpected(std::move(segment.error()));
  }
  return compare_type({segment->mapping.data(), segment->mapping.size()}, type);
}

// False: the dead left a topic of another tier, and it is gone now.
Result<bool> TopicDirectory::refuse_tier(Tier theirs) {
  if (try_become_last()) {
    remove_everything();
    return false;
  }
  const auto word = [](Tier tier) { return tier == Tier::plain ? "plain" : "hardened"; };
  return std::unexpected(Error{Errc::layout_mismatch,
                               0,
                               {},
                               "cannot open topic \"" + place_.name + "\": it is of the " +
                                   word(theirs) + " tier, the caller asks for the " + word(tier_) +
                                   " tier. All users of a topic must ask for the same."});
}

// True if the page's type is ours.
Result<bool> TopicDirectory::compare_type(std::span<const std::byte> whole,
                                          const TypeDescription& type) {
  const std::string path = path_of(topic_file_name);
  TopicPage page;
  std::memcpy(&page, whole.data(), sizeof(page));
  const std::uint64_t size = whole.size();
  if (page.text_offset > size || page.name_bytes > size - page.text_offset ||
      page.description_bytes > size - page.text_offset - page.name_bytes) {
    return std::unexpected(Error{Errc::damaged,
                                 0,
                                 {},
                                 "cannot use " + path +
                                     ": its type description lies outside the file. It was left as "
                                     "it is; remove it by hand if no program needs it."});
  }
  const auto* text = reinterpret_cast<const char*>(whole.data() + page.text_offset);
  const std::string their_name(text, page.name_bytes);
  const std::string their_text(text + page.name_bytes, page.description_bytes);
  if (their_text == type.text) return true;
  auto theirs = wire::parse_description(their_text);
  if (!theirs) {
    return std::unexpected(Error{Errc::damaged,
                                 0,
                                 {},
                                 "cannot use " + path + ": its type description is not one (" +
                                     theirs.error().text +
                                     "). It was left as it is; remove it by "
                                     "hand if no program needs it."});
  }
  if (try_become_last()) {
    remove_everything();
    return false;
  }
  return std::unexpected(type_mismatch(place_.name, their_name, *theirs, type, type_));
}

Result<void> TopicDirectory::open_or_create_bell() {
  if (tier_ == Tier::hardened) return {};  // handed to us with the type
  const std::string path = path_of(bell_file_name);
  for (;;) {
    auto bell = open_segment(directory_, bell_file_name, path, SegmentKind::bell, sizeof(BellPage),
                             os::Access::read_write);
    if (bell) {
      bell_ = std::move(bell->mapping);
      return {};
    }
    if (bell.error().code != Errc::not_found) return std::unexpected(std::move(bell.error()));
    auto fresh = create_segment(directory_, path, SegmentKind::bell, 0, sizeof(BellPage),
                                sizeof(BellPage), sharing_.files);
    if (!fresh) return std::unexpected(std::move(fresh.error()));
    auto linked = os::link_unnamed(fresh->file, directory_, bell_file_name);
    if (linked) {
      bell_ = std::move(fresh->mapping);
      return {};
    }
    if (linked.error().code != Errc::already_exists) {
      return std::unexpected(std::move(linked.error()));
    }
  }
}

// What could not be removed for want of memory, the next visitor removes.
TopicDirectory::~TopicDirectory() {
  static_cast<void>(detail::done_unless_out_of_memory([this] {
    leave();
    return true;
  }));
}

void TopicDirectory::leave() {
  const bool was_moved_from = place_.topic_path.empty();
  if (was_moved_from || generation_ != os::fork_generation()) return;
  if (point_ != nullptr) end_answering(point_);
  if (!topic_file_.fd().is_open() || !is_valid_) {
    remove_empty_directories();  // what else is in it is not ours to judge
    return;
  }
  reap_all();
  // We leave first and look second: two that leave at once would else each see the other inside.
  os::unlock(topic_file_.fd());
  const bool alone = try_become_last();
  const auto facts = os::facts_of(topic_file_.fd());
  if (alone && facts && facts->links != 0) remove_everything();
}

bool TopicDirectory::try_become_last() noexcept {
  return detail::done_unless_out_of_memory([this] {
    const auto alone = os::try_lock(topic_file_.fd(), os::LockKind::exclusive);
    return alone && *alone;
  });
}

// Called with the exclusive lock: nobody is in the topic, and whoever wants in waits for us.
void TopicDirectory::remove_everything() {
  if (const auto everyone = participants()) {
    for (const Participant& who : *everyone) reap(who, true);
  }
  remove_orphans();
  const auto bell = os::open_file(directory_, bell_file_name, os::Access::read);
  if (bell && looks_like_segment(*bell, SegmentKind::bell)) {
    os::unlink_file(directory_, bell_file_name);
  }
  os::unlink_file(directory_, topic_file_name);
  remove_empty_directories();
  topic_file_.close();
}

// A participant's file is what its pipe, its socket and its arenas are found by; one that was not
// removed with the file has nobody left to remove it. Files are named first, so whoever has none
// any more will not have one again.
void TopicDirectory::remove_orphans() {
  const auto names = os::list_directory(directory_, place_.topic_path);
  if (!names) return;
  for (const std::string& name : *names) {
    const std::size_t page_name_bytes = name.rfind('.');
    const auto owner = participant_of(name.substr(0, page_name_bytes));
    if (!owner || (name != fifo_name(owner->file) && name != socket_name(owner->file) &&
                   !is_arena_name(name))) {
      continue;
    }
    const auto facts = os::facts_of(directory_, owner->file);
    if (!facts && facts.error().code == Errc::not_found) os::unlink_file(directory_, name);
  }
}

// Safe at any time: the kernel refuses to remove a directory that holds anything, and a joiner who
// made one and finds it gone starts again.
void TopicDirectory::remove_empty_directories() noexcept {
  os::remove_directory(place_.topic_path);
  // What is shared with a group was made by somebody for that, and must be there for the next.
  if (sharing_.group) return;
  os::remove_directory(place_.domain_path);
  if (place_.root_is_ours && !sharing_of(place_.root).group) os::remove_directory(place_.root);
}

Result<std::vector<Participant>> TopicDirectory::participants(bool* has_arenas) const {
  const auto kept = point_ == nullptr ? std::vector<Participant>() : point_->kept();
  auto names = os::list_directory(directory_, place_.topic_path);
  if (!names) return std::unexpected(std::move(names.error()));
  std::vector<Participant> found;
  for (const std::string& name : *names) {
    if (auto who = participant_of(name)) found.push_back(std::move(*who));
    if (has_arenas != nullptr && is_arena_name(name)) *has_arenas = true;
  }
  if (point_ != nullptr) point_->settle(kept, found);
  return found;
}

Result<std::size_t> TopicDirectory::count_alive(Role role) const {
  const auto everyone = participants();
  if (!everyone) return std::unexpected(everyone.error());
  std::size_t count = 0;
  for (const Participant& who : *everyone) {
    if (who.role != role) continue;
    const auto file = os::open_file(directory_, who.file, os::Access::read);
    count += file && is_alive(*file) ? 1 : 0;
  }
  return count;
}

void TopicDirectory::announce_change() noexcept {
  bell().epoch.fetch_add(1);
  os::futex_wake_all(&bell().epoch);
  bell().ticket.fetch_add(1);
  os::futex_wake_all(&bell().ticket);
}

bool TopicDirectory::everyone_met(std::uint64_t publisher, std::uint32_t arenas) const noexcept {
  // Who was introduced has the memory and needs no name to find it by.
  if (tier_ == Tier::hardened) return true;
  return detail::done_unless_out_of_memory([&] { return ask_everyone_about(publisher, arenas); });
}

bool TopicDirectory::ask_everyone_about(std::uint64_t publisher, std::uint32_t arenas) const {
  const auto everyone = participants();
  if (!everyone) return false;
  for (const Participant& who : *everyone) {
    if (who.role != Role::subscriber) continue;
    const auto segment = segment_of(who);
    if (!segment && is_ours_to_miss(segment.error())) return false;
    if (!segment || !is_alive(segment->file)) continue;
    const auto& page = *segment->mapping.at<const SubscriberPage>(0);
    if (page.stage.load() != Stage::ready) continue;
    const bool met = std::ranges::any_of(page.cursors, [&](const auto& cursor) {
      return shm::cursor_owner(cursor) == publisher &&
             (shm::arenas_mapped(cursor) & arenas) == arenas;
    });
    if (!met) return false;
  }
  return true;
}

bool TopicDirectory::reap(const Participant& who) noexcept { return reap(who, false); }

bool TopicDirectory::reap(const Participant& who, bool even_if_unmet) noexcept {
  return detail::done_unless_out_of_memory([&] { return try_reap(who, even_if_unmet); });
}

bool TopicDirectory::try_reap(const Participant& who, bool even_if_unmet) {
  // No lock is taken: who is dead stays dead, and his name is never used again. A reaper's lock
  // would make the dead look alive, and for as long as a reaper is stopped.
  const auto file = os::open_file(directory_, who.file, os::Access::read);
  if (!file || is_alive(*file) || !looks_like_segment(*file, kind_of(who.role))) return false;
  if (tier_ == Tier::hardened) os::unlink_file(directory_, socket_name(who.file));
  if (who.role == Role::subscriber) {
    os::unlink_file(directory_, fifo_name(who.file));
    return os::unlink_file(directory_, who.file);
  }
  const Grown grown = tier_ == Tier::plain ? grown_of(*file) : Grown{};
  if (!even_if_unmet && !everyone_met(who.incarnation, grown.spoken_of)) return false;
  return unlink_publisher(who.file, grown.most);
}

void TopicDirectory::reap_all() {
  bool has_arenas = false;
  const auto everyone = participants(&has_arenas);
  if (!everyone) return;
  const auto publishers = std::ranges::count(*everyone, Role::publisher, &Participant::role);
  // More than the most that can live: ended ones pile up before a subscriber that does not look.
  const bool too_many = publishers > static_cast<std::ptrdiff_t>(publishers_max);
  bool changed = false;
  for (const Participant& who : *everyone) changed = reap(who, too_many) || changed;
  if (tier_ == Tier::hardened || has_arenas) remove_orphans();
  if (changed && bell_.is_mapped()) announce_change();
}

Result<OwnSegment> create_own_segment(const TopicDirectory& topic, Role role,
                                      std::uint64_t total_bytes, std::uint32_t header_bytes) {
  auto incarnation = os::random_word();
  if (!incarnation) return std::unexpected(std::move(incarnation.error()));
  const std::string file = file_name(role, *incarnation);
  if (topic.tier() == Tier::hardened) {
    return create_own_memory(topic, {role, *incarnation, file}, total_bytes, header_bytes);
  }
  auto fresh = create_segment(topic.fd(), topic.path_of(file), kind_of(role), *incarnation,
                              total_bytes, header_bytes, topic.sharing().files);
  if (!fresh) return std::unexpected(std::move(fresh.error()));
  auto locked = os::try_lock(fresh->file, os::LockKind::exclusive);
  if (!locked) return std::unexpected(std::move(locked.error()));
  return OwnSegment{*incarnation, file, os::LifeFd(std::move(fresh->file)),
                    std::move(fresh->mapping)};
}

bool is_alive(const os::Fd& participant_file) noexcept {
  // When the kernel cannot answer, nobody is declared dead.
  const bool is_known_dead = detail::done_unless_out_of_memory([&] {
    const auto locked = os::is_exclusively_locked(participant_file);
    return locked && !*locked;
  });
  return !is_known_dead;
}

}  // namespace signalbox::topic
