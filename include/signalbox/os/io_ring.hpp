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
  IoRing(IoRing&&) noexcept = default;
  IoRing& operator=(IoRing&&) noexcept;
  ~IoRing();

  // ---- preparing: nothing happens before submit() or wait() -------------------------------------
  // Each may answer limit_reached (requests_max are under way: take completions first) and
  // wrong_process. Descriptor and buffer stay yours, and must stay open and where they are until
  // the completion has been taken.

  Result<void> read(const Fd& file, std::span<std::byte> into, std::uint64_t offset, Key key) {
    return prepare("read", key, Transfer{kernel::ring_read, file.get(), into, offset, 0});
  }
  Result<void> write(const Fd& file, std::span<const std::byte> from, std::uint64_t offset,
                     Key key) {
    return prepare("write", key, Transfer{kernel::ring_write, file.get(), from, offset, 0});
  }
  // Its result is a new descriptor, close-on-exec and non-blocking: put it into an Fd at once. One
  // that nobody has taken when the ring is destroyed is closed.
  Result<void> accept(const Fd& listener, Key key);
  // A peer that is gone is EPIPE and no signal.
  Result<void> send(const Fd& socket, std::span<const std::byte> from, Key key) {
    constexpr std::uint32_t no_signal = 0x4000;  // MSG_NOSIGNAL
    return prepare("send", key, Transfer{kernel::ring_send, socket.get(), from, 0, no_signal});
  }
  Result<void> receive(const Fd& socket, std::span<std::byte> into, Key key) {
    return prepare("recv", key, Transfer{kernel::ring_receive, socket.get(), into, 0, 0});
  }
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
  Result<std::span<const Done>> wait(Deadline deadline, OnSignal on_signal = OnSignal::go_on) {
    Queues& queues = *queues_;
    if (queues.here.prepared == 0 || !deadline.is_never()) [[unlikely]]
      return wait_slowly(deadline, on_signal);
    const long taken = queues.enter_and_wait();
    if (taken < 0) [[unlikely]]
      return wait_after(taken, deadline, on_signal);
    queues.here.prepared -= static_cast<std::uint32_t>(taken);
    const auto done = queues.collect();
    if (done.empty()) [[unlikely]]
      return wait_slowly(deadline, on_signal);
    return done;
  }

  // What has come to its end, without waiting. Does not enter the kernel.
  Result<std::span<const Done>> take();

  // Requests that were prepared and whose completions were not taken.
  std::uint32_t in_flight() const noexcept { return queues_->under_way; }

  // Ready while take() would find something. What was prepared must have been submitted.
  Waitable waitable() const noexcept;

 private:
  // Its address is what the kernel hands back with a completion. Cancellations have none, and
  // nobody is told of theirs.
  struct Request {
    Key key = 0;
    std::string_view call;
    Request* next_free = nullptr;  // itself: under way
    // __kernel_timespec, which the kernel reads when the request is handed over.
    struct {
      std::int64_t seconds = 0;
      std::int64_t nanoseconds = 0;
    } until;
  };

  // The rings that are shared with the kernel, and what is known of each request.
  struct Queues {
    // Zeroed in a forked child, so that looking for room and for work tells the process too.
    struct {
      Request* free_request = nullptr;
      std::uint32_t prepared = 0;  // and not handed over
    } here;
    std::uint32_t under_way = 0;
    int ring = -1;
    std::uint32_t submit_tail = 0;
    std::uint32_t submit_mask = 0;
    kernel::RingEntry* entries = nullptr;
    std::uint32_t* submit_tail_shown = nullptr;
    std::uint32_t done_head = 0;
    std::uint32_t done_mask = 0;
    kernel::RingCompletion* completions = nullptr;
    std::uint32_t* done_tail_shown = nullptr;
    std::uint32_t* done_head_shown = nullptr;
    Done* done = nullptr;

    // The kernel has taken all but those that are prepared.
    bool has_room() const noexcept { return here.prepared <= submit_mask; }
    // There is room. The kernel looks at it when it is entered, not before.
    void add(const kernel::RingEntry& entry) noexcept {
      entries[submit_tail & submit_mask] = entry;
      std::atomic_ref(*submit_tail_shown).store(++submit_tail);
      ++here.prepared;
    }
    // What was taken is no longer prepared; the caller sees to that.
    long enter_and_wait() const noexcept {
      constexpr long one = 1;
      constexpr long until_done = 1;  // IORING_ENTER_GETEVENTS
      return kernel::enter(kernel::KernelCall::io_uring_enter, ring, here.prepared, one, until_done,
                           0, 0);
    }
    std::span<const Done> collect() noexcept;
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
  Result<void> prepare(std::string_view call, Key key, const Make& make) {
    Queues& queues = *queues_;
    Request* const request = queues.here.free_request;
    if (request == nullptr || !queues.has_room()) [[unlikely]]
      return prepare_slowly(make(), call, key);
    queues.here.free_request = request->next_free;
    ++queues.under_way;
    request->next_free = request;
    request->key = key;
    request->call = call;
    kernel::RingEntry entry = make();
    entry.request = reinterpret_cast<std::uintptr_t>(request);
    queues.add(entry);
    return {};
  }
  [[gnu::cold]] Result<void> prepare_slowly(kernel::RingEntry what, std::string_view call, Key key);
  [[gnu::cold]] Result<std::span<const Done>> wait_slowly(Deadline deadline, OnSignal on_signal);
  // After the kernel has refused with this negated errno.
  [[gnu::cold]] Result<std::span<const Done>> wait_after(long refused, Deadline deadline,
                                                         OnSignal on_signal);

  IoRing() = default;
  Kept& kept() const noexcept;
  struct Deleter {
    void operator()(Queues* queues) const noexcept;
  };
  std::unique_ptr<Queues, Deleter> queues_;
};

// Never more than there is room for: each completion frees the request that it belongs to.
inline std::span<const IoRing::Done> IoRing::Queues::collect() noexcept {
  constexpr std::int32_t time_is_up = -62;  // ETIME
  const std::uint32_t tail = std::atomic_ref(*done_tail_shown).load();
  Done* end = done;
  for (; done_head != tail; ++done_head) {
    const kernel::RingCompletion completion = completions[done_head & done_mask];
    auto* const request =
        reinterpret_cast<Request*>(static_cast<std::uintptr_t>(completion.request));
    if (request == nullptr) [[unlikely]]
      continue;
    *end = {request->key, completion.result, request->call};
    if (completion.result == time_is_up && request->call == "timeout") [[unlikely]]
      end->result = 0;
    ++end;
    request->next_free = here.free_request;
    here.free_request = request;
    --under_way;
  }
  std::atomic_ref(*done_head_shown).store(done_head);
  return {done, end};
}

}  // namespace signalbox::os
