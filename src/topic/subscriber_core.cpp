#include "topic/subscriber_core.hpp"

#include <algorithm>
#include <cstring>

#include "shm/pins.hpp"
#include "signalbox/shm/cursors.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "topic/footprint.hpp"

namespace signalbox {

using topic::PublisherPage;
using topic::Stage;
using topic::SubscriberPage;

// ---- presence -----------------------------------------------------------------------------------

SubscriberPresence::SubscriberPresence(topic::TopicDirectory in, topic::OwnSegment own)
    : directory(std::move(in)),
      segment(std::move(own)),
      page(segment.mapping.at<SubscriberPage>(0)),
      generation(os::fork_generation()) {
  segment.mapping.raise_when_lost(directory.bell().epoch);
}

SubscriberPresence::~SubscriberPresence() {
  if (generation != os::fork_generation()) return;
  directory.withdraw(segment);
  const bool both_gone = detail::done_unless_out_of_memory([this] {
    os::unlink_file(directory.fd(), topic::fifo_name(segment.file));
    return os::unlink_file(directory.fd(), segment.file);
  });
  // A file that stays for now is without a lock from here on: the next visitor removes it.
  static_cast<void>(both_gone);
  directory.announce_change();
}

namespace {

std::uint32_t lines_of(const wire::ParsedType& type) {
  return topic::slot_lines(type.fixed_bytes, type.has_tail);
}

std::uint64_t in_place_bytes(const wire::ParsedType& type) {
  return topic::fits_in_place(lines_of(type), type.fixed_bytes, 0) ? type.fixed_bytes : 0;
}

}  // namespace

// ---- opening ------------------------------------------------------------------------------------

Result<std::unique_ptr<SubscriberCore>> SubscriberCore::open(std::string_view topic,
                                                             const TypeDescription& type,
                                                             const SubscriberOptions& options) {
  if (options.spin_max.count() < 0) {
    return std::unexpected(Error{Errc::bad_argument,
                                 0,
                                 {},
                                 "cannot subscribe to topic \"" + std::string(topic) +
                                     "\": spin_max is " + std::to_string(options.spin_max.count()) +
                                     " ns; use 0 or more."});
  }
  auto directory = topic::TopicDirectory::attach(topic, type, options.domain, options.tier);
  if (!directory) return std::unexpected(std::move(directory.error()));
  const auto alive = directory->count_alive(topic::Role::subscriber);
  if (!alive) return std::unexpected(alive.error());
  if (*alive >= subscribers_max) {
    return std::unexpected(
        Error{Errc::limit_reached,
              0,
              {},
              "cannot subscribe to topic \"" + directory->name() +
                  "\": it has 1024 subscribers, the most there can be. Close one."});
  }
  auto segment = topic::create_own_segment(*directory, topic::Role::subscriber,
                                           topic::subscriber_file_bytes(), sizeof(SubscriberPage));
  if (!segment) return std::unexpected(std::move(segment.error()));
  auto* page = segment->mapping.at<SubscriberPage>(0);
  page->type_hash[0] = directory->type_hash().high;
  page->type_hash[1] = directory->type_hash().low;
  page->reliable = options.reliable ? 1 : 0;
  page->asymmetric = os::register_for_heavy_barrier() ? 1 : 0;
  page->pins_offset = offsetof(SubscriberPage, pins);
  page->cursors_offset = offsetof(SubscriberPage, cursors);
  if (auto shown = directory->introduce(*segment); !shown) {
    return std::unexpected(std::move(shown.error()));
  }
  auto core = std::make_unique<SubscriberCore>(
      std::make_shared<SubscriberPresence>(std::move(*directory), std::move(*segment)), options);
  if (auto joined = core->join(); !joined) return std::unexpected(std::move(joined.error()));
  return core;
}

SubscriberCore::SubscriberCore(std::shared_ptr<SubscriberPresence> presence,
                               const SubscriberOptions& options)
    : lane_{.bell = &presence->directory.bell(),
            .tells_asymmetric = presence->page->asymmetric != 0},
      in_place_bytes_(in_place_bytes(presence->directory.type())),
      long_words_(lines_of(presence->directory.type()) == 1 ? 0 : topic::words_of(in_place_bytes_)),
      is_reliable_(options.reliable),
      generation_(presence->generation),
      fixed_bytes_(presence->directory.type().fixed_bytes),
      presence_(std::move(presence)),
      page_(presence_->page),
      options_(options),
      spin_(options.spin_max.count()),
      source_(std::make_shared<TopicSource>(this)) {}

SubscriberCore::~SubscriberCore() {
  source_->close();
  if (is_foreign()) return;
  // Samples may live on and keep the page; publishers stop waiting for us and counting us now.
  page_->stage.store(Stage::closed);
  presence_->directory.announce_change();
}

// The page is visible already. Each publisher must know it before a pin or a cursor counts, so the
// epoch is raised and a heavy barrier passed before the starting positions are settled.
Result<void> SubscriberCore::join() {
  if (auto first = refresh(); !first) return first;
  has_looked_ = true;
  page_->stage.store(Stage::ready);
  presence_->directory.announce_change();
  barrier_before_sleep();
  if (auto again = refresh(); !again) return again;
  for (PublisherLink& link : links_) settle_start(link);
  return {};
}

// A lossy subscriber begins where link() chose: what was overwritten since is lost, and counted. To
// a reliable one what was overwritten before publishers waited for it was not promised.
void SubscriberCore::settle_start(PublisherLink& link) noexcept {
  if (!options_.reliable) return;
  const std::uint64_t next = link.ring.find_next();
  link.position = std::max(link.position, link.ring.oldest_kept(next));
  link.counts_from = link.position;
  shm::advance_cursor(page_->cursors[link.cursor], link.position);
  // A publisher that looked at the epoch just before we raised it may still be overwriting the
  // oldest message of a full ring: that one message we were not promised.
  if (link.position + link.shape.depth == next) ++link.counts_from;
}

Error SubscriberCore::refuse(Errc code, std::string_view text) const noexcept {
  return detail::explained(code, [&]() -> Error {
    return {code, 0, {}, "topic \"" + presence_->directory.name() + "\": " + std::string(text)};
  });
}

bool SubscriberCore::check_process() noexcept {
  if (!is_foreign()) return true;
  status_ =
      refuse(Errc::wrong_process, "the subscriber belongs to the parent of a fork; open one here.");
  return false;
}

// ---- who is there -------------------------------------------------------------------------------

// A look whose trouble, if any, is told by status(): there is no caller to tell.
void SubscriberCore::look_who_is_there() noexcept {
  auto known = refresh();
  if (!known) {
    status_ = detail::explained(known.error().code, [&]() -> Error {
      known.error().text.insert(0, "topic \"" + topic() + "\": ");
      return std::move(known.error());
    });
  } else if (refresh_failed_) {
    status_.reset();  // what stood in the way (no descriptors left, say) is over
  }
  refresh_failed_ = !known;
}

Result<void> SubscriberCore::refresh() noexcept {
  return detail::or_out_of_memory([this] { return meet_everyone(); });
}

// Thrown out in the middle it has met some of them, and does not believe that it has met all.
Result<void> SubscriberCore::meet_everyone() {
  lane_.turn = nullptr;
  const std::uint64_t epoch = lane_.bell->epoch.load();
  if (auto whole = look_whether_whole(); !whole) return whole;
  auto everyone = presence_->directory.participants();
  if (!everyone) return std::unexpected(std::move(everyone.error()));
  leave_the_shortened();
  forget_vanished(*everyone);
  map_further_arenas();
  bool met_somebody = false;
  for (const topic::Participant& who : *everyone) {
    if (who.role != topic::Role::publisher) continue;
    const auto known = std::ranges::find(links_, who.incarnation,
                                         [](const PublisherLink& l) { return l.who.incarnation; });
    if (known != links_.end()) continue;
    auto linked = link(who);
    if (!linked) return std::unexpected(std::move(linked.error()));
    met_somebody = met_somebody || *linked;
  }
  lane_.known_epoch = epoch;
  // A publisher that waits for a reliable subscriber learns of its new cursor by the epoch. Our own
  // step is not news to us.
  if (met_somebody && options_.reliable && lane_.bell->epoch.fetch_add(1) == epoch) {
    lane_.known_epoch = epoch + 1;
    os::futex_wake_all(&lane_.bell->epoch);
  }
  return {};
}

// Error damaged, for good: our page or the bell was shortened.
Result<void> SubscriberCore::look_whether_whole() noexcept {
  topic::OwnSegment& own = presence_->segment;
  presence_->directory.look_for_loss(own.mapping, own.life.fd());
  auto whole = presence_->directory.check_whole(own.mapping, own.file);
  if (!whole) {
    loss_ = detail::explained(whole.error().code, [&] { return whole.error(); });
  }
  return whole;
}

// Only a publisher's file: we go on with the others.
void SubscriberCore::leave_the_shortened() noexcept {
  for (PublisherLink& link : links_) {
    if (link.is_evicted) continue;
    presence_->directory.look_for_loss(link.view->mapping, link.file);
    look_for_lost_arenas(link);
    const auto is_lost = [](const ArenaView& arena) {
      return arena.view != nullptr && arena.view->mapping.is_lost();
    };
    if (!link.view->mapping.is_lost() && !link.writable_ring.is_lost() &&
        std::ranges::none_of(link.arenas, is_lost)) {
      continue;
    }
    link.is_evicted = true;
    loss_ = detail::explained(Errc::damaged, [&] {
      return topic::shortened(presence_->directory.path_of(link.who.file));
    });
  }
}

// Publishers that closed are drained; those whose file is gone too are let go once drained.
void SubscriberCore::forget_vanished(const std::vector<topic::Participant>& everyone) noexcept {
  for (std::size_t i = links_.size(); i > 0; --i) {
    PublisherLink& link = links_[i - 1];
    link.has_file =
        std::ranges::find(everyone, link.who.file, &topic::Participant::file) != everyone.end();
    link.gone = link.gone || !link.has_file || link.page->stage.load() == Stage::closed;
    if (link.drained && !link.has_file) forget(i - 1);
  }
}

// True if the publisher was met; false if it left before we could.
Result<bool> SubscriberCore::link(const topic::Participant& who) {
  const topic::TopicDirectory& directory = presence_->directory;
  const std::string path = directory.path_of(who.file);
  auto segment = directory.segment_of(who);
  if (!segment) {
    if (segment.error().code == Errc::not_found) return false;
    return std::unexpected(std::move(segment.error()));
  }
  segment->mapping.raise_when_lost(lane_.bell->epoch);
  const auto* page = segment->mapping.at<const PublisherPage>(0);
  auto shape = shape_of(*page, segment->mapping.size(), path);
  if (!shape) return std::unexpected(std::move(shape.error()));
  const auto* slots = segment->mapping.at<const topic::Slot>(shape->ring_offset);
  auto view = std::make_shared<PublisherView>(presence_, std::move(segment->mapping));
  PublisherLink link{{{slots, shape->depth, shape->slot_lines}}};
  link.incarnation = who.incarnation;
  link.wanted = &page->wanted;
  link.pid = page->header.pid;
  link.who = who;
  link.pid_namespace = page->header.pid_namespace;
  link.shape = *shape;
  link.view = std::move(view);
  link.page = page;
  link.file = std::move(segment->file);
  link.gone = page->stage.load() == Stage::closed || !topic::is_alive(link.file);
  // One that came after us is read from its first message, because it may have counted us already;
  // for the others we chose where to begin.
  if (!has_looked_) {
    link.dropped_from = page->dropped.load();
    const std::uint64_t next = link.ring.find_next();
    const std::uint64_t kept = next - link.ring.oldest_kept(next);
    link.position = next - std::min(kept, options_.start.messages_back());
    link.counts_from = link.position;
  }
  if (options_.writable_ring) map_ring_writable(link);
  if (!map_arenas(link)) return false;
  links_.reserve(links_.size() + 1);  // before our page says that we have met
  if (!begin_cursor(link)) {
    return std::unexpected(refuse(
        Errc::limit_reached, "more than 64 publishers at once; close one or take more often."));
  }
  links_.push_back(std::move(link));
  if (event_.is_open() && !links_.back().gone) {
    if (auto watched = watch_death_of(links_.back()); !watched) {
      forget(links_.size() - 1);  // the next look meets it anew, and watches it
      return std::unexpected(std::move(watched.error()));
    }
  }
  return true;
}

// See SubscriberOptions: where it may not be, the ring stays as it is.
void SubscriberCore::map_ring_writable(PublisherLink& link) {
  if (options_.tier == Tier::hardened) return;
  const auto file = os::open_file(presence_->directory.fd(), link.who.file, os::Access::read_write);
  if (!file) return;
  const std::uint64_t end =
      link.shape.ring_offset +
      shm::ring_lines(link.shape.depth, link.shape.slot_lines) * sizeof(topic::Slot);
  auto ring =
      os::Mapping::map(*file, end, {.access = os::Access::read_write, .is_in_children = false});
  if (!ring) return;
  ring->raise_when_lost(lane_.bell->epoch);
  link.ring = {ring->at<const topic::Slot>(link.shape.ring_offset), link.shape.depth,
               link.shape.slot_lines};
  link.writable_ring = std::move(*ring);
}

// Copies what we need of a publisher's header and checks that it lies inside the file.
Result<PublisherShape> SubscriberCore::shape_of(const PublisherPage& page, std::uint64_t bytes,
                                                const std::string& path) const {
  PublisherShape shape{page.depth,         page.frames,         page.frame_bytes, page.ring_offset,
                       page.frames_offset, page.tail_bytes_max, page.slot_lines,  0};
  const std::uint64_t grown_max = page.grown_tail_bytes_max;
  const wire::Hash128 hash{page.type_hash[0], page.type_hash[1]};
  const std::uint64_t frame_needed = topic::tail_offset(fixed_bytes_) + shape.tail_bytes_max;
  const bool sound =
      hash == presence_->directory.type_hash() && page.fixed_bytes == fixed_bytes_ &&
      shape.depth != 0 && shape.depth <= depth_max && (shape.depth & (shape.depth - 1)) == 0 &&
      shape.ring_offset % topic::cache_line == 0 && shape.ring_offset <= bytes &&
      shape.slot_lines == lines_of(presence_->directory.type()) &&
      shape.depth <=
          (bytes - shape.ring_offset) / (shm::slot_pitch(shape.slot_lines) * sizeof(topic::Slot)) &&
      shape.frames_offset <= bytes && shape.tail_bytes_max <= wire::size_max &&
      grown_max <= wire::size_max &&
      (shape.frames == 0 ||
       (shape.frames <= shm::chunks_limit && shape.frames_offset % topic::cache_line == 0 &&
        shape.frame_bytes % topic::cache_line == 0 && shape.frame_bytes >= frame_needed &&
        shape.frames <= (bytes - shape.frames_offset) / shape.frame_bytes));
  if (sound) {
    shape.arenas = topic::arenas_of(shape.tail_bytes_max, grown_max);
    return shape;
  }
  return std::unexpected(refuse(Errc::damaged, "publisher segment " + path +
                                                   " contradicts itself or the topic's type; stop "
                                                   "its owner (pid " +
                                                   std::to_string(page.header.pid) + ")."));
}

// Says in our page that we have met this publisher, and where we are in its ring.
bool SubscriberCore::begin_cursor(PublisherLink& link) noexcept {
  for (std::size_t i = 0; i < shm::cursor_slots; ++i) {
    if (shm::cursor_owner(page_->cursors[i]) != 0) continue;
    shm::begin_cursor(page_->cursors[i], link.who.incarnation, link.position);
    if (link.arenas_mapped != 0) shm::say_mapped(page_->cursors[i], link.arenas_mapped);
    link.cursor = i;
    link.progress = is_reliable_ ? &page_->cursors[i] : nullptr;
    return true;
  }
  return false;
}

void SubscriberCore::forget(std::size_t index) noexcept {
  shm::end_cursor(page_->cursors[links_[index].cursor]);
  links_.erase(links_.begin() + static_cast<std::ptrdiff_t>(index));
  // Those behind it moved up by one: whoever was next is still next.
  if (turn_ > index) --turn_;
}

// Marks publishers without a life lock as gone. What they published has all become visible by
// then, so it is still drained.
void SubscriberCore::look_for_the_dead() noexcept {
  for (PublisherLink& link : links_) {
    if (link.gone || topic::is_alive(link.file)) continue;
    link.gone = true;
    link.pidfd.reset();
    lane_.turn = nullptr;
  }
}

void SubscriberCore::look_for_the_dead_if_due(std::int64_t now_ns) noexcept {
  if (now_ns < look_for_dead_at_ns_) return;
  look_for_dead_at_ns_ = now_ns + look_again_every_ns;
  look_for_the_dead();
}

// Called when a publisher that is gone has nothing more to take: its file may go, unless somebody
// else has not met it; then our entry stays as long as the file does.
void SubscriberCore::finish(std::size_t index) noexcept {
  PublisherLink& link = links_[index];
  if (link.drained) return;
  settle_counts(link);
  link.drained = true;
  if (link.shape.arenas != 0) shm::say_mapped(page_->cursors[link.cursor], UINT32_MAX);
  if (link.has_file && presence_->directory.reap(link.who)) {
    link.has_file = false;
    presence_->directory.announce_change();
  }
  if (!link.has_file) forget(index);
}

std::uint32_t SubscriberCore::publisher_count() {
  if (!check_process()) return 0;
  if (lane_.bell->epoch.load() != lane_.known_epoch) look_who_is_there();
  look_for_the_dead_if_due(monotonic_now_ns());
  return static_cast<std::uint32_t>(std::ranges::count(links_, false, &PublisherLink::gone));
}

}  // namespace signalbox
