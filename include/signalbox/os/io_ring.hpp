// os/io_ring.hpp: reads, writes, accepts and waits that the kernel does meanwhile: io_uring.
//
// Requests are prepared, handed over together by one system call, and come back as completions, in
// any order. A request may finish short, as the bare call may: look at its result.
//
//   Lives     until it is destroyed, which cancels what is in flight and waits for its end, so that
//             no buffer is touched afterwards
//   Threads   one thread at a time
//   Crash     the kernel ends what is in flight
//   Fork      belongs to the process that made it: in a child calls answer wrong_process, and what
//             wait() and take() answered is not there
//   Limits    requests_max at once; RLIMIT_NOFILE; needs Linux 6.0, and a sandbox or
//             /proc/sys/kernel/io_uring_disabled may forbid it
//   Pollable  yes
//   Manual    io_uring(7) io_uring_setup(2) io_uring_enter(2) io_uring_register(2)
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/fork_generation.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/kernel_ring.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

class IoRing {
 public:
  using Key = std::uint64_t;  // yours, handed back untouched: a number, or a pointer without a tag

  static constexpr Key key_max = (Key{1} << 56) - 1;
  static constexpr std::uint32_t requests_limit = 32'768;     // the most that requests_max may be
  static constexpr std::uint64_t at_its_offset = UINT64_MAX;  // where the file stands, or a stream

  // A request that has come to its end, as the kernel wrote it down. May be copied.
  class Done {
   public:
    Key key() const noexcept { return key_and_operation_ & key_max; }
    // What the call answers, or a negated errno.
    std::int32_t result() const noexcept {
      constexpr std::int32_t time_is_up = -62;  // ETIME, and what a timeout is for
      const bool is_due = result_ == time_is_up && operation() == kernel::ring_timeout;
      return is_due ? 0 : result_;
    }
    bool is_ok() const noexcept { return result() >= 0; }
    std::string_view call() const noexcept;  // "read", "accept", ...
    // Why it failed; ECANCELED is interrupted. Only if not is_ok().
    Error error() const;

   private:
    friend class IoRing;
    std::uint8_t operation() const noexcept {
      return static_cast<std::uint8_t>(key_and_operation_ >> 56);
    }
    // io_uring_cqe. src/os/io_ring.cpp holds it against the kernel's header.
    std::uint64_t key_and_operation_;
    std::int32_t result_;
    [[maybe_unused]] std::uint32_t flags_;
  };

  // Room for so many requests from their preparation to their completion.
  // Errors: bad_argument (0, or above requests_limit), not_supported (with who forbids it),
  // limit_reached (descriptors), out_of_memory, system.
  static Result<IoRing> create(std::uint32_t requests_max);
  IoRing(IoRing&&) noexcept = default;
  IoRing& operator=(IoRing&&) noexcept;
  ~IoRing();

  // ---- preparing: nothing happens before submit(), wait() or cancel() ---------------------------
  // Each may answer limit_reached (requests_max are under way: take completions first),
  // bad_argument (a key above key_max) and wrong_process. Descriptor and buffer stay yours, and
  // must stay open and where they are until the completion has been taken.

  Result<void> read(const Fd& file, std::span<std::byte> into, std::uint64_t offset, Key key) {
    return prepare(key, Transfer{kernel::ring_read, file.get(), into, offset, 0});
  }
  Result<void> write(const Fd& file, std::span<const std::byte> from, std::uint64_t offset,
                     Key key) {
    return prepare(key, Transfer{kernel::ring_write, file.get(), from, offset, 0});
  }
  // Its result is a new descriptor, close-on-exec and non-blocking: put it into an Fd at once. One
  // that nobody has taken when the ring is destroyed is closed.
  Result<void> accept(const Fd& listener, Key key);
  // A peer that is gone is EPIPE and no signal.
  Result<void> send(const Fd& socket, std::span<const std::byte> from, Key key) {
    constexpr std::uint32_t no_signal = 0x4000;  // MSG_NOSIGNAL
    return prepare(key, Transfer{kernel::ring_send, socket.get(), from, 0, no_signal});
  }
  Result<void> receive(const Fd& socket, std::span<std::byte> into, Key key) {
    return prepare(key, Transfer{kernel::ring_receive, socket.get(), into, 0, 0});
  }
  // Ends once the descriptor is ready; the result is what poll(2) tells.
  Result<void> poll(const Fd& fd, Events events, Key key);
  // Ends at that time, with the result 0.
  Result<void> timeout(Deadline at, Key key);

  // ---- running ----------------------------------------------------------------------------------

  // Hands over what was prepared; answers how many. Enters the kernel once, if there is something.
  // Errors: would_block (the kernel has no room just now: take completions, submit again), system.
  Result<std::uint32_t> submit();

  // Hands over what was prepared, and cancels all requests with that key, which end with ECANCELED
  // where they have not ended yet. Enters the kernel once for each kind of request, too.
  // Errors: as submit(), bad_argument.
  Result<void> cancel(Key key);

  // Hands over what was prepared, and sleeps until something has come to its end; answers what has,
  // where the kernel wrote it, valid until the next wait() or take(). There may be more: where its
  // ring begins anew, the next call answers the rest. Empty: the deadline passed. Enters the kernel
  // once at most if something is there. Errors: interrupted, wrong_process, system.
  Result<std::span<const Done>> wait(Deadline deadline, OnSignal on_signal = OnSignal::go_on) {
    Queues& queues = *queues_;
    const std::uint32_t prepared = queues.prepared();
    if (prepared == 0 || !deadline.is_never()) [[unlikely]]
      return wait_slowly(deadline, on_signal);
    const long taken = queues.enter_and_wait(prepared);
    if (taken != static_cast<long>(prepared)) [[unlikely]]
      return wait_after(taken, deadline, on_signal);
    queues.here.handed_over += prepared;
    const std::uint32_t tail = queues.done_tail();
    if (tail == queues.here.done_head) [[unlikely]]
      return wait_after(kernel::interrupted, deadline, on_signal);
    return queues.collect(tail);
  }

  // What has come to its end, as wait() answers it, without waiting. Does not enter the kernel.
  Result<std::span<const Done>> take();

  // Requests that were prepared and whose completions were not taken.
  std::uint32_t in_flight() const noexcept { return queues_->in_flight(); }

  // Ready while take() would find something. What was prepared must have been submitted.
  Waitable waitable() const noexcept;

 private:
  static constexpr std::uint64_t tagged(Key key, std::uint8_t operation) noexcept {
    return key | std::uint64_t{operation} << 56;
  }

  // The rings that are shared with the kernel. Each request has one completion, so that two ends of
  // them tell how many are under way, and there is no table.
  struct Queues {
    // Zeroed in a forked child, which so has no room and nothing to hand over: who looks for these
    // need not ask for the process.
    struct {
      std::uint32_t submit_tail = 0;
      std::uint32_t submit_end = 0;  // requests_max behind done_head: there is no more room
      std::uint32_t handed_over = 0;
      std::uint32_t done_head = 0;
    } here;
    int ring = -1;
    std::uint32_t submit_mask = 0;
    kernel::RingPlace* places = nullptr;
    std::uint32_t* submit_tail_shown = nullptr;
    std::uint32_t done_room = 0;  // a power of two
    const Done* completions = nullptr;
    std::uint32_t* done_tail_shown = nullptr;
    std::uint32_t* done_head_shown = nullptr;

    std::uint32_t in_flight() const noexcept { return here.submit_tail - here.done_head; }
    std::uint32_t prepared() const noexcept { return here.submit_tail - here.handed_over; }
    // The caller sees to it that those that were taken are no longer prepared.
    long enter_and_wait(std::uint32_t prepared) noexcept {
      constexpr long one = 1;
      constexpr long until_done = 1;  // IORING_ENTER_GETEVENTS
      show_submitted();
      return kernel::enter(kernel::KernelCall::io_uring_enter, ring, prepared, one, until_done, 0);
    }
    // The kernel looks at it when it is entered, not before.
    void show_submitted() noexcept { std::atomic_ref(*submit_tail_shown).store(here.submit_tail); }
    std::uint32_t done_tail() const noexcept { return std::atomic_ref(*done_tail_shown).load(); }
    // What the kernel was told to be free stays as it is until the next time: its ring has room for
    // twice requests_max, so those that are under way end elsewhere.
    std::span<const Done> collect(std::uint32_t tail) noexcept {
      const std::uint32_t head = here.done_head;
      const std::uint32_t first = head & (done_room - 1);
      const std::uint32_t count = std::min(tail - head, done_room - first);
      here.done_head = head + count;
      here.submit_end += count;
      std::atomic_ref(*done_head_shown).store(head + count);
      return {completions + first, count};
    }
  };
  struct Kept;  // the same, and what it lies in

  struct Transfer {
    std::uint8_t operation;
    int file;
    std::span<const std::byte> bytes;
    std::uint64_t offset;
    std::uint32_t special;
    kernel::RingEntry operator()() const noexcept {
      constexpr std::size_t most = 0x7ffff000;  // as read(2)
      return {.operation = operation,
              .file = file,
              .offset = offset,
              .address = reinterpret_cast<std::uintptr_t>(bytes.data()),
              .bytes = static_cast<std::uint32_t>(std::min(bytes.size(), most)),
              .special = special};
    }
  };
  template <class Make>
  Result<void> prepare(Key key, const Make& make) {
    Queues& queues = *queues_;
    if (queues.here.submit_tail == queues.here.submit_end || key > key_max) [[unlikely]]
      return not_prepared(key);
    const std::uint32_t place = queues.here.submit_tail & queues.submit_mask;
    kernel::RingEntry& entry = queues.places[place].entry;
    entry = make();
    entry.request = tagged(key, entry.operation);
    ++queues.here.submit_tail;
    return {};
  }
  [[gnu::cold]] Result<void> not_prepared(Key key) const;
  [[gnu::cold]] Result<std::span<const Done>> wait_slowly(Deadline deadline, OnSignal on_signal);
  // After the kernel has taken only so many, or refused with a negated errno.
  [[gnu::cold]] Result<std::span<const Done>> wait_after(long answer, Deadline deadline,
                                                         OnSignal on_signal);

  IoRing() = default;
  Kept& kept() const noexcept;
  struct Deleter {
    void operator()(Queues* queues) const noexcept;
  };
  std::unique_ptr<Queues, Deleter> queues_;
};

}  // namespace signalbox::os
