// One look at a domain. Foreign words are copied once, checked, and only the copies are used.
#include <algorithm>
#include <array>
#include <cerrno>
#include <map>
#include <span>

#include "inspect/foreign_page.hpp"
#include "inspect/handed_page.hpp"
#include "signalbox/discovery.hpp"
#include "topic/directory.hpp"

namespace signalbox {

namespace {

using inspect::ForeignPage;
using topic::PublisherPage;
using topic::Role;
using topic::SegmentKind;
using topic::SubscriberPage;

// How long a look waits in all for those who do not answer, in the hardened tier.
constexpr auto kLookPatience = std::chrono::seconds(1);

struct OpenTopic {
  os::Fd directory;
  std::string path;
  Deadline deadline;
  topic::Sharing sharing{};
  bool is_hardened = false;

  inspect::Look look() const { return {directory, path, sharing, deadline}; }
};

Error contradiction(const std::string& path) {
  return {Errc::damaged, 0, {}, "cannot use " + path + ": it contradicts itself."};
}

Result<TypeDescription> read_type(const OpenTopic& at,
                                  std::span<const topic::Participant> everyone) {
  const std::string path = at.path + "/topic";
  auto page = at.is_hardened ? inspect::topic_page(at.look(), everyone)
                             : ForeignPage::open(at.directory, topic::topic_file_name, path,
                                                 SegmentKind::topic);
  if (!page) return std::unexpected(std::move(page.error()));
  const auto name_bytes = page->field<std::uint32_t>(offsetof(topic::TopicPage, name_bytes));
  const auto text_bytes = page->field<std::uint32_t>(offsetof(topic::TopicPage, description_bytes));
  const auto offset = page->field<std::uint64_t>(offsetof(topic::TopicPage, text_offset));
  const std::uint64_t size = page->file_bytes();
  if (text_bytes > wire::description_bytes_max || name_bytes > wire::description_bytes_max ||
      offset > size || name_bytes > size - offset || text_bytes > size - offset - name_bytes) {
    return std::unexpected(contradiction(path));
  }
  TypeDescription type{std::string(name_bytes, '\0'), std::string(text_bytes, '\0')};
  auto got = os::read_at(page->file(), offset, std::as_writable_bytes(std::span(type.name)));
  if (got) {
    got = os::read_at(page->file(), offset + name_bytes,
                      std::as_writable_bytes(std::span(type.text)));
  }
  if (!got) return std::unexpected(contradiction(path));
  type.name = inspect::printable(std::move(type.name));
  if (auto parsed = wire::parse_description(type.text); !parsed) {
    Error error = contradiction(path);
    error.text += " Its type description is not one (" + parsed.error().text + ").";
    return std::unexpected(std::move(error));
  }
  return type;
}

// Fills what is common; empty if there is no sound page, and then the reason stands in `info`.
std::optional<ForeignPage> read_page(const OpenTopic& at, const topic::Participant& who,
                                     ParticipantInfo& info) {
  info.incarnation = who.incarnation;
  const auto file = os::open_file(at.directory, who.file, os::Access::read);
  if (file) info.is_alive = topic::is_alive(*file);
  const auto facts = os::facts_of(at.directory, who.file);
  if (facts) info.uid = facts->owner;
  auto page = at.is_hardened ? inspect::participant_page(at.look(), who)
                             : ForeignPage::open(at.directory, who.file, at.path + "/" + who.file,
                                                 topic::kind_of(who.role));
  if (!page) {
    info.error = std::move(page.error());
    return {};
  }
  info.pid = page->header().pid;
  info.program = page->program();
  return std::move(*page);
}

// One past the newest message, as shm::RingReader::find_next() finds it.
Result<std::uint64_t> count_published(const ForeignPage& page, std::uint32_t depth,
                                      std::uint64_t slot_bytes) {
  const auto ring = page.field<std::uint64_t>(offsetof(PublisherPage, ring_offset));
  constexpr std::uint64_t at_once = 16;
  std::array<std::byte, at_once * shm::slot_pitch(shm::slot_lines_max) * sizeof(topic::Slot)> slots;
  std::uint64_t next = 0;
  for (std::uint64_t first = 0; first < depth; first += at_once) {
    const std::uint64_t count = std::min<std::uint64_t>(at_once, depth - first);
    const auto some = std::span(slots).first(count * slot_bytes);
    if (auto got = os::read_at(page.file(), ring + first * slot_bytes, some); !got) {
      return std::unexpected(std::move(got.error()));
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t sequence = 0;
      std::memcpy(&sequence, slots.data() + i * slot_bytes, sizeof(sequence));
      // Ready at p counts to p+1; being written at p counts to p. Only p's own slot may say so.
      if (sequence == 0) continue;
      if (shm::position_of(sequence) * shm::slot_step % depth != first + i) continue;
      next = std::max(next, sequence / 2);
    }
  }
  return next;
}

PublisherInfo read_publisher(const OpenTopic& at, const topic::Participant& who) {
  PublisherInfo info;
  const auto page = read_page(at, who, info);
  if (!page) return info;
  const auto depth = page->field<std::uint32_t>(offsetof(PublisherPage, depth));
  const auto ring = page->field<std::uint64_t>(offsetof(PublisherPage, ring_offset));
  const auto lines = page->field<std::uint32_t>(offsetof(PublisherPage, slot_lines));
  const std::uint64_t slot_bytes = shm::slot_pitch(lines) * sizeof(topic::Slot);
  const std::uint64_t size = page->file_bytes();
  const bool is_sound = depth != 0 && depth <= depth_max && (depth & (depth - 1)) == 0 &&
                        lines != 0 && lines <= shm::slot_lines_max && ring <= size &&
                        depth <= (size - ring) / slot_bytes;
  const auto published =
      is_sound ? count_published(*page, depth, slot_bytes)
               : Result<std::uint64_t>(std::unexpected(contradiction(at.path + "/" + who.file)));
  if (!published) {
    info.error = published.error();
    return info;
  }
  info.depth = depth;
  info.published = *published;
  info.tail_bytes_max = page->field<std::uint64_t>(offsetof(PublisherPage, tail_bytes_max));
  info.dropped = page->field<std::uint64_t>(offsetof(PublisherPage, dropped));
  info.evicted = page->field<std::uint64_t>(offsetof(PublisherPage, evicted));
  return info;
}

SubscriberInfo read_subscriber(const OpenTopic& at, const topic::Participant& who,
                               std::span<const PublisherInfo> publishers) {
  SubscriberInfo info;
  const auto page = read_page(at, who, info);
  if (!page) return info;
  info.is_reliable = page->field<std::uint32_t>(offsetof(SubscriberPage, reliable)) != 0;
  for (std::size_t i = 0; i < pins_max; ++i) {
    const auto pin = page->field<std::uint64_t>(offsetof(SubscriberPage, pins) + i * 8);
    info.held += pin != 0 ? 1 : 0;
  }
  if (!info.is_reliable) return info;
  std::uint64_t lag = 0;
  for (std::size_t i = 0; i < shm::cursor_slots; ++i) {
    const std::size_t offset =
        offsetof(SubscriberPage, cursors) + i * sizeof(shm::Cursor<topic::Atomics>);
    const auto owner = page->field<std::uint64_t>(offset);
    const auto position = page->field<std::uint64_t>(offset + 8);
    const auto met = std::ranges::find(publishers, owner, &PublisherInfo::incarnation);
    if (owner == 0 || met == publishers.end() || !met->is_alive) continue;
    // The publisher was read first: the subscriber may have come further meanwhile.
    if (position < met->published)
      lag += std::min<std::uint64_t>(met->published - position, met->depth);
  }
  info.lag = lag;
  return info;
}

bool is_hardened(const OpenTopic& at) {
  const auto file = os::open_file(at.directory, topic::topic_file_name, os::Access::read);
  const auto tier = file ? topic::tier_of(*file, at.path + "/topic")
                         : Result<Tier>(std::unexpected(file.error()));
  return tier && *tier == Tier::hardened;
}

TopicInfo read_topic(const std::string& domain_path, const std::string& directory_name,
                     Deadline deadline) {
  TopicInfo info{.name = inspect::topic_of_directory(directory_name)};
  OpenTopic at{.directory = {}, .path = domain_path + "/" + directory_name, .deadline = deadline};
  auto directory = os::open_directory(at.path);
  if (!directory) {
    info.error = std::move(directory.error());
    return info;
  }
  at.directory = std::move(*directory);
  at.is_hardened = is_hardened(at);
  if (at.is_hardened) at.sharing = topic::sharing_of(domain_path);
  const auto names = os::list_directory(at.directory, at.path);
  if (!names) {
    info.error = names.error();
    return info;
  }
  std::vector<topic::Participant> everyone;
  for (const std::string& name : *names) {
    if (auto who = topic::participant_of(name)) everyone.push_back(std::move(*who));
  }
  std::ranges::sort(everyone, {}, &topic::Participant::incarnation);
  if (auto type = read_type(at, everyone)) {
    info.type = std::move(*type);
  } else {
    info.error = std::move(type.error());
  }
  // Who is gone since the list was made is no damage: it is left out.
  const auto is_gone = [](const ParticipantInfo& who) {
    return who.error && who.error->code == Errc::not_found;
  };
  for (const auto& who : everyone) {
    if (who.role == Role::publisher) info.publishers.push_back(read_publisher(at, who));
  }
  std::erase_if(info.publishers, is_gone);
  for (const auto& who : everyone) {
    if (who.role != Role::subscriber) continue;
    info.subscribers.push_back(read_subscriber(at, who, info.publishers));
  }
  std::erase_if(info.subscribers, is_gone);
  return info;
}

}  // namespace

Result<std::vector<TopicInfo>> list_topics(std::string_view domain) {
  return detail::or_out_of_memory([&]() -> Result<std::vector<TopicInfo>> {
    // The topic's name is only asked for because a place has one.
    const auto place = topic::locate("any", domain);
    if (!place) return std::unexpected(place.error());
    std::vector<TopicInfo> topics;
    const Deadline deadline = Deadline::after(kLookPatience);
    const auto directory = os::open_directory(place->domain_path);
    if (!directory) {
      if (directory.error().code == Errc::not_found) return topics;
      return std::unexpected(directory.error());
    }
    auto names = os::list_directory(*directory, place->domain_path);
    if (!names) return std::unexpected(std::move(names.error()));
    std::ranges::sort(*names);
    for (const std::string& name : *names) {
      // What no program can open under any name is no topic.
      if (!topic::locate(inspect::topic_of_directory(name), domain)) continue;
      TopicInfo info = read_topic(place->domain_path, name, deadline);
      // Made or removed just now: not a topic yet, or not any more. And no directory is no topic.
      const bool is_empty = info.publishers.empty() && info.subscribers.empty();
      const bool is_none =
          info.error && (info.error->code == Errc::not_found || info.error->sys_errno == ENOTDIR);
      if (is_none && is_empty) continue;
      topics.push_back(std::move(info));
    }
    return topics;
  });
}

}  // namespace signalbox
