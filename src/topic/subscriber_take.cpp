// How a subscriber takes: the publishers in turn, a slot's words or a pinned frame, and what was
// lost.
#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "shm/pins.hpp"
#include "shm/prefetch.hpp"
#include "topic/subscriber_core.hpp"

namespace signalbox {

bool SubscriberCore::take_slowly(RawSample& sample, bool latest) noexcept {
  if (!check_process()) return false;
  if (sample) sample.release();
  held_back_ = false;
  if (lane_.turn != nullptr) turn_ = static_cast<std::size_t>(in_turn() - links_.data());
  lane_.turn = nullptr;
  for (;;) {
    if (lane_.bell->epoch.load() != lane_.known_epoch) look_who_is_there();
    // Told once, before anything else is taken, or it would never be seen beside a busy publisher.
    if (loss_) [[unlikely]] {
      status_ = std::exchange(loss_, std::nullopt);
      return false;
    }
    const bool taken = take_in_turn(sample, latest);
    if (taken || !event_.is_open()) {
      find_quick();
      return taken;
    }
    // A message that could not be taken, for want of a pin say, keeps the descriptor readable.
    if (held_back_ || (status_ && status_->code == Errc::limit_reached)) return false;
    if (!arm_again()) return false;
  }
}

std::size_t SubscriberCore::take_batch(std::byte* messages, std::size_t room) noexcept {
  std::size_t taken = take_run(messages, room);
  RawSample sample;
  // One at a time: what the run had to leave to take(), and several publishers in turn.
  while (taken < room && take(sample)) {
    std::memcpy(messages + taken * fixed_bytes_, sample.data().data(), fixed_bytes_);
    sample.release();
    ++taken;
    taken += take_run(messages + taken * fixed_bytes_, room - taken);
  }
  return taken;
}

// Messages in their slots, one after the other, of the only publisher there is.
std::size_t SubscriberCore::take_run(std::byte* messages, std::size_t room) noexcept {
  PublisherLink* const link = in_turn();
  if (!lane_.is_open() || link->next != link || in_place_bytes_ == 0) return 0;
  std::size_t taken = 0;
  alignas(16) std::byte padded[inline_bytes_max];
  const bool is_whole_slot = fixed_bytes_ == padded_bytes(fixed_bytes_);
  const auto take_each = [&](auto read) {
    const std::uint64_t first = link->position;
    for (; taken < room; ++taken) {
      std::byte* const message = messages + taken * fixed_bytes_;
      std::uint64_t meta = 0;
      if (read(first + taken, meta, is_whole_slot ? message : padded) != shm::Read::ready) break;
      if (meta != topic::slot_meta(topic::SlotKind::in_place, 0)) break;
      if (!is_whole_slot) std::memcpy(message, padded, fixed_bytes_);
    }
  };
  // Which kind of slot is asked once, not at each message.
  if (long_words_ == 0) {
    take_each([link](std::uint64_t position, std::uint64_t& meta, std::byte* words) {
      return link->ring.read(position, meta, words);
    });
  } else {
    take_each([this, link](std::uint64_t position, std::uint64_t& meta, std::byte* words) {
      return link->ring.read_long(position, meta, words, long_words_);
    });
  }
  link->position += taken;
  if (is_reliable_ && taken != 0 && lane_.tell(*link)) {
    os::futex_wake_all(&link->progress->position);
  }
  return taken;
}

// The publisher in turn has shown a message that does not lie in its slot.
bool SubscriberCore::take_frame(PublisherLink& link, std::uint64_t meta,
                                RawSample& sample) noexcept {
  if (topic::slot_kind(meta) != topic::SlotKind::frame) return take_slowly(sample, false);
  const Filled filled = pin_frame(link, meta, sample);
  if (filled == Filled::lapped) return take_slowly(sample, false);
  if (filled == Filled::refused) {
    lane_.turn = nullptr;  // status() tells why, until the next one is taken
    return false;
  }
  sample.position_ = link.position;
  sample.publisher_ = link.incarnation;
  lane_.turn = link.next;
  advance(link);
  return true;
}

// Lets take() be quick until something happens that needs more than a look at one slot.
void SubscriberCore::find_quick() noexcept {
  if (links_.empty() || status_) return;
  const auto needs_care = [](const PublisherLink& link) { return link.gone || link.is_evicted; };
  if (std::ranges::any_of(links_, needs_care)) return;
  PublisherLink* next = links_.data();
  for (auto link = links_.rbegin(); link != links_.rend(); ++link) {
    link->next = next;
    next = &*link;
  }
  lane_.turn = &links_[turn_ < links_.size() ? turn_ : 0];
  lane_.is_alone = links_.size() == 1 && !event_.is_open();
}

// One look at each publisher, beginning with the one after the last that had something.
bool SubscriberCore::take_in_turn(RawSample& sample, bool latest) noexcept {
  for (std::size_t left = links_.size(); left > 0; --left) {
    const std::size_t index = turn_ < links_.size() ? turn_ : 0;
    PublisherLink& link = links_[index];
    turn_ = index + 1;
    if (link.is_evicted && link.gone) {
      finish(index);  // which may end the link
      continue;
    }
    if (link.drained || link.is_evicted) continue;
    if (latest) skip_to_latest(link);
    if (take_from(link, sample)) {
      if (status_) [[unlikely]]
        status_.reset();
      return true;
    }
    if (link.gone && !link.ring.is_ready(link.position)) finish(index);
  }
  return false;
}

bool SubscriberCore::take_from(PublisherLink& link, RawSample& sample) noexcept {
  // An honest writer laps us once or twice; one that scribbles must not keep us here.
  for (std::uint64_t steps = 0; steps <= link.shape.depth; ++steps) {
    std::uint64_t meta = 0;
    const shm::Read outcome = read_slot(link, link.position, meta, sample.in_place_);
    if (outcome == shm::Read::nothing) return false;
    if (outcome == shm::Read::lapped) [[unlikely]] {
      skip_lapped(link);
      if (link.is_evicted) return false;
      continue;
    }
    const Filled filled = fill(link, meta, sample);
    if (filled == Filled::lapped) continue;
    if (filled == Filled::refused) return false;
    sample.position_ = link.position;
    sample.publisher_ = link.incarnation;
    advance(link);
    return true;
  }
  return false;
}

// The slot's words are in the sample already; makes a message of them.
inline SubscriberCore::Filled SubscriberCore::fill(PublisherLink& link, std::uint64_t meta,
                                                   RawSample& sample) noexcept {
  if (topic::slot_kind(meta) == topic::SlotKind::in_place) [[likely]] {
    return fill_in_place(link, meta, sample);
  }
  return pin_frame(link, meta, sample);
}

inline SubscriberCore::Filled SubscriberCore::fill_in_place(PublisherLink& link, std::uint64_t meta,
                                                            RawSample& sample) noexcept {
  const std::uint64_t tail_bytes = meta >> 8;
  if (!topic::fits_in_place(link.shape.slot_lines, fixed_bytes_, tail_bytes)) [[unlikely]] {
    return refuse_message(link, "has an impossible size");
  }
  sample.frame_ = nullptr;
  sample.data_bytes_ = fixed_bytes_;
  sample.tail_bytes_ = tail_bytes;
  return Filled::yes;
}

// What a damaged publisher says is told and skipped.
SubscriberCore::Filled SubscriberCore::refuse_message(PublisherLink& link,
                                                      std::string_view why) noexcept {
  status_ = detail::explained(Errc::damaged, [&] {
    return refuse(Errc::damaged, "message " + std::to_string(link.position) + " of publisher " +
                                     link.who.file + " " + std::string(why) + "; it was skipped.");
  });
  advance(link);
  return Filled::refused;
}

SubscriberCore::Filled SubscriberCore::pin_frame(PublisherLink& link, std::uint64_t meta,
                                                 RawSample& sample) noexcept {
  std::uint64_t words[2];  // layout.hpp: chunk, tail bytes
  std::memcpy(words, sample.in_place_, sizeof(words));
  const auto [chunk, tail_bytes] = words;
  // Its upper half is the arena's number, and that of the publisher's own file is 0.
  const bool is_in_arena = chunk >> 32 != 0 && topic::slot_kind(meta) == topic::SlotKind::frame;
  if (is_in_arena) [[unlikely]]
    return pin_in_arena(link, chunk, tail_bytes, sample);
  if (topic::slot_kind(meta) != topic::SlotKind::frame || chunk >= link.shape.frames ||
      tail_bytes > link.shape.tail_bytes_max) {
    return refuse_message(link, "names an impossible frame");
  }
  const std::byte* const at =
      link.view->mapping.data() + link.shape.frames_offset + chunk * link.shape.frame_bytes;
  return pin(link, {static_cast<std::uint32_t>(chunk), at, tail_bytes}, link.view, sample);
}

SubscriberCore::Filled SubscriberCore::pin(PublisherLink& link, const Frame& frame,
                                           const std::shared_ptr<const PublisherView>& view,
                                           RawSample& sample) noexcept {
  // On its way while the pin below passes its fence.
  shm::prefetch_to_read(frame.at, topic::framed_bytes(fixed_bytes_, frame.tail_bytes));
  const std::size_t index = shm::pin(page_->pins, shm::pin_word(link.incarnation, frame.chunk));
  if (index == shm::no_pin) {
    held_back_ = true;
    status_ = refuse(Errc::limit_reached,
                     "this subscriber holds 64 samples, the most it may; release one.");
    return Filled::refused;
  }
  auto& word = page_->pins.words[index];
  if (!link.ring.still_holds(link.position)) {
    shm::unpin(word);
    return Filled::lapped;
  }
  sample.frame_ = frame.at;
  sample.data_bytes_ = fixed_bytes_;
  sample.tail_bytes_ = frame.tail_bytes;
  sample.pin_ = &word;
  sample.keeps_ = view;
  return Filled::yes;
}

void SubscriberCore::skip_lapped(PublisherLink& link) noexcept {
  const bool is_evicted =
      is_reliable_ && link.position >= link.counts_from && link.page->evicted.load() != 0;
  if (is_evicted) return note_eviction(link);
  const std::uint64_t from = std::max(link.position, link.counts_from);
  // A reliable subscriber is lapped by no more than the one message of settle_start(), so it steps;
  // a lossy one leaps ahead of the writer.
  link.position = options_.reliable ? link.position + 1 : link.ring.after_lap(link.position);
  if (link.position > from) lost_ += link.position - from;
}

// A publisher that evicts overwrote what we, a reliable subscriber, had not taken: from here on we
// take nothing of it. Others are not concerned, or a hostile one could cut us off from all.
void SubscriberCore::note_eviction(PublisherLink& link) noexcept {
  link.is_evicted = true;
  lane_.turn = nullptr;
  const auto explain = [&] {
    return refuse(Errc::evicted, "publisher " + link.who.file + " (pid " +
                                     std::to_string(link.pid) +
                                     ") went on without this reliable subscriber, which was a "
                                     "whole ring behind at message " +
                                     std::to_string(link.position) +
                                     "; open it again, and take faster or publish with a larger "
                                     "depth.");
  };
  eviction_ = detail::explained(Errc::evicted, explain);
  status_ = detail::explained(Errc::evicted, explain);
}

// ---- what we did not get ------------------------------------------------------------------------

namespace {

// A publisher may write what it likes there. Its figure spoils a sum, and never makes it smaller.
std::uint64_t sum_of(std::uint64_t sum, std::uint64_t more) noexcept {
  return sum + std::min(more, UINT64_MAX - sum);
}

// Neither ever goes back, whatever a publisher writes and even if its file was shortened.
void look_what_was_dropped(PublisherLink& link) noexcept {
  const std::uint64_t now = link.page->dropped.load();
  if (now > link.dropped_from) link.dropped = std::max(link.dropped, now - link.dropped_from);
}

// One that evicted us goes on publishing, and all of it is lost to us.
void look_what_was_missed(PublisherLink& link) noexcept {
  const std::uint64_t next = link.ring.find_next();
  if (next > link.position) link.missed = std::max(link.missed, next - link.position);
}

}  // namespace

std::uint64_t SubscriberCore::lost_count() noexcept {
  std::uint64_t sum = lost_;
  for (PublisherLink& link : links_) {
    if (!link.is_evicted || link.drained) continue;
    if (!is_foreign()) look_what_was_missed(link);
    sum = sum_of(sum, link.missed);
  }
  return sum;
}

// A publisher that we have not met may have dropped something on our account already.
std::uint64_t SubscriberCore::dropped_count() noexcept {
  if (!is_foreign() && lane_.bell->epoch.load() != lane_.known_epoch) look_who_is_there();
  std::uint64_t sum = dropped_;
  for (PublisherLink& link : links_) {
    if (link.drained) continue;
    if (!is_foreign()) look_what_was_dropped(link);
    sum = sum_of(sum, link.dropped);
  }
  return sum;
}

// It is gone, so these are its last words; what it counted is from here on ours.
void SubscriberCore::settle_counts(PublisherLink& link) noexcept {
  look_what_was_dropped(link);
  dropped_ = sum_of(dropped_, link.dropped);
  if (!link.is_evicted) return;
  look_what_was_missed(link);
  lost_ = sum_of(lost_, link.missed);
}

void SubscriberCore::skip_to_latest(PublisherLink& link) noexcept {
  if (link.ring.sequence_at(link.position) > shm::ready(link.position)) {
    const std::uint64_t next = link.ring.find_next();
    if (next > link.position + 1) {
      skipped_ += next - 1 - link.position;
      link.position = next - 1;
    }
  }
  while (link.ring.is_ready(link.position + 1)) {
    ++link.position;
    ++skipped_;
  }
}

bool SubscriberCore::anything_ready() noexcept {
  if (lane_.bell->epoch.load() != lane_.known_epoch) look_who_is_there();
  if (loss_) return true;  // there is something to tell
  return std::ranges::any_of(links_, [](const PublisherLink& link) {
    return !link.drained && !link.is_evicted &&
           link.ring.sequence_at(link.position) >= shm::ready(link.position);
  });
}

}  // namespace signalbox
