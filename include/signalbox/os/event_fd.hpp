// os/event_fd.hpp: a number in the kernel that a descriptor waits for: it is added to, and taken.
//
// The cheapest way to wake whoever sleeps in a WaitSet or in poll(): one add() for any number of
// additions that nobody took yet.
//
//   Lives     as long as a descriptor of it, anywhere
//   Threads   any number at once, add() also in a signal handler; moving it belongs to one
//   Crash     what was added stays, while somebody else has it open
//   Fork      a child shares it until it execs: what one takes, the other does not see
//   Limits    RLIMIT_NOFILE; the number is at most 2^64 - 2
//   Pollable  yes
//   Manual    eventfd(2)
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

class EventFd {
 public:
  enum class Mode {
    counter,    // one take() answers the whole number, and it is 0 then
    semaphore,  // each take() answers 1, and takes that much
  };

  static constexpr std::uint64_t count_max = UINT64_MAX - 1;

  // Errors: limit_reached (descriptors), out_of_range (above count_max), system.
  static Result<EventFd> create(Mode mode, std::uint64_t count);
  static Result<EventFd> create(Mode mode) { return create(mode, 0); }
  // One that somebody handed over (os/unix_socket.hpp); it is made non-blocking, for all who have
  // it. Errors: bad_argument (no eventfd), system.
  static Result<EventFd> adopt(Fd fd);

  // Adds, and never waits. Error: out_of_range (the sum would be above count_max: nothing was
  // added, and there is room after a take()), system. Enters the kernel once. Async-signal-safe as
  // long as it succeeds.
  Result<void> add(std::uint64_t count) const {
    const long put = kernel::write_once(fd_.get(), std::as_bytes(std::span(&count, 1)));
    if (put == sizeof(count)) [[likely]]
      return {};
    return not_added(put, count);
  }
  // The same, and waits for room. Errors: timed_out, interrupted, out_of_range (of `count` alone).
  Result<void> add(std::uint64_t count, Deadline deadline,
                   OnSignal on_signal = OnSignal::go_on) const;

  // Takes what is there, without waiting; 0: nothing. Enters the kernel once.
  std::uint64_t try_take() const noexcept {
    std::uint64_t count = 0;
    return take_into(count) == sizeof(count) ? count : 0;
  }
  // Sleeps until there is something, and takes it. Errors: timed_out, interrupted, system. Enters
  // the kernel once if something is there.
  Result<std::uint64_t> take(Deadline deadline, OnSignal on_signal = OnSignal::go_on) const {
    std::uint64_t count = 0;
    const long got = take_into(count);
    if (got == sizeof(count)) [[likely]]
      return count;
    return take_after(got, deadline, on_signal);
  }

  // Ready while a take() would find something; asked for `writable`, while add(1) would succeed.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  const Fd& fd() const noexcept { return fd_; }

 private:
  explicit EventFd(Fd fd) noexcept : fd_(std::move(fd)) {}
  long take_into(std::uint64_t& count) const noexcept {
    return kernel::read_once(fd_.get(), std::as_writable_bytes(std::span(&count, 1)));
  }
  // What is left to do after a call that was refused with this negated errno.
  [[gnu::cold]] static Result<void> not_added(long refused, std::uint64_t count);
  [[gnu::cold]] Result<std::uint64_t> take_after(long refused, Deadline deadline,
                                                 OnSignal on_signal) const;
  Fd fd_;
};

}  // namespace signalbox::os
