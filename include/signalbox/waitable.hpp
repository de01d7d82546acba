// waitable.hpp: something that a WaitSet can sleep on.
//
//   Threads  values; copy them freely
//   Crash    nothing to lose
//   Fork     a copy in a child watches nothing: the set there answers wrong_process
//   Limits   none
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

namespace signalbox {

// What a source is asked for and what it answers. A set of bits.
enum class Events : std::uint32_t {
  none = 0,
  readable = 1,        // a take(), read() or accept() would find something
  writable = 2,        // a write() would be accepted; descriptors only
  hung_up = 4,         // the other end is gone or the descriptor failed; told without being asked
  deadline_missed = 8  // watch_every(): quiet for a whole period
};
constexpr Events operator|(Events a, Events b) noexcept {
  return static_cast<Events>(static_cast<std::uint32_t>(a) | static_cast<std::uint32_t>(b));
}
constexpr Events operator&(Events a, Events b) noexcept {
  return static_cast<Events>(static_cast<std::uint32_t>(a) & static_cast<std::uint32_t>(b));
}
// Is any of the asked bits among these?
constexpr bool any_of(Events events, Events asked) noexcept {
  return (events & asked) != Events::none;
}

// Names a source without owning it: the source may be closed at any time, and is silent then. Made
// by the source's waitable(), or from any descriptor that poll(2) accepts.
class Waitable {
 public:
  // The descriptor stays yours. Close it after its Watch; a number that was closed and given out
  // again is told apart, but while a copy of it is open elsewhere it may still be reported.
  static Waitable descriptor(int fd) noexcept { return Waitable(fd, nullptr); }

 private:
  friend struct SubscriberCore;
  friend struct WaitSetCore;
  friend struct WaitSource;
  Waitable(int fd, std::shared_ptr<struct TopicSource> topic) noexcept
      : fd_(fd), topic_(std::move(topic)) {}
  int fd_;
  std::shared_ptr<struct TopicSource> topic_;
  std::shared_ptr<struct WaitSource> source_{};  // of a semaphore or a lock
  bool lacks_memory_ = false;                    // for the source: watch() says so
};

}  // namespace signalbox
