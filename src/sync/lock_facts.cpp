// Reads the words of semaphores and locks from their files, for people.
#include "signalbox/lock_facts.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "os/file.hpp"
#include "shm/barrier_word.hpp"
#include "shm/read_write.hpp"
#include "shm/units.hpp"
#include "sync/layout.hpp"
#include "sync/membership.hpp"
#include "sync/shared_object.hpp"
#include "topic/directory.hpp"
#include "topic/segment.hpp"

namespace signalbox {

namespace {

using sync::Atomics;

// A private copy of an object's file: each word of it was read once.
class Copy {
 public:
  static Result<Copy> read(const os::Fd& directory, const std::string& file,
                           const std::string& path) {
    const auto opened = os::open_file(directory, file, os::Access::read);
    if (!opened) return std::unexpected(opened.error());
    const auto facts = os::facts_of(*opened);
    if (!facts) return std::unexpected(facts.error());
    constexpr std::uint64_t longest = sync::state_offset + (std::uint64_t{1} << 20);
    if (facts->bytes < sizeof(sync::ObjectPage) || facts->bytes > longest) return damaged(path);
    Copy copy;
    copy.bytes_.resize(facts->bytes);
    if (auto got = os::read_at(*opened, 0, copy.bytes_); !got) {
      return std::unexpected(got.error());
    }
    const auto header = copy.at<topic::SegmentHeader>(0);
    if (auto ok = topic::check_header(header, path, sync::object_kind, sizeof(sync::ObjectPage),
                                      facts->bytes);
        !ok) {
      return std::unexpected(ok.error());
    }
    const sync::Terms terms = copy.terms();
    const bool is_known =
        terms.kind >= sync::Kind::mutex && terms.kind <= sync::Kind::barrier &&
        copy.at<std::uint32_t>(offsetof(sync::ObjectPage, version)) == sync::object_version &&
        facts->bytes == sync::state_offset + sync::bytes_of(terms);
    return is_known ? Result<Copy>(std::move(copy)) : damaged(path);
  }

  template <class T>
  T at(std::uint64_t offset) const noexcept {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(value));
    return value;
  }
  sync::Terms terms() const noexcept {
    return {.kind = at<sync::Kind>(offsetof(sync::ObjectPage, terms)),
            .fairness = at<shm::Fairness>(offsetof(sync::ObjectPage, terms) + 4),
            .capacity = at<std::uint32_t>(offsetof(sync::ObjectPage, terms) + 8)};
  }

 private:
  static Result<Copy> damaged(const std::string& path) {
    return std::unexpected(
        Error{Errc::damaged, 0, {}, "cannot look at " + path + ": it is no lock of this version."});
  }
  std::vector<std::byte> bytes_;
};

// Who is behind a token.
class Members {
 public:
  explicit Members(const topic::Place& place) : path_(place.domain_path + "/+members") {
    if (auto opened = os::open_directory(path_)) directory_ = std::move(*opened);
  }
  LockUser user(std::uint64_t token, std::uint32_t thread, bool reads = false) const {
    LockUser user{.pid = 0, .thread = thread, .program = {}, .is_alive = false, .reads = reads};
    const auto file = os::open_file(directory_, sync::member_file_name(token), os::Access::read);
    if (!file) return user;
    user.is_alive = topic::is_alive(*file);
    topic::SegmentHeader header{};
    if (os::read_at(*file, 0, std::as_writable_bytes(std::span(&header, 1)))) {
      user.pid = header.pid;
      user.program.assign(header.program, strnlen(header.program, sizeof(header.program)));
      // It is for people's terminals, and others chose the bytes.
      std::ranges::replace_if(
          user.program, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
    }
    return user;
  }

 private:
  std::string path_;
  os::Fd directory_;
};

class Reader {
 public:
  Reader(const Copy& copy, const Members& members, LockFacts& facts)
      : copy_(copy), members_(members), facts_(facts) {}

  void read() {
    switch (copy_.terms().kind) {
      case sync::Kind::mutex:
        read_lock_word();
        return read_line(offsetof(sync::Lock, line));
      case sync::Kind::semaphore:
        read_units();
        return read_line(offsetof(shm::UnitsState<Atomics>, line));
      case sync::Kind::read_write_lock:
        read_lock_word();
        read_readers();
        return read_line(offsetof(sync::Lock, line));
      case sync::Kind::condition:
        return read_line(0);
      case sync::Kind::barrier:
        break;
    }
    read_line(offsetof(shm::BarrierState<Atomics>, line));
    const auto word = state<std::uint64_t>(0);
    const auto meeting = std::uint64_t{shm::generation_of(word)} + 1;
    facts_.value = static_cast<std::uint32_t>(std::ranges::count(pipes_, meeting));
  }

 private:
  template <class T>
  T state(std::uint64_t offset) const {
    return copy_.at<T>(sync::state_offset + offset);
  }

  void read_lock_word() {
    const auto word = state<std::uint64_t>(offsetof(sync::Lock, word));
    facts_.last_owner_died = (word & shm::lock_owner_died) != 0;
    if (const auto owner = shm::lock_owner(word); owner != 0) {
      const auto thread = state<std::uint32_t>(offsetof(sync::Lock, thread));
      facts_.holders.push_back(members_.user(owner, thread));
    }
  }

  void read_units() {
    for (std::uint32_t i = 0; i < facts_.units_max; ++i) {
      const auto word = state<std::uint64_t>(sizeof(shm::UnitsState<Atomics>) + i * 8ULL);
      if (word == shm::unit_free) ++facts_.value;
      if (const auto holder = shm::unit_holder(word); holder != 0) {
        facts_.holders.push_back(members_.user(holder, 0));
      }
    }
  }

  void read_readers() {
    using State = shm::ReadWriteState<Atomics>;
    for (std::size_t i = 0; i < shm::reader_slots; ++i) {
      const std::uint64_t slot = offsetof(State, readers) + i * sizeof(shm::ReaderSlot<Atomics>);
      const auto reader = state<std::uint64_t>(slot);
      if (reader == 0) continue;
      facts_.holders.push_back(members_.user(reader, state<std::uint32_t>(slot + 8), true));
    }
  }

  void read_line(std::uint64_t line) {
    using Place = shm::Place<Atomics>;
    struct InLine {
      std::uint64_t arrival;
      LockUser user;
    };
    std::vector<InLine> found;
    for (std::size_t i = 0; i < shm::line_places; ++i) {
      const std::uint64_t place = line + offsetof(shm::Line<Atomics>, places) + i * sizeof(Place);
      const auto owner = state<std::uint64_t>(place + offsetof(Place, owner));
      const auto arrival = state<std::uint64_t>(place + offsetof(Place, arrival));
      if (owner == 0 || arrival == 0) continue;
      const auto wants = state<shm::Wants>(place + offsetof(Place, wants));
      const auto thread = state<std::uint32_t>(place + offsetof(Place, thread));
      pipes_.push_back(state<std::uint64_t>(place + offsetof(Place, pipe)));
      if (wants == shm::Wants::silence) continue;  // it stands among the holders
      found.push_back({arrival, members_.user(owner, thread, wants == shm::Wants::to_read)});
    }
    std::ranges::sort(found, {}, &InLine::arrival);
    for (InLine& one : found) facts_.waiters.push_back(std::move(one.user));
  }

  const Copy& copy_;
  const Members& members_;
  LockFacts& facts_;
  std::vector<std::uint64_t> pipes_;
};

Result<LockFacts> look(const topic::Place& place, const os::Fd& directory, const std::string& file,
                       const Members& members) {
  const auto copy = Copy::read(directory, file, place.domain_path + "/+locks/" + file);
  if (!copy) return std::unexpected(copy.error());
  const sync::Terms terms = copy->terms();
  LockFacts facts{
      .name = file,
      .kind = static_cast<LockKind>(terms.kind),
      .first_come_first_served = terms.fairness == shm::Fairness::first_come_first_served,
      .last_owner_died = false,
      .value = 0,
      .units_max = terms.capacity,
      .holders = {},
      .waiters = {},
      .error = {}};
  std::ranges::replace(facts.name, '+', '/');
  Reader(*copy, members, facts).read();
  return facts;
}

Result<std::vector<LockFacts>> list_all(std::string_view domain) {
  // The name is only asked for because a place has one.
  const auto place = topic::locate("any", domain);
  if (!place) return std::unexpected(place.error());
  const std::string path = place->domain_path + "/+locks";
  std::vector<LockFacts> all;
  const auto directory = os::open_directory(path);
  if (!directory) {
    if (directory.error().code == Errc::not_found) return all;
    return std::unexpected(directory.error());
  }
  auto names = os::list_directory(*directory, path);
  if (!names) return std::unexpected(names.error());
  std::ranges::sort(*names);
  const Members members(*place);
  for (const std::string& name : *names) {
    auto facts = look(*place, *directory, name, members);
    if (!facts && facts.error().code == Errc::not_found) continue;  // removed just now
    if (facts) {
      all.push_back(std::move(*facts));
    } else {
      LockFacts unknown;
      unknown.name = name;
      unknown.error = std::move(facts.error());
      all.push_back(std::move(unknown));
    }
  }
  return all;
}

}  // namespace

Result<LockFacts> look_at_lock(std::string_view name, std::string_view domain) {
  return detail::or_out_of_memory([&]() -> Result<LockFacts> {
    const auto place = topic::locate(name, domain);
    if (!place) return std::unexpected(place.error());
    const auto directory = os::open_directory(place->domain_path + "/+locks");
    if (!directory) return std::unexpected(directory.error());
    return look(*place, *directory, place->topic_path.substr(place->domain_path.size() + 1),
                Members(*place));
  });
}

Result<std::vector<LockFacts>> list_locks(std::string_view domain) {
  return detail::or_out_of_memory([&] { return list_all(domain); });
}

}  // namespace signalbox
