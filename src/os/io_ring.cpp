// Spoken to the kernel directly, and not through liburing: it is three system calls and two rings,
// and the library builds for machines (arm64, 32 bits) that its package is not installed for.
#include "signalbox/os/io_ring.hpp"

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "os/failure.hpp"
#include "os/file.hpp"
#include "os/limit_text.hpp"
#include "os/process.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

Error setup_failure(int refused) {
  constexpr std::string_view call = "io_uring_setup";
  std::string tried = "create an io_uring";
  if (refused == ENOSYS || refused == EPERM || refused == EACCES) {
    const std::string setting = read_small_file("/proc/sys/kernel/io_uring_disabled");
    return failure(refused, call, std::move(tried), Errc::not_supported,
                   (setting.empty() || setting == "0"
                        ? "The kernel is too old (Linux 5.11 is needed), or a sandbox (seccomp, a "
                          "container's profile) forbids it"
                        : "/proc/sys/kernel/io_uring_disabled is " + setting) +
                       ": use os/file.hpp's ways or a WaitSet instead.");
  }
  if (refused == ENOMEM) {
    return failure(refused, call, std::move(tried), Errc::out_of_memory,
                   "Before Linux 5.12 its memory counts as locked: " +
                       limit_text(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK", "ulimit -l") + ".");
  }
  return failure(refused, call, std::move(tried));
}

Error simple(Errc code, std::string text) { return {code, 0, {}, std::move(text)}; }

// A part of a mapping, unmapped with its object.
struct RingPages {
  void* address = MAP_FAILED;
  std::size_t bytes = 0;
  RingPages() = default;
  RingPages(const RingPages&) = delete;
  RingPages& operator=(const RingPages&) = delete;
  ~RingPages() {
    if (address != MAP_FAILED) ::munmap(address, bytes);
  }
  bool map(const Fd& ring, std::size_t wanted, std::uint64_t which) noexcept {
    bytes = wanted;
    address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring.get(),
                     static_cast<off_t>(which));
    return address != MAP_FAILED;
  }
  std::uint32_t* word(std::uint32_t offset) const noexcept {
    return reinterpret_cast<std::uint32_t*>(static_cast<char*>(address) + offset);
  }
};

std::unexpected<Error> of_the_parent() {
  return std::unexpected(
      simple(Errc::wrong_process, "the io_uring belongs to the parent of a fork"));
}

// After io_uring_enter(2) has refused: shall the wait go on?
bool goes_on(long refused, OnSignal on_signal) noexcept {
  return (refused == -EINTR && on_signal == OnSignal::go_on) || refused == -EBUSY ||
         refused == -EAGAIN;
}

Result<std::span<const IoRing::Done>> not_waited(long refused) {
  return or_out_of_memory([&]() -> Result<std::span<const IoRing::Done>> {
    return std::unexpected(
        failure(static_cast<int>(-refused), "io_uring_enter", "wait for requests to end"));
  });
}

using kernel::RingCompletion;
using kernel::RingEntry;
static_assert(sizeof(RingEntry) == sizeof(io_uring_sqe) &&
              offsetof(RingEntry, file) == offsetof(io_uring_sqe, fd) &&
              offsetof(RingEntry, offset) == offsetof(io_uring_sqe, off) &&
              offsetof(RingEntry, address) == offsetof(io_uring_sqe, addr) &&
              offsetof(RingEntry, bytes) == offsetof(io_uring_sqe, len) &&
              offsetof(RingEntry, special) == offsetof(io_uring_sqe, msg_flags) &&
              offsetof(RingEntry, request) == offsetof(io_uring_sqe, user_data));
static_assert(sizeof(RingCompletion) == sizeof(io_uring_cqe) &&
              offsetof(RingCompletion, result) == offsetof(io_uring_cqe, res));
static_assert(kernel::ring_read == IORING_OP_READ && kernel::ring_write == IORING_OP_WRITE &&
              kernel::ring_send == IORING_OP_SEND && kernel::ring_receive == IORING_OP_RECV &&
              MSG_NOSIGNAL == 0x4000 && ETIME == 62);

}  // namespace

struct IoRing::Kept : Queues {
  const unsigned generation = fork_generation();
  const ZeroedInChild nothing_in_child{here};
  Fd fd;
  RingPages rings;
  RingPages pages_of_entries;
  std::vector<Request> all_requests;
  std::vector<Done> all_done;

  static_assert(IORING_ENTER_GETEVENTS == 1);
  static_assert(sizeof(Request::until) == sizeof(__kernel_timespec));
  bool is_ours() const noexcept { return generation == fork_generation(); }
  Result<void> open(std::uint32_t requests_max);
  // As enter(), with an argument, and what was taken is no longer prepared. A negated errno.
  long hand_over(std::uint32_t wanted, unsigned flags, const void* argument, std::size_t bytes);
  long hand_over() { return hand_over(0, 0, nullptr, 0); }
  Result<std::uint32_t> submit();
  // Hands over what there is, where that makes room.
  Result<void> make_room();
  bool is_under_way(const Request& request) const noexcept { return request.next_free == &request; }
  // There is room.
  void cancel(const Request& request) noexcept;
  void cancel_all();
};

void IoRing::Deleter::operator()(Queues* queues) const noexcept {
  delete static_cast<Kept*>(queues);
}

Result<void> IoRing::Kept::open(std::uint32_t requests_max) {
  io_uring_params params{};
  params.flags = IORING_SETUP_CLAMP;
  fd = Fd(static_cast<int>(::syscall(SYS_io_uring_setup, requests_max, &params)));
  if (!fd.is_open()) return std::unexpected(setup_failure(errno));
  constexpr auto needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG |
                          IORING_FEAT_SUBMIT_STABLE;
  if ((params.features & needed) != needed) return std::unexpected(setup_failure(ENOSYS));
  const std::size_t bytes =
      std::max(params.sq_off.array + params.sq_entries * sizeof(std::uint32_t),
               params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  if (!rings.map(fd, bytes, IORING_OFF_SQ_RING) ||
      !pages_of_entries.map(fd, params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES)) {
    return std::unexpected(failure(errno, "mmap", "map the rings of an io_uring"));
  }
  // A child that has these pages could only disturb its parent.
  ::madvise(rings.address, rings.bytes, MADV_DONTFORK);
  ::madvise(pages_of_entries.address, pages_of_entries.bytes, MADV_DONTFORK);
  ring = fd.get();
  entries = static_cast<RingEntry*>(pages_of_entries.address);
  submit_tail_shown = rings.word(params.sq_off.tail);
  // Each entry has its place for good.
  std::uint32_t* const order = rings.word(params.sq_off.array);
  for (std::uint32_t i = 0; i < params.sq_entries; ++i) order[i] = i;
  submit_mask = *rings.word(params.sq_off.ring_mask);
  done_head_shown = rings.word(params.cq_off.head);
  done_tail_shown = rings.word(params.cq_off.tail);
  done_mask = *rings.word(params.cq_off.ring_mask);
  completions = reinterpret_cast<RingCompletion*>(rings.word(params.cq_off.cqes));
  all_requests.resize(requests_max);
  for (Request& request : all_requests) {
    request.next_free = here.free_request;
    here.free_request = &request;
  }
  all_done.resize(requests_max);
  done = all_done.data();
  return {};
}

long IoRing::Kept::hand_over(std::uint32_t wanted, unsigned flags, const void* argument,
                             std::size_t bytes) {
  const long taken =
      ::syscall(SYS_io_uring_enter, ring, here.prepared, wanted, flags, argument, bytes);
  if (taken < 0) return -errno;
  here.prepared -= std::min(here.prepared, static_cast<std::uint32_t>(taken));
  return taken;
}

Result<std::uint32_t> IoRing::Kept::submit() {
  std::uint32_t handed_over = 0;
  while (here.prepared != 0) {
    const long taken = hand_over();
    if (taken == -EINTR) continue;
    if (taken == 0) break;
    if (taken > 0) {
      handed_over += static_cast<std::uint32_t>(taken);
      continue;
    }
    const int refused = static_cast<int>(-taken);
    return or_out_of_memory([&]() -> Result<std::uint32_t> {
      if (refused == EBUSY || refused == EAGAIN) {
        return std::unexpected(failure(refused, "io_uring_enter", "hand over requests",
                                       Errc::would_block,
                                       "The kernel has no room just now: take completions first."));
      }
      return std::unexpected(failure(refused, "io_uring_enter", "hand over requests"));
    });
  }
  return handed_over;
}

Result<void> IoRing::Kept::make_room() {
  if (has_room()) return {};
  if (auto submitted = submit(); !submitted) return std::unexpected(std::move(submitted.error()));
  if (has_room()) return {};
  return std::unexpected(simple(Errc::would_block, "the ring is full"));
}

void IoRing::Kept::cancel(const Request& request) noexcept {
  add({.operation = IORING_OP_ASYNC_CANCEL,
       .file = -1,
       .address = reinterpret_cast<std::uintptr_t>(&request)});
}

// The end of the ring: nobody takes these, so an accepted connection is closed.
void IoRing::Kept::cancel_all() {
  const auto drop = [&] {
    for (const Done& one : collect()) {
      if (one.is_ok() && one.call == "accept") ::close(one.result);
    }
  };
  drop();
  for (const Request& request : all_requests) {
    while (is_under_way(request) && !has_room()) {
      hand_over();
      drop();
    }
    if (is_under_way(request)) cancel(request);
  }
  while (under_way != 0) {
    hand_over(1, IORING_ENTER_GETEVENTS, nullptr, 0);
    drop();
  }
}

Error IoRing::Done::error() const {
  return signalbox::detail::explained(code_of(-result), [&] {
    if (result == -ECANCELED) {
      return failure(ECANCELED, call, "do a request", Errc::interrupted, "It was cancelled.");
    }
    if (result == -EPIPE || result == -ECONNRESET) {
      return failure(-result, call, "do a request", Errc::closed, "The other end is gone.");
    }
    return failure(-result, call, "do a request");
  });
}

IoRing& IoRing::operator=(IoRing&& other) noexcept {
  IoRing old(std::move(*this));
  queues_ = std::move(other.queues_);
  return *this;
}

IoRing::~IoRing() {
  if (queues_ && kept().is_ours()) {
    kept().cancel_all();
  } else if (queues_) {
    // The pages were never in this process.
    kept().rings.address = kept().pages_of_entries.address = MAP_FAILED;
  }
}

IoRing::Kept& IoRing::kept() const noexcept { return static_cast<Kept&>(*queues_); }

Result<IoRing> IoRing::create(std::uint32_t requests_max) {
  return or_out_of_memory([&]() -> Result<IoRing> {
    if (requests_max == 0 || requests_max > requests_limit) {
      return std::unexpected(simple(
          Errc::bad_argument, "cannot create an io_uring for " + std::to_string(requests_max) +
                                  " requests: 1 to 32768 may be under way."));
    }
    auto made = std::make_unique<Kept>();
    if (auto opened = made->open(requests_max); !opened) {
      return std::unexpected(std::move(opened.error()));
    }
    IoRing ring;
    ring.queues_.reset(made.release());
    return ring;
  });
}

Result<void> IoRing::prepare_slowly(RingEntry what, std::string_view call, Key key) {
  Kept& all = kept();
  if (!all.is_ours()) return of_the_parent();
  if (all.here.free_request == nullptr) {
    return or_out_of_memory([&]() -> Result<void> {
      return std::unexpected(
          simple(Errc::limit_reached,
                 "cannot prepare a request: " + std::to_string(all.all_requests.size()) +
                     " are under way, which is requests_max; take completions."));
    });
  }
  // Cancellations have used up the room that the requests have.
  if (auto made = all.make_room(); !made) return made;
  return prepare(call, key, [&] { return what; });
}

Result<void> IoRing::accept(const Fd& listener, Key key) {
  return prepare("accept", key, [&] {
    return RingEntry{.operation = IORING_OP_ACCEPT,
                     .file = listener.get(),
                     .special = SOCK_CLOEXEC | SOCK_NONBLOCK};
  });
}

Result<void> IoRing::poll(const Fd& fd, Events events, Key key) {
  std::uint32_t asked = 0;
  if (any_of(events, Events::readable)) asked |= POLLIN;
  if (any_of(events, Events::writable)) asked |= POLLOUT;
  // The kernel reads two halves in the order of a little-endian word: io_uring_enter(2).
  if constexpr (std::endian::native == std::endian::big) asked = asked << 16 | asked >> 16;
  return prepare("poll", key, [&] {
    return RingEntry{.operation = IORING_OP_POLL_ADD, .file = fd.get(), .special = asked};
  });
}

Result<void> IoRing::timeout(Deadline at, Key key) {
  // Where there is none, prepare() says so.
  Request* const request = queues_->here.free_request;
  const auto* const until = request == nullptr ? nullptr : &request->until;
  auto prepared = prepare("timeout", key, [&] {
    return RingEntry{.operation = IORING_OP_TIMEOUT,
                     .file = -1,
                     .address = reinterpret_cast<std::uintptr_t>(until),
                     .bytes = 1,
                     .special = IORING_TIMEOUT_ABS};
  });
  if (!prepared) return prepared;
  const std::int64_t ns = std::max<std::int64_t>(0, at.monotonic_ns());
  request->until = {.seconds = ns / 1'000'000'000, .nanoseconds = ns % 1'000'000'000};
  return prepared;
}

Result<void> IoRing::cancel(Key key) {
  Kept& all = kept();
  if (!all.is_ours()) return of_the_parent();
  for (const Request& request : all.all_requests) {
    if (!all.is_under_way(request) || request.key != key) continue;
    if (auto made = all.make_room(); !made) return made;
    all.cancel(request);
  }
  return {};
}

Result<std::uint32_t> IoRing::submit() {
  if (!kept().is_ours()) return of_the_parent();
  return kept().submit();
}

Result<std::span<const IoRing::Done>> IoRing::take() {
  if (!kept().is_ours()) return of_the_parent();
  return queues_->collect();
}

Result<std::span<const IoRing::Done>> IoRing::wait_slowly(Deadline deadline, OnSignal on_signal) {
  for (;;) {
    const auto done = take();
    if (!done) return done;
    if (!done->empty()) {
      if (auto submitted = kept().submit(); !submitted) {
        return std::unexpected(std::move(submitted.error()));
      }
      return done;
    }
    __kernel_timespec rest{};
    io_uring_getevents_arg argument{};
    if (!deadline.is_never()) {
      const std::int64_t ns =
          std::max<std::int64_t>(0, deadline.monotonic_ns() - monotonic_now_ns());
      rest = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
      argument.ts = reinterpret_cast<std::uintptr_t>(&rest);
    }
    argument.sigmask_sz = 8;
    const long answer = kept().hand_over(1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
                                         &argument, sizeof(argument));
    if (answer == -ETIME || (answer >= 0 && deadline.passed())) return take();
    if (answer < 0 && !goes_on(answer, on_signal)) return not_waited(answer);
  }
}

Result<std::span<const IoRing::Done>> IoRing::wait_after(long refused, Deadline deadline,
                                                         OnSignal on_signal) {
  return goes_on(refused, on_signal) ? wait_slowly(deadline, on_signal) : not_waited(refused);
}

Waitable IoRing::waitable() const noexcept { return Waitable::descriptor(queues_->ring); }

}  // namespace signalbox::os
