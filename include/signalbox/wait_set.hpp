// wait_set.hpp: one sleep for many sources: topics, semaphores, mutexes, descriptors, signals,
// timers, child processes.
//
// Readiness is a level, not an edge. A source is reported by every wait() until it is drained, so
// nothing is lost if you handle one event and come back; never draining is a busy loop.
//
// A set that watches topics only sleeps on their bells, as Subscriber::wait() does: a publisher
// wakes it with one system call. With a descriptor among them it sleeps in one epoll, in which each
// topic's own descriptor stands. It changes over by itself, and nothing is lost between.
//
//   Threads  one thread at a time for a set, its watches and the topics it watches; wake() alone
//            may be called from any thread and from a signal handler
//   Crash    a publisher that is killed is noticed within 100 ms; nothing has to be cleaned up
//   Fork     belongs to the process that made it: in a child calls answer wrong_process, and a set
//            or a watch that dies there does nothing to the parent's
//   Limits   watches_limit below; three descriptors. A blocked set wakes by itself at most ten
//            times a second, and never if it watches no topic
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox {

inline constexpr std::uint32_t watches_limit = 65536;  // the most that watches_max may be

// While it lives, its set reports the source. Move-only, false when empty. Set, source and Watch
// may die in any order.
class Watch {
 public:
  Watch() = default;
  Watch(Watch&& other) noexcept
      : set_(std::move(other.set_)), slot_(other.slot_), number_(std::exchange(other.number_, 0)) {}
  Watch& operator=(Watch&& other) noexcept {
    Watch old(std::move(*this));
    set_ = std::move(other.set_);
    slot_ = other.slot_;
    number_ = std::exchange(other.number_, 0);
    return *this;
  }
  ~Watch() { end(); }
  // False when default-made, moved from or ended; still true when the set or the source is gone.
  explicit operator bool() const noexcept { return number_ != 0; }
  // Stops watching now. Enters the kernel if the set sleeps in its epoll.
  void end() noexcept;

 private:
  friend struct WaitSetCore;
  std::weak_ptr<struct WaitSetCore> set_;
  std::uint32_t slot_ = 0;
  std::uint32_t number_ = 0;  // which use of the slot; 0: none
};

// Move-only, false when moved from: calls answer bad_argument then.
class WaitSet {
 public:
  using Key = std::uint64_t;  // yours, handed back untouched: an enum, an index

  struct Ready {
    Key key;
    Events events;
  };

  // An empty set with room for so many watches. All memory is taken here.
  // Errors: bad_argument (0, or more than watches_limit), limit_reached (descriptors), system.
  static Result<WaitSet> create(std::uint32_t watches_max);
  WaitSet(WaitSet&&) noexcept = default;
  WaitSet& operator=(WaitSet&&) noexcept = default;
  ~WaitSet() = default;
  explicit operator bool() const noexcept { return core_ != nullptr; }

  // Watches the source until the Watch dies. `events`: readable, for a descriptor also writable.
  // Errors: already_exists (this set watches the descriptor, or some set the topic, already),
  // limit_reached (watches_max or descriptors), bad_argument, closed (the subscriber is gone),
  // not_supported (the kernel cannot poll it: a regular file, say), wrong_process, system.
  Result<Watch> watch(const Waitable& source, Key key, Events events = Events::readable);

  // As watch() for readable, and also reports deadline_missed at the end of each `period` in which
  // the source stayed quiet, or the lock was never found free. A period begins anew with each
  // message or report of readiness; periods that end while nobody waits are reported as one. Error
  // besides: bad_argument (period < 1 us).
  Result<Watch> watch_every(const Waitable& source, Key key, std::chrono::nanoseconds period);

  // Sleeps until a source is ready; answers all that are, each once and in an order that changes,
  // valid until the next call. Empty: the deadline passed or wake() was called. Signal handlers may
  // run meanwhile; the wait goes on with the time that remains. Nothing is allocated, unless a
  // publisher joined or left. Enters the kernel to sleep, and to look at descriptors. Keep the
  // answer in a variable before you loop over it: `for (... : *set.wait(d))` loops over what is
  // gone. Errors: wrong_process, limit_reached (descriptors), system.
  Result<std::span<const Ready>> wait(Deadline deadline);

  // Makes the wait() that sleeps, or else the next one, answer nothing at once. Async-signal-safe.
  // The set must not be moved from, assigned or destroyed meanwhile. Enters the kernel.
  void wake() const noexcept;

 private:
  explicit WaitSet(std::shared_ptr<struct WaitSetCore> core) noexcept : core_(std::move(core)) {}
  std::shared_ptr<struct WaitSetCore> core_;
};

}  // namespace signalbox
