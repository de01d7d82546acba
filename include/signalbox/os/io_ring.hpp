// os/io_ring.hpp: reads, writes, accepts and waits that the kernel does meanwhile: io_uring.
//
// Requests are prepared, handed over together by one system call, and come back as completions, in
// any order. A request may finish short, as the bare call may: look at its result.
//
//   Lives     until it is destroyed, which cancels what is in flight and waits for its end, so that
//             no buffer is touched afterwards
//   Threads   one thread at a time
//   Crash     the kernel ends what is in flight
//   Fork      belongs to the process that made it: in a child calls answer wrong_process
//   Limits    requests_max at once; RLIMIT_NOFILE, RLIMIT_MEMLOCK before Linux 5.12; needs Linux
//             5.11, and a sandbox or /proc/sys/kernel/io_uring_disabled may forbid it
//   Pollable  yes
//   Manual    io_uring(7) io_uring_setup(2) io_uring_enter(2)
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

class IoRing {
 public:
  using Key = std::uint64_t;  // yours, handed back untouched

  static constexpr std::uint32_t requests_limit = 32'768;     // the most that requests_max may be
  static constexpr std::uint64_t at_its_offset = UINT64_MAX;  // where the file stands, or a stream

  // A request that has come to its end.
  struct Done {
    Key key;
    std::int32_t result;    // what the call answers, or a negated errno
    std::string_view call;  // "read", "accept", ...
    bool is_ok() const noexcept { return result >= 0; }
    // Why it failed; ECANCELED is interrupted. Only if not is_ok().
    Error error() const;
  };

  // Room for so many requests from their preparation to their completion.
  // Errors: bad_argument (0, or above requests_limit), not_supported (with who forbids it),
  // limit_reached (descriptors), out_of_memory, system.
  static Result<IoRing> create(std::uint32_t requests_max);
  IoRing(IoRing&&) noexcept;
  IoRing& operator=(IoRing&&) noexcept;
  ~IoRing();

  // ---- preparing: nothing happens before submit() or wait() -------------------------------------
  // Each may answer limit_reached (requests_max are under way: take completions first) and
  // wrong_process. Descriptor and buffer stay yours, and must stay open and where they are until
  // the completion has been taken.

  Result<void> read(const Fd& file, std::span<std::byte> into, std::uint64_t offset, Key key);
  Result<void> write(const Fd& file, std::span<const std::byte> from, std::uint64_t offset,
                     Key key);
  // Its result is a new descriptor, close-on-exec and non-blocking: put it into an Fd at once. One
  // that nobody has taken when the ring is destroyed is closed.
  Result<void> accept(const Fd& listener, Key key);
  // A peer that is gone is EPIPE and no signal.
  Result<void> send(const Fd& socket, std::span<const std::byte> from, Key key);
  Result<void> receive(const Fd& socket, std::span<std::byte> into, Key key);
  // Ends once the descriptor is ready; the result is what poll(2) tells.
  Result<void> poll(const Fd& fd, Events events, Key key);
  // Ends at that time, with the result 0.
  Result<void> timeout(Deadline at, Key key);
  // Cancels the requests with that key, which end with ECANCELED where they have not ended yet.
  // This has no completion of its own.
  Result<void> cancel(Key key);

  // ---- running ----------------------------------------------------------------------------------

  // Hands over what was prepared; answers how many. Enters the kernel once, if there is something.
  // Errors: would_block (the kernel has no room just now: take completions, submit again), system.
  Result<std::uint32_t> submit();

  // Hands over what was prepared, and sleeps until something has come to its end; answers all that
  // has, valid until the next call. Empty: the deadline passed. Enters the kernel once if something
  // is there. Errors: interrupted, wrong_process, system.
  Result<std::span<const Done>> wait(Deadline deadline, OnSignal on_signal = OnSignal::go_on);

  // What has come to its end, without waiting. Does not enter the kernel.
  Result<std::span<const Done>> take();

  // Requests that were prepared and whose completions were not taken.
  std::uint32_t in_flight() const noexcept;

  // Ready while take() would find something. What was prepared must have been submitted.
  Waitable waitable() const noexcept;

 private:
  struct Queues;
  explicit IoRing(std::unique_ptr<Queues> queues) noexcept;
  std::unique_ptr<Queues> queues_;
};

}  // namespace signalbox::os
