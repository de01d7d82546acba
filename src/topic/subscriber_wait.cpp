// How a subscriber sleeps: on its bell's ticket when it is alone, on one descriptor in an event
// loop.
#include <algorithm>
#include <optional>
#include <utility>

#include "signalbox/os/pidfd.hpp"
#include "signalbox/shm/doorbell.hpp"
#include "topic/subscriber_core.hpp"

namespace signalbox {

Result<Wake> SubscriberCore::wait(Deadline deadline) {
  if (!check_process()) return std::unexpected(*status_);
  if (eviction_) return std::unexpected(*std::exchange(eviction_, std::nullopt));
  auto woken = wait_for_message(deadline);
  if (!loss_) return woken;
  status_ = std::exchange(loss_, std::nullopt);
  return std::unexpected(detail::explained(status_->code, [this] { return *status_; }));
}

Result<Wake> SubscriberCore::wait_for_message(Deadline deadline) {
  if (anything_ready()) return Wake::ready;
  if (deadline.passed()) return Wake::timed_out;
  if (spin_.until(deadline, [this] { return anything_ready(); })) return Wake::ready;
  SubscriberCore* const alone[] = {this};
  os::FutexWord word[1];
  return sleep_on_tickets({.topics = alone, .words = word}, deadline);
}

bool SubscriberCore::meets_asymmetric_publisher() const noexcept {
  return std::ranges::any_of(links_, [](const PublisherLink& link) {
    return !link.gone && link.page->asymmetric.load() != 0;
  });
}

std::uint64_t SubscriberCore::progress() const noexcept {
  std::uint64_t sum = lost_ + skipped_;
  for (const PublisherLink& link : links_) sum += link.position;
  return sum;
}

// Orders our announcement before the looks that follow. The barrier is always the heavy one,
// because those looks may meet a publisher that relies on it and was unknown a moment ago. False:
// one does, and this process may not call membarrier.
bool SubscriberCore::barrier_before_sleep() noexcept {
  topic::Atomics::full_fence();
  return os::heavy_barrier() || !meets_asymmetric_publisher();
}

// ---- in an event loop ---------------------------------------------------------------------------

Result<int> SubscriberCore::descriptor() {
  if (!check_process()) return std::unexpected(*status_);
  if (event_.is_open()) return event_.get();
  auto event = os::EventDescriptor::create(presence_->directory.fd(),
                                           topic::fifo_name(presence_->segment.file),
                                           presence_->directory.sharing().files);
  if (!event) return std::unexpected(std::move(event.error()));
  event_ = std::move(*event);
  lane_.turn = nullptr;  // take() arms the descriptor again from here on
  for (PublisherLink& link : links_) {
    if (link.gone) continue;
    if (auto watched = watch_death_of(link); !watched) {
      // Half a descriptor would be handed out as a whole one by the next call.
      event_ = os::EventDescriptor();
      os::unlink_file(presence_->directory.fd(), topic::fifo_name(presence_->segment.file));
      return std::unexpected(std::move(watched.error()));
    }
  }
  arm();
  // Makes the publishers look at our page and leave the heavy barrier to us no more.
  presence_->directory.announce_change();
  // What is there already, and what came while we armed, is told by the descriptor itself.
  if (anything_ready()) event_.signal_self();
  return event_.get();
}

// A killed publisher rings nobody, so its death itself must make the descriptor readable.
Result<void> SubscriberCore::watch_death_of(PublisherLink& link) noexcept {
  return detail::or_out_of_memory([&] { return watch_process_of(link); });
}

Result<void> SubscriberCore::watch_process_of(PublisherLink& link) {
  // One that wakes nobody is looked at ten times a second, and its death seen then.
  if (link.page->silent.load() != 0) return event_.watch_clock();
  static const std::uint64_t our_namespace = os::identity_of_this_process().pid_namespace;
  if (our_namespace != 0 && link.pid_namespace == our_namespace) {
    auto process = os::Pidfd::open(link.pid);
    // The number may be another's by now: it is the publisher's only if its lock still lives.
    if (process && topic::is_alive(link.file)) {
      if (auto watched = event_.watch_process(process->fd()); !watched) return watched;
      link.pidfd = process->release();
      return {};
    }
  }
  return event_.watch_clock();
}

void SubscriberCore::arm() noexcept {
  std::uint32_t next = page_->armed.load() + 1;
  if (next == 0) next = 1;
  page_->armed.store(next);
  shm::announce(*lane_.bell, shm::sleepers_on_descriptors);
  topic::Atomics::full_fence();
  // One that joined after this look finds our descriptor armed and passes full fences itself.
  if (lane_.bell->epoch.load() != lane_.known_epoch) look_who_is_there();
  // The others do so from their next publish on, and until then rely on our heavy barrier. Where
  // it is refused a wake may be missed; then its owner looks ten times a second.
  if (meets_asymmetric_publisher() && !os::heavy_barrier()) look_ten_times_a_second();
}

// Without even that a death, or a message that came in the wrong nanosecond, is seen at the next
// message.
void SubscriberCore::look_ten_times_a_second() noexcept {
  static_cast<void>(detail::or_out_of_memory([this] { return event_.watch_clock(); }));
}

// After an empty take: if the descriptor has fired, drain it and arm it anew. True if a message
// came meanwhile, so that the caller takes again instead of sleeping on it.
bool SubscriberCore::arm_again() noexcept {
  using Fired = os::EventDescriptor::Fired;
  const Fired fired = event_.drain();
  if (fired == Fired::nothing) return false;
  if (fired == Fired::other) look_for_ended_processes();
  arm();
  return anything_ready();
}

void SubscriberCore::look_for_ended_processes() noexcept {
  look_for_the_dead();
  for (PublisherLink& link : links_) {
    // Its process ended but its lock lives on (it was handed to another process): stop watching
    // the process, or the descriptor would stay readable for ever.
    if (!link.pidfd.is_open() || !os::is_readable(link.pidfd)) continue;
    link.pidfd.reset();
    look_ten_times_a_second();
  }
}

}  // namespace signalbox
