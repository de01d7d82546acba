#include "topic/ticket_sleep.hpp"

#include "signalbox/shm/doorbell.hpp"
#include "topic/subscriber_core.hpp"

namespace signalbox {

namespace {

// Without a heavy barrier a wake can be missed in a window of nanoseconds; sleep short instead.
constexpr std::int64_t kSleepWithoutBarrierNs = 1'000'000;

// Announces us at every bell and notes the tickets that we sleep on.
std::span<const os::FutexWord> announce_at_all(const TicketSleep& sleep) noexcept {
  std::size_t count = 0;
  for (SubscriberCore* const topic : sleep.topics) {
    const std::uint32_t ticket = shm::announce(topic->bell(), shm::sleepers_on_ticket);
    sleep.words[count++] = {&topic->bell().ticket, ticket};
  }
  if (sleep.wake_word != nullptr) sleep.words[count++] = {sleep.wake_word, 0};
  return sleep.words.first(count);
}

// The same after a bounded sleep on those tickets. True: every announcement has stood since.
bool announce_at_all_again(const TicketSleep& sleep) noexcept {
  bool stood = true;
  for (std::size_t i = 0; i < sleep.topics.size(); ++i) {
    stood &= shm::announce_again(sleep.topics[i]->bell(), sleep.words[i].expected);
  }
  return stood;
}

// Orders the announcements before the looks that follow; see SubscriberCore::barrier_before_sleep.
bool barrier_before_sleep(std::span<SubscriberCore* const> topics) noexcept {
  topic::Atomics::full_fence();
  return os::heavy_barrier() ||
         std::ranges::none_of(topics, &SubscriberCore::meets_asymmetric_publisher);
}

}  // namespace

bool anything_ready(const TicketSleep& sleep) noexcept {
  if (sleep.wake_word != nullptr && sleep.wake_word->load() != 0) return true;
  return std::ranges::any_of(sleep.topics, &SubscriberCore::anything_ready);
}

Result<Wake> sleep_on_tickets(const TicketSleep& sleep, Deadline deadline) {
  const auto words = announce_at_all(sleep);
  bool safe = barrier_before_sleep(sleep.topics);
  for (;;) {
    if (anything_ready(sleep)) return Wake::ready;
    const std::int64_t now = monotonic_now_ns();
    if (!deadline.is_never() && now >= deadline.monotonic_ns()) return Wake::timed_out;
    for (SubscriberCore* const topic : sleep.topics) topic->look_for_the_dead_if_due(now);
    // Who sleeps on the wake word alone waits for nobody who might die.
    const std::int64_t longest = safe ? look_again_every_ns : kSleepWithoutBarrierNs;
    const Deadline until =
        sleep.topics.empty() ? deadline : std::min(deadline, Deadline::at_ns(now + longest));
    auto woken = os::futex_wait_any(words, until, os::OnSignal::give_up);
    if (!woken) return std::unexpected(std::move(woken.error()));
    if (anything_ready(sleep)) return Wake::ready;
    if (woken->how == os::FutexWake::interrupted) return Wake::interrupted;
    // The heavy barrier interrupts every processor: not for nothing, ten times a second.
    if (!announce_at_all_again(sleep) || !safe) safe = barrier_before_sleep(sleep.topics);
  }
}

}  // namespace signalbox
