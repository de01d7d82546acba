// How a subscriber sleeps: on the bell's ticket when it is alone, on one descriptor in an event
// loop.
#include <algorithm>

#include "shm/cursors.hpp"
#include "shm/doorbell.hpp"
#include "topic/subscriber_core.hpp"

namespace signalbox {

namespace {

constexpr std::int64_t kLookForDeadEveryNs = 100'000'000;
// Without a heavy barrier a wake can be missed in a window of nanoseconds; sleep short instead.
constexpr std::int64_t kSleepWithoutBarrierNs = 1'000'000;
// Spinning pays while messages follow one another faster than a sleeper can be woken, so its
// length follows what the last waits were like.
constexpr std::int64_t kSpinMinNs = 500;
constexpr std::int64_t kSpinMaxNs = 30'000;

void relax_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

Result<Wake> SubscriberCore::wait(Deadline deadline) {
  if (!check_process()) return std::unexpected(*status_);
  if (anything_ready()) return Wake::ready;
  if (deadline.passed()) return Wake::timed_out;
  if (spin(deadline)) return Wake::ready;
  for (;;) {
    const std::uint32_t ticket = shm::announce(bell_, shm::sleepers_on_ticket);
    const bool safe = barrier_before_sleep();
    if (anything_ready()) return Wake::ready;
    const std::int64_t longest = safe ? kLookForDeadEveryNs : kSleepWithoutBarrierNs;
    const std::int64_t now = monotonic_now_ns();
    if (!deadline.is_never() && now >= deadline.monotonic_ns()) return Wake::timed_out;
    const os::FutexWord word{&bell_.ticket, ticket};
    auto woken = os::futex_wait(word, std::min(deadline, Deadline::at_ns(now + longest)));
    if (!woken) return std::unexpected(std::move(woken.error()));
    if (anything_ready()) return Wake::ready;
    if (*woken == os::FutexWake::interrupted) return Wake::interrupted;
    if (*woken == os::FutexWake::timed_out) look_for_the_dead();
  }
}

bool SubscriberCore::spin(Deadline deadline) noexcept {
  const std::int64_t until = std::min(monotonic_now_ns() + spin_ns_, deadline.monotonic_ns());
  do {
    for (int i = 0; i < 16; ++i) {
      if (anything_ready()) {
        spin_ns_ = std::min(spin_ns_ * 2, kSpinMaxNs);
        return true;
      }
      relax_processor();
    }
  } while (monotonic_now_ns() < until);
  spin_ns_ = std::max(spin_ns_ / 2, kSpinMinNs);
  return false;
}

// Orders our announcement before the looks that follow. The barrier is always the heavy one,
// because those looks may meet a publisher that relies on it and was unknown a moment ago. False:
// one does, and this process may not call membarrier.
bool SubscriberCore::barrier_before_sleep() noexcept {
  topic::Atomics::full_fence();
  return os::heavy_barrier() || std::ranges::none_of(links_, &PublisherLink::asymmetric);
}

// ---- in an event loop ---------------------------------------------------------------------------

Result<int> SubscriberCore::descriptor() {
  if (!check_process()) return std::unexpected(*status_);
  if (event_.is_open()) return event_.get();
  auto event = os::EventDescriptor::create(
      presence_->directory.fd(), topic::fifo_name(presence_->segment.file), topic::file_mode);
  if (!event) return std::unexpected(std::move(event.error()));
  event_ = std::move(*event);
  quick_ = nullptr;  // take() arms the descriptor again from here on
  for (PublisherLink& link : links_) {
    if (link.gone) continue;
    if (auto watched = watch_death_of(link); !watched) {
      return std::unexpected(std::move(watched.error()));
    }
  }
  arm();
  // What is there already, and what came while we armed, is told by the descriptor itself.
  if (anything_ready()) event_.signal_self();
  return event_.get();
}

// A killed publisher rings nobody, so its death itself must make the descriptor readable.
Result<void> SubscriberCore::watch_death_of(PublisherLink& link) {
  static const std::uint64_t our_namespace = os::identity_of_this_process().pid_namespace;
  if (link.pid_namespace == our_namespace) {
    auto pidfd = os::open_pidfd(link.pid);
    // The number may be another's by now: it is the publisher's only if its lock still lives.
    if (pidfd && topic::is_alive(link.file)) {
      if (auto watched = event_.watch_process(*pidfd); !watched) return watched;
      link.pidfd = std::move(*pidfd);
      return {};
    }
  }
  return event_.watch_clock();
}

void SubscriberCore::arm() noexcept {
  std::uint32_t next = page_->armed.load() + 1;
  if (next == 0) next = 1;
  page_->armed.store(next);
  shm::announce(bell_, shm::sleepers_on_descriptors);
  // Without the heavy barrier a wake may be missed; then its owner looks ten times a second.
  if (!barrier_before_sleep()) static_cast<void>(event_.watch_clock());
}

// After an empty take: if the descriptor has fired, drain it and arm it anew. True if a message
// came meanwhile, so that the caller takes again instead of sleeping on it.
bool SubscriberCore::arm_again() noexcept {
  if (!event_.drain()) return false;
  look_for_the_dead();
  for (PublisherLink& link : links_) {
    // Its process ended but its lock lives on (it was handed to another process): stop watching
    // the process, or the descriptor would stay readable for ever.
    if (!link.pidfd.is_open() || !os::is_readable(link.pidfd)) continue;
    link.pidfd.reset();
    static_cast<void>(event_.watch_clock());
  }
  arm();
  return anything_ready();
}

}  // namespace signalbox
