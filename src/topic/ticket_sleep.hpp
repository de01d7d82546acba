// ticket_sleep.hpp: one thread's sleep on the bells of one or of many topics.
//
// Subscriber::wait() and WaitSet::wait() both end here, so there is one place that spins, announces
// itself, passes the barrier, looks a second time and sleeps a bounded time.
//
//   Threads  one at a time, with the subscribers that are slept for
//   Crash    a publisher that is killed rings nobody: no sleep is longer than 100 ms
//   Fork     callers have checked that they are in the right process
//   Limits   os::futex_words_max, of which the wake word is one
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "signalbox/deadline.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/raw_topic.hpp"
#include "topic/layout.hpp"

namespace signalbox {

// Nobody rings when a publisher is killed or publishes with WakeSleepers::no, so sleepers look this
// often by themselves.
inline constexpr std::int64_t look_again_every_ns = 100'000'000;

// Spinning pays while messages follow one another faster than a sleeper can be woken, so its length
// follows what the last waits were like.
class AdaptiveSpin {
 public:
  explicit AdaptiveSpin(std::int64_t max_ns) noexcept { limit(max_ns); }
  void limit(std::int64_t max_ns) noexcept {
    max_ns_ = std::max<std::int64_t>(0, max_ns);
    now_ns_ = std::clamp(now_ns_, std::min(min_ns, max_ns_), max_ns_);
  }
  // True as soon as `look` answers true, false when it is time to sleep.
  template <class Look>
  bool until(Deadline deadline, Look look) noexcept {
    if (max_ns_ == 0) return false;
    const std::int64_t end = std::min(monotonic_now_ns() + now_ns_, deadline.monotonic_ns());
    do {
      for (int i = 0; i < 16; ++i) {
        if (look()) {
          now_ns_ = std::min(now_ns_ * 2, max_ns_);
          return true;
        }
        relax_processor();
      }
    } while (monotonic_now_ns() < end);
    now_ns_ = std::max(now_ns_ / 2, std::min(min_ns, max_ns_));
    return false;
  }

 private:
  static constexpr std::int64_t min_ns = 500;
  static void relax_processor() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }
  std::int64_t max_ns_ = 0;
  std::int64_t now_ns_ = 2'000;
};

struct TicketSleep {
  std::span<struct SubscriberCore* const> topics;
  const topic::AtomicU32* wake_word =
      nullptr;                     // ends the sleep when it is not 0; null: there is none
  std::span<os::FutexWord> words;  // room for one a topic and the wake word
};

// Has any of the topics something to take, or is the wake word set?
bool anything_ready(const TicketSleep& sleep) noexcept;

// Sleeps until anything is ready, the deadline passes or a signal handler ran.
Result<Wake> sleep_on_tickets(const TicketSleep& sleep, Deadline deadline);

}  // namespace signalbox
