#include "topic/publisher_core.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "os/event_descriptor.hpp"
#include "shm/pins.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/shm/cursors.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "topic/footprint.hpp"

namespace signalbox {

using topic::PublisherPage;
using topic::Stage;
using topic::SubscriberPage;

namespace {

// Every message fits its slot and none has a tail.
bool is_plain(const wire::ParsedType& type, const PublisherOptions& options) {
  const std::uint32_t lines = topic::slot_lines(type.fixed_bytes, type.has_tail);
  return !type.has_tail && topic::fits_in_place(lines, type.fixed_bytes, options.tail_bytes_max);
}

PublisherPage* page_of(const topic::OwnSegment& segment) noexcept {
  return segment.mapping.at<PublisherPage>(0);
}

std::uint32_t frames_of_each_arena(const PublisherPage& page, const PublisherOptions& options) {
  if (page.frames != 0 || page.grown_tail_bytes_max == 0) return page.frames;
  return static_cast<std::uint32_t>(
      shm::frames_needed(options.depth, options.loans_max, options.held_max));
}

}  // namespace

Result<std::unique_ptr<PublisherCore>> PublisherCore::open(std::string_view topic,
                                                           const TypeDescription& type,
                                                           const PublisherOptions& options) {
  auto directory = topic::TopicDirectory::attach(topic, type, options.domain, options.tier);
  if (!directory) return std::unexpected(std::move(directory.error()));
  const std::string act = "publish on topic \"" + directory->name() + "\"";
  if (auto ok = topic::check_options(act, directory->type(), options); !ok) {
    return std::unexpected(std::move(ok.error()));
  }
  auto alive = directory->count_alive(topic::Role::publisher);
  if (!alive) return std::unexpected(std::move(alive.error()));
  if (*alive >= publishers_max) {
    return std::unexpected(
        Error{Errc::limit_reached,
              0,
              {},
              "cannot " + act + ": it has 64 publishers, the most there can be. Close one."});
  }
  const topic::PublisherPlan sum = topic::plan_publisher(directory->type(), options);
  auto segment = topic::create_own_segment(*directory, topic::Role::publisher, sum.total,
                                           sizeof(PublisherPage));
  if (!segment) {
    Error error = std::move(segment.error());
    if (error.code == Errc::no_space) error.text += topic::sum_of(sum, options);
    return std::unexpected(std::move(error));
  }
  auto* page = page_of(*segment);
  page->type_hash[0] = directory->type_hash().high;
  page->type_hash[1] = directory->type_hash().low;
  page->depth = options.depth;
  page->frames = static_cast<std::uint32_t>(sum.frames);
  page->frame_bytes = sum.frame_bytes;
  page->ring_offset = sum.ring_offset;
  page->slot_lines = sum.slot_lines;
  page->frames_offset = sum.frames_offset;
  page->fixed_bytes = directory->type().fixed_bytes;
  page->tail_bytes_max = options.tail_bytes_max;
  if (topic::arenas_of(options.tail_bytes_max, options.grown_tail_bytes_max) != 0) {
    page->grown_tail_bytes_max = options.grown_tail_bytes_max;
    page->header.features_incompatible |= topic::feature_growing;
  }
  page->asymmetric.store(os::register_for_heavy_barrier() ? 1 : 0);
  page->silent.store(options.wake == WakeSleepers::no ? 1 : 0);
  page->stage.store(Stage::ready);
  auto core = std::make_unique<PublisherCore>(std::move(*directory), std::move(*segment), options);
  if (auto shown = core->directory_.introduce(core->segment_); !shown) {
    return std::unexpected(std::move(shown.error()));
  }
  core->directory_.announce_change();
  if (auto known = core->refresh(); !known) return std::unexpected(std::move(known.error()));
  core->signal_descriptors();
  return core;
}

PublisherCore::PublisherCore(topic::TopicDirectory directory, topic::OwnSegment segment,
                             const PublisherOptions& options)
    : lane_{.ring{segment.mapping.at<topic::Slot>(page_of(segment)->ring_offset), options.depth,
                  page_of(segment)->slot_lines},
            .bell = &directory.bell()},
      asymmetric_(page_of(segment)->asymmetric.load() != 0),
      is_plain_(is_plain(directory.type(), options)),
      generation_(os::fork_generation()),
      directory_(std::move(directory)),
      segment_(std::move(segment)),
      page_(page_of(segment_)),
      shape_{page_->frames,
             page_->frame_bytes,
             page_->frames_offset,
             page_->fixed_bytes,
             page_->tail_bytes_max,
             page_->slot_lines,
             frames_of_each_arena(*page_, options),
             std::max(page_->tail_bytes_max, page_->grown_tail_bytes_max)},
      pool_(shape_.frames, options.depth, shape_.arena_frames),
      options_(options) {
  segment_.mapping.raise_when_lost(lane_.bell->epoch);
}

PublisherCore::~PublisherCore() {
  if (is_foreign()) return;
  page_->stage.store(Stage::closed);
  directory_.withdraw(segment_);
  // A subscriber that has not met us yet finds the file, takes what we published, and reaps it.
  const bool said_nothing = lane_.ring.next() == 0;
  if (said_nothing || directory_.everyone_met(segment_.incarnation, arenas_shown_)) {
    directory_.unlink_publisher(
        segment_.file, topic::arenas_of(shape_.tail_bytes_max, shape_.grown_tail_bytes_max));
  }
  segment_.life.close();
  directory_.announce_change();
  wake_sleepers();
}

Error PublisherCore::refuse(Errc code, std::string_view text) const noexcept {
  return detail::explained(code, [&]() -> Error {
    return {code, 0, {}, "topic \"" + directory_.name() + "\": " + std::string(text)};
  });
}

Error PublisherCore::refuse_foreigner() const noexcept {
  return refuse(Errc::wrong_process,
                "the publisher belongs to the parent of a fork; open one here.");
}

// ---- lending and publishing ---------------------------------------------------------------------

bool PublisherCore::lend_slowly(RawLoan& loan, std::size_t tail_bytes) noexcept {
  if (is_foreign()) {
    why_ = refuse_foreigner();
    return false;
  }
  if (lane_.bell->epoch.load() != lane_.known_epoch) {
    if (is_silent()) static_cast<void>(refresh());
    if (auto whole = look_whether_whole(); !whole) {
      why_ = std::move(whole.error());
      return false;
    }
  }
  if (tail_bytes > shape_.grown_tail_bytes_max) {
    const bool grows = shape_.grown_tail_bytes_max != shape_.tail_bytes_max;
    why_ = detail::explained(Errc::too_large, [&] {
      return refuse(Errc::too_large, "a tail of " + std::to_string(tail_bytes) +
                                         " bytes was asked for, the publisher was opened with " +
                                         (grows ? "grown_tail_bytes_max " : "tail_bytes_max ") +
                                         std::to_string(shape_.grown_tail_bytes_max) + ".");
    });
    return false;
  }
  if (loans_open_ >= options_.loans_max) {
    why_ = detail::explained(Errc::limit_reached, [&] {
      return refuse(Errc::limit_reached,
                    std::to_string(loans_open_) +
                        " messages are lent already; publish or drop one, or open "
                        "the publisher with a larger loans_max.");
    });
    return false;
  }
  if (!shape_.fits_in_place(tail_bytes)) {
    if (tail_bytes > shape_.tail_bytes_max) return lend_grown(loan, tail_bytes);
    if (!pool_.has_free() && !make_frames_free()) return false;
    lend_frame(loan, tail_bytes);
    return true;
  }
  lend_in_place(loan, tail_bytes);
  return true;
}

void PublisherCore::drop(RawLoan& loan) noexcept {
  if (!is_foreign()) {
    if (loan.frame_ != nullptr) pool_.give_back(loan.chunk_);
    --loans_open_;
  }
  loan.owner_ = nullptr;
}

Result<std::uint64_t> PublisherCore::publish_slowly(RawLoan& loan, Deadline deadline) {
  if (loan.owner_ != this) {
    return std::unexpected(
        refuse(Errc::bad_argument, "publish() was given an empty loan or another publisher's."));
  }
  if (!is_fast()) {
    if (auto room = make_room(deadline, is_silent() ? MayLook::no : MayLook::yes); !room) {
      why_ = std::move(room.error());
      return std::unexpected(detail::explained(why_.code, [this] { return why_; }));
    }
  }
  return loan.frame_ == nullptr ? show_in_place(loan) : show(loan);
}

std::uint64_t PublisherCore::wake_and_answer(std::uint64_t position) noexcept {
  wake_sleepers();
  return position;
}

// All but the shortest way: slots of several lines, full fences, and whatever is rare.
std::uint64_t PublisherCore::send_otherwise(const std::byte* padded, Deadline deadline) noexcept {
  if (!is_plain_) {
    why_ = refuse(Errc::bad_argument,
                  "send_in_place() is for types of at most 480 bytes without a tail.");
    return RawPublisher::no_position;
  }
  if (!is_fast()) {
    if (auto room = make_room(deadline, MayLook::yes); !room) {
      why_ = std::move(room.error());
      return RawPublisher::no_position;
    }
  }
  const std::uint64_t position = lane_.ring.next();
  fill_slot(0, padded);
  ring_the_bell();
  return position;
}

std::size_t PublisherCore::send_batch(const std::byte* messages, std::size_t count,
                                      Deadline deadline) noexcept {
  const std::uint64_t bytes = directory_.type().fixed_bytes;
  std::size_t sent = 0;
  while (sent < count) {
    if (!is_plain_ || !is_fast()) {
      // It may sleep for room: whoever is to make it must know what is there already.
      if (sent != 0) ring_the_bell();
      alignas(16) std::byte padded[inline_bytes_max]{};
      if (is_plain_) std::memcpy(padded, messages + sent * bytes, bytes);
      if (send_otherwise(padded, deadline) == RawPublisher::no_position) return sent;
      ++sent;
    } else {
      sent += fill_slots(messages + sent * bytes, count - sent);
    }
  }
  ring_the_bell();
  return sent;
}

// Of a batch the lines are fetched for writing before their turn: the stores that wait for one line
// would fill the store buffer, and keep those behind from asking for theirs. With 12 a batch took
// 0.77 to 1.12 of the raw ring's time and without 1.07 to 1.35; 8, 16 and 24 were no better. In a
// short ring those lines may still have to be read.
constexpr std::uint64_t lines_fetched_ahead = 12;
constexpr std::uint32_t depth_to_fetch_ahead = 64;

// As many as go the fast way.
std::size_t PublisherCore::fill_slots(const std::byte* messages, std::size_t count) noexcept {
  const std::uint64_t bytes = shape_.fixed_bytes;
  alignas(16) std::byte padded[inline_bytes_max];
  std::memset(padded + bytes, 0, padded_bytes(bytes) - bytes);
  const bool is_whole_slot = bytes == padded_bytes(bytes);
  std::size_t filled = 0;
  // Whoever joins in the middle of a batch is met at the next message, as everywhere.
  const auto fill_each = [&](auto publish) {
    for (; filled < count && is_fast(); ++filled) {
      const std::byte* const message = messages + filled * bytes;
      if (!is_whole_slot) std::memcpy(padded, message, bytes);
      publish(is_whole_slot ? message : padded);
    }
  };
  // Which kind of slot is asked once, not at each message.
  constexpr std::uint64_t meta = topic::slot_meta(topic::SlotKind::in_place, 0);
  if (shape_.slot_lines == 1) {
    const bool fetches_ahead = options_.depth >= depth_to_fetch_ahead;
    fill_each([&](const std::byte* message) {
      if (fetches_ahead) {
        shm::prefetch_to_write(lane_.ring.next_slot(lines_fetched_ahead));
      }
      lane_.ring.publish(meta, message);
    });
  } else {
    const std::size_t words = topic::words_of(bytes);
    fill_each([&](const std::byte* message) { lane_.ring.publish_long(meta, message, words); });
  }
  return filled;
}

// Off the fast path: looks who is there, and waits for the reliable subscriber that is behind.
Result<void> PublisherCore::make_room(Deadline deadline, MayLook may_look) noexcept {
  if (is_foreign()) return std::unexpected(refuse_foreigner());
  if (lane_.bell->epoch.load() != lane_.known_epoch) {
    if (may_look == MayLook::yes) static_cast<void>(refresh());
    if (auto whole = look_whether_whole(); !whole) return whole;
  }
  if (lane_.ring.next() < lane_.room_until || has_room()) return {};
  return detail::or_out_of_memory([&] { return find_room(deadline); });
}

// ---- frames -------------------------------------------------------------------------------------

// Called when no frame is free. On failure why_ says who is to blame.
bool PublisherCore::make_frames_free(std::uint32_t arena) noexcept {
  reclaim();
  if (pool_.has_free(arena)) return true;
  forget_the_dead();
  reclaim();
  if (pool_.has_free(arena)) return true;
  why_ = detail::explained(Errc::would_block, [&] {
    return refuse(
        Errc::would_block,
        "subscribers hold every one of the " + std::to_string(shape_.arena_frames) +
            " frames; release samples sooner, or open the publisher with a larger held_max.");
  });
  return false;
}

void PublisherCore::reclaim() noexcept {
  // Orders our overwritten slots before the looks at the epoch and the pins below: a reader whose
  // pin we miss finds its slot overwritten (shm/pins.hpp).
  topic::Atomics::full_fence();
  // A subscriber whose page we do not know may hold any frame: then nothing is reused.
  if (lane_.bell->epoch.load() != lane_.known_epoch && !refresh()) return;
  pool_.reclaim([this](auto found) {
    for (const SubscriberLink& link : links_) {
      shm::collect(link.page->pins, segment_.incarnation, found);
    }
  });
}

// ---- who is there -------------------------------------------------------------------------------

Result<void> PublisherCore::refresh() noexcept {
  return detail::or_out_of_memory([this] { return meet_everyone(); });
}

// Error damaged, for good: our file or the bell was shortened.
Result<void> PublisherCore::look_whether_whole() noexcept {
  for (std::size_t i = 0; i < arenas_.size(); ++i) {
    if (!arenas_[i].mapping.is_lost()) continue;
    return detail::or_out_of_memory([&]() -> Result<void> {
      const auto number = static_cast<std::uint32_t>(i + 1);
      return std::unexpected(
          topic::shortened(directory_.path_of(topic::arena_name(segment_.file, number))));
    });
  }
  return directory_.check_whole(segment_.mapping, segment_.file);
}

// Thrown out in the middle it has met some of them, and does not believe that it has met all.
Result<void> PublisherCore::meet_everyone() {
  // The epoch is read first: whoever joins while we look makes us look again.
  const std::uint64_t epoch = lane_.bell->epoch.load();
  directory_.look_for_loss(segment_.mapping, segment_.life.fd());
  look_for_lost_arenas();
  if (auto whole = look_whether_whole(); !whole) return whole;
  auto everyone = directory_.participants();
  if (!everyone) return std::unexpected(std::move(everyone.error()));
  // A page that was shortened is nobody's, like one that is damaged.
  std::erase_if(links_, [&](const SubscriberLink& link) {
    return link.mapping.is_lost() ||
           std::ranges::find(*everyone, link.who.file, &topic::Participant::file) ==
               everyone->end();
  });
  std::optional<Error> trouble;
  for (const topic::Participant& who : *everyone) {
    if (who.role != topic::Role::subscriber) continue;
    const auto known = std::ranges::find(links_, who.incarnation,
                                         [](const SubscriberLink& l) { return l.who.incarnation; });
    if (known != links_.end()) continue;
    if (auto linked = link(who); !linked && linked.error().code != Errc::not_found) {
      trouble = std::move(linked.error());
    }
  }
  for (SubscriberLink& link : links_) find_cursor(link);
  pass_full_fences_if_needed();
  lane_.room_until = 0;
  if (trouble) return std::unexpected(std::move(*trouble));
  lane_.known_epoch = epoch;
  lane_.short_epoch = is_plain_ && asymmetric_ ? epoch : lane_.no_epoch;
  return {};
}

// A heavy barrier is a system call, and a subscriber in an event loop needs one each time it arms:
// from the first such subscriber on we pay a full fence a message instead. For good, because one
// that arms meanwhile must be able to rely on it.
void PublisherCore::pass_full_fences_if_needed() noexcept {
  if (!asymmetric_) return;
  const bool somebody_arms = std::ranges::any_of(
      links_, [](const SubscriberLink& link) { return link.page->armed.load() != 0; });
  if (!somebody_arms) return;
  asymmetric_ = false;
  lane_.short_epoch = lane_.no_epoch;
  page_->asymmetric.store(0);
}

Result<void> PublisherCore::link(const topic::Participant& who) {
  auto segment = directory_.segment_of(who);
  if (!segment) {
    // A damaged page is nobody's: its owner, if any, sees its own error and cannot hold frames. Nor
    // can one of another layout, whom the topic's own file would have turned away.
    if (segment.error().code == Errc::damaged) return {};
    if (segment.error().code == Errc::layout_mismatch) return {};
    return std::unexpected(std::move(segment.error()));
  }
  SubscriberLink link{
      .who = who, .file = std::move(segment->file), .mapping = std::move(segment->mapping)};
  link.mapping.raise_when_lost(lane_.bell->epoch);
  link.page = link.mapping.at<const SubscriberPage>(0);
  links_.push_back(std::move(link));
  return {};
}

void PublisherCore::find_cursor(SubscriberLink& link) const noexcept {
  link.cursor = shm::cursor_slots;
  for (std::size_t i = 0; i < shm::cursor_slots; ++i) {
    if (shm::cursor_owner(link.page->cursors[i]) == segment_.incarnation) link.cursor = i;
  }
}

void PublisherCore::forget_the_dead() noexcept {
  bool changed = false;
  std::erase_if(links_, [&](const SubscriberLink& link) {
    if (topic::is_alive(link.file)) return false;
    directory_.reap(link.who);
    changed = true;
    return true;
  });
  if (changed) directory_.announce_change();
}

std::uint32_t PublisherCore::subscriber_count() {
  if (is_foreign()) return 0;
  if (lane_.bell->epoch.load() != lane_.known_epoch) static_cast<void>(refresh());
  const std::int64_t now = monotonic_now_ns();
  if (now >= look_for_dead_at_ns_) {
    look_for_dead_at_ns_ = now + look_again_every_ns;
    forget_the_dead();
  }
  return static_cast<std::uint32_t>(
      std::ranges::count_if(links_, [](const SubscriberLink& link) { return link.is_ready(); }));
}

// ---- sleepers -----------------------------------------------------------------------------------

void PublisherCore::wake_sleepers() noexcept {
  // Asked here, where somebody sleeps, it costs the fast path nothing. That we leave is told.
  if (is_silent() && page_->stage.load() != Stage::closed) return;
  const std::uint32_t who = shm::answer(*lane_.bell);
  if ((who & shm::sleepers_on_ticket) != 0) os::futex_wake_all(&lane_.bell->ticket);
  if ((who & shm::sleepers_on_descriptors) != 0) signal_descriptors();
}

void PublisherCore::signal_descriptors() noexcept {
  const bool all_reached = detail::done_unless_out_of_memory([this] { return signal_all(); });
  // Whoever was not reached is tried again at the next publish.
  if (!all_reached) shm::announce(*lane_.bell, shm::sleepers_on_descriptors);
}

bool PublisherCore::signal_all() {
  bool all_reached = true;
  if (lane_.bell->epoch.load() != lane_.known_epoch && !refresh()) all_reached = false;
  for (SubscriberLink& link : links_) {
    const std::uint32_t armed = link.page->armed.load();
    if (armed == 0 || armed == link.signalled) continue;
    if (!link.signal.is_open()) {
      auto signal = os::open_signal(directory_.fd(), topic::fifo_name(link.who.file));
      if (!signal) {
        // Gone is gone; anything else (no descriptors left, say) may pass.
        if (signal.error().code != Errc::not_found) all_reached = false;
        continue;
      }
      link.signal = std::move(*signal);
    }
    os::send_signal(link.signal);
    link.signalled = armed;
  }
  return all_reached;
}

}  // namespace signalbox
