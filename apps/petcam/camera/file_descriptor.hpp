// file_descriptor.hpp: owned descriptors, and the three kinds the camera's event loop is made of.
//
//   Threads  one thread at a time per object
//   Crash    the kernel closes everything
//   Fork     all are close-on-exec
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>

namespace petcam {

// Closes the descriptor at the end of its life. Empty after a move.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int number) noexcept : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { close(); }

  bool is_open() const noexcept { return number_ >= 0; }
  int number() const noexcept { return number_; }
  int release() noexcept { return std::exchange(number_, -1); }
  void close() noexcept;

 private:
  int number_ = -1;
};

// A clock that makes its descriptor readable, on CLOCK_MONOTONIC. Constructors of this file throw
// std::system_error when the process has no descriptors left: without them no daemon can start.
class Timer {
 public:
  Timer();
  int descriptor() const noexcept { return fd_.number(); }
  // Fires at `first_ns` and then each `period`; the times are absolute, so they do not drift.
  void start(std::int64_t first_ns, std::chrono::nanoseconds period);
  void start_once(std::chrono::nanoseconds from_now);
  void stop();
  // How often it fired since the last call; 0 if not at all.
  std::uint64_t fired();

 private:
  Fd fd_;
};

// Sleeps on several descriptors. Its own descriptor can be slept on too.
class Poller {
 public:
  Poller();
  int descriptor() const noexcept { return fd_.number(); }
  // Reports `key` while the descriptor is readable or hung up, until it is removed or closed.
  void add(int descriptor, std::uint64_t key);
  void remove(int descriptor);
  // The keys that are ready. Sleeps without end, or not at all.
  std::span<const std::uint64_t> wait();
  std::span<const std::uint64_t> look();

 private:
  std::span<const std::uint64_t> poll(int timeout_ms);
  Fd fd_;
  std::array<std::uint64_t, 8> ready_{};
};

// Signals as something to poll. They are blocked in this thread and all that it starts.
class Signals {
 public:
  Signals(std::initializer_list<int> wanted);
  int descriptor() const noexcept { return fd_.number(); }
  // The next signal that arrived; empty when there is none.
  std::optional<int> take();

 private:
  Fd fd_;
};

}  // namespace petcam
