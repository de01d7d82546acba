// What a publisher does about reliable subscribers that are a whole ring behind.
#include <algorithm>
#include <utility>

#include "signalbox/os/futex.hpp"
#include "signalbox/shm/cursors.hpp"
#include "topic/publisher_core.hpp"

namespace signalbox {

// The reliable subscriber that is furthest behind, and its position.
SubscriberLink* PublisherCore::slowest(std::uint64_t& position) noexcept {
  SubscriberLink* last = nullptr;
  position = lane_.ring.next();
  for (SubscriberLink& link : links_) {
    if (link.page->reliable == 0 || link.is_evicted || !link.is_ready()) continue;
    // One that is ready but has no entry for us yet has taken nothing of ours.
    std::uint64_t at = 0;
    if (link.cursor < shm::cursor_slots) at = shm::cursor_position(link.page->cursors[link.cursor]);
    at = shm::clamp_cursor(at, lane_.ring.next(), options_.depth);
    if (last == nullptr || at < position) {
      last = &link;
      position = at;
    }
  }
  return last;
}

bool PublisherCore::has_room() noexcept {
  std::uint64_t position = 0;
  lane_.room_until = slowest(position) == nullptr ? UINT64_MAX : position + options_.depth;
  return lane_.ring.next() < lane_.room_until;
}

Error PublisherCore::behind(Errc code, const SubscriberLink& who, std::string_view what) const {
  return refuse(code, "reliable subscriber " + who.who.file + " (pid " +
                          std::to_string(who.page->header.pid) + ") is a whole ring of " +
                          std::to_string(options_.depth) + " messages behind; " +
                          std::string(what));
}

// A reliable subscriber is a whole ring behind: what happens now is this publisher's policy.
Result<void> PublisherCore::find_room(Deadline deadline) {
  if (options_.when_behind == WhenBehind::wait) return wait_for_room(deadline);
  std::uint64_t position = 0;
  for (;;) {
    SubscriberLink* const slow = slowest(position);
    if (slow == nullptr || has_room()) return {};
    if (!topic::is_alive(slow->file)) {
      forget_the_dead();
    } else if (options_.when_behind == WhenBehind::evict) {
      // It finds its next message overwritten, and that is how it is told.
      slow->is_evicted = true;
      page_->evicted.fetch_add(1);
    } else {
      page_->dropped.fetch_add(1);
      return std::unexpected(behind(Errc::would_block, *slow,
                                    "this message was dropped, as the publisher was told to do."));
    }
  }
}

Result<void> PublisherCore::wait_for_room(Deadline deadline) {
  while (!has_room()) {
    std::uint64_t position = 0;
    const SubscriberLink* const slow = slowest(position);
    if (slow == nullptr) return {};
    if (!topic::is_alive(slow->file)) {
      forget_the_dead();
      continue;
    }
    if (deadline.passed()) {
      const bool tried = deadline != Deadline::immediate();
      return std::unexpected(behind(tried ? Errc::timed_out : Errc::would_block, *slow,
                                    "let it take, or wait longer."));
    }
    if (lane_.bell->epoch.load() != lane_.known_epoch) {
      static_cast<void>(refresh());
      if (auto whole = look_whether_whole(); !whole) return whole;
      continue;
    }
    if (spin_.until(deadline, [this] { return has_room(); })) return {};
    // Ask to be woken when half of the ring is free again, not at every single message.
    page_->wanted.store(position + std::max(1U, options_.depth / 2));
    os::heavy_barrier();  // meets the subscriber's half after it advanced its cursor
    sleep_for_room(*slow, deadline);
    page_->wanted.store(0);
  }
  return {};
}

// Sleeps on the cursor of the one who is behind; or, while it has not met us yet, on the epoch that
// tells when it has.
void PublisherCore::sleep_for_room(const SubscriberLink& behind, Deadline deadline) noexcept {
  const bool has_met_us = behind.cursor < shm::cursor_slots;
  const auto& word =
      has_met_us ? behind.page->cursors[behind.cursor].position : std::as_const(lane_.bell->epoch);
  const auto seen = static_cast<std::uint32_t>(has_met_us ? word.load() : lane_.known_epoch);
  if (has_room()) return;
  const os::FutexWord sleep_on{&word, seen};
  const Deadline bounded =
      std::min(deadline, Deadline::at_ns(monotonic_now_ns() + look_again_every_ns));
  // However it ended: the caller looks again.
  static_cast<void>(detail::or_out_of_memory(
      [&] { return os::futex_wait(sleep_on, bounded, os::OnSignal::give_up); }));
}

}  // namespace signalbox
