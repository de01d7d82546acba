// Spoken to the kernel directly, and not through liburing: it is three system calls and two rings,
// and the library builds for machines (arm64, 32 bits) that its package is not installed for.
#include "signalbox/os/io_ring.hpp"

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "os/failure.hpp"
#include "os/file.hpp"
#include "os/monotonic.hpp"
#include "os/process.hpp"

namespace signalbox::os {

namespace {

using signalbox::detail::or_out_of_memory;

Error setup_failure(int refused, std::string_view call) {
  std::string tried = "create an io_uring";
  if (refused == ENOSYS || refused == EINVAL || refused == EPERM || refused == EACCES) {
    const std::string setting = read_small_file("/proc/sys/kernel/io_uring_disabled");
    return failure(refused, call, std::move(tried), Errc::not_supported,
                   (setting.empty() || setting == "0"
                        ? "The kernel is too old (Linux 6.0 is needed), or a sandbox (seccomp, a "
                          "container's profile) forbids it"
                        : "/proc/sys/kernel/io_uring_disabled is " + setting) +
                       ": use os/file.hpp's ways or a WaitSet instead.");
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

std::unexpected<Error> key_too_large(IoRing::Key key) {
  return std::unexpected(
      simple(Errc::bad_argument,
             "cannot take " + std::to_string(key) +
                 " for the key of a request: only its lower 56 bits may be set. A pointer has "
                 "others where it is tagged."));
}

std::unexpected<Error> of_the_parent() {
  return std::unexpected(
      simple(Errc::wrong_process, "the io_uring belongs to the parent of a fork"));
}

// After io_uring_enter(2) has answered this: shall the wait go on? EBUSY, of completions that their
// ring has no room for, is none that comes here.
bool goes_on(long answer, OnSignal on_signal) noexcept {
  return answer >= 0 || (answer == -EINTR && on_signal == OnSignal::go_on) || answer == -EAGAIN;
}

Result<std::span<const IoRing::Done>> not_waited(long refused) {
  return or_out_of_memory([&]() -> Result<std::span<const IoRing::Done>> {
    return std::unexpected(
        failure(static_cast<int>(-refused), "io_uring_enter", "wait for requests to end"));
  });
}

// All kinds of requests there are, by their operations: a completion has its own in its key.
struct Kind {
  std::uint8_t operation;
  std::string_view call;
};
constexpr Kind kinds[] = {
    {IORING_OP_READ, "read"},       {IORING_OP_WRITE, "write"}, {IORING_OP_ACCEPT, "accept"},
    {IORING_OP_SEND, "send"},       {IORING_OP_RECV, "recv"},   {IORING_OP_POLL_ADD, "poll"},
    {IORING_OP_TIMEOUT, "timeout"},
};

using kernel::RingEntry;
static_assert(sizeof(kernel::RingPlace) == sizeof(io_uring_sqe) &&
              offsetof(RingEntry, file) == offsetof(io_uring_sqe, fd) &&
              offsetof(RingEntry, offset) == offsetof(io_uring_sqe, off) &&
              offsetof(RingEntry, address) == offsetof(io_uring_sqe, addr) &&
              offsetof(RingEntry, bytes) == offsetof(io_uring_sqe, len) &&
              offsetof(RingEntry, special) == offsetof(io_uring_sqe, msg_flags) &&
              offsetof(RingEntry, request) == offsetof(io_uring_sqe, user_data));
static_assert(kernel::ring_timeout == IORING_OP_TIMEOUT && kernel::ring_read == IORING_OP_READ &&
              kernel::ring_write == IORING_OP_WRITE && kernel::ring_send == IORING_OP_SEND &&
              kernel::ring_receive == IORING_OP_RECV && MSG_NOSIGNAL == 0x4000 && ETIME == 62 &&
              IORING_ENTER_GETEVENTS == 1);

}  // namespace

struct IoRing::Kept : Queues {
  const unsigned generation = fork_generation();
  const ZeroedInChild nothing_in_child{here};
  Fd fd;
  RingPages rings;
  RingPages pages_of_places;
  std::vector<__kernel_timespec> times;  // of each place, for the kernel to read as it takes it

  static_assert(sizeof(Done) == sizeof(io_uring_cqe) &&
                offsetof(Done, key_and_operation_) == offsetof(io_uring_cqe, user_data) &&
                offsetof(Done, result_) == offsetof(io_uring_cqe, res) &&
                offsetof(Done, flags_) == offsetof(io_uring_cqe, flags));
  bool is_ours() const noexcept { return generation == fork_generation(); }
  Result<void> open(std::uint32_t requests_max);
  // As enter(), with an argument, and what was taken is no longer prepared. A negated errno.
  long hand_over(std::uint32_t wanted, unsigned flags, const void* argument, std::size_t bytes);
  Result<std::uint32_t> submit();
  bool has_ended() const noexcept { return done_tail() != here.done_head; }
  // Hands over, and sleeps until something has ended or may have. A negated errno: ETIME at the
  // deadline.
  long sleep(Deadline deadline);
  // Cancels those of them that have not ended. A negated errno, or no less than 0.
  long cancel(std::uint64_t request, unsigned which) const noexcept;
  void cancel_all();
};

void IoRing::Deleter::operator()(Queues* queues) const noexcept {
  delete static_cast<Kept*>(queues);
}

Result<void> IoRing::Kept::open(std::uint32_t requests_max) {
  // There will be room for all requests, and for twice as many completions: collect() needs that.
  io_uring_params params{};
  fd = Fd(static_cast<int>(::syscall(SYS_io_uring_setup, requests_max, &params)));
  if (!fd.is_open()) return std::unexpected(setup_failure(errno, "io_uring_setup"));
  ring = fd.get();
  constexpr auto needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_EXT_ARG | IORING_FEAT_SUBMIT_STABLE;
  if ((params.features & needed) != needed) {
    return std::unexpected(setup_failure(ENOSYS, "io_uring_setup"));
  }
  // Without this the ring could not be ended. Linux 6.0 can.
  if (const long refused = cancel(0, IORING_ASYNC_CANCEL_ANY); refused < 0) {
    return std::unexpected(setup_failure(static_cast<int>(-refused), "io_uring_register"));
  }
  const std::size_t bytes =
      std::max(params.sq_off.array + params.sq_entries * sizeof(std::uint32_t),
               params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe));
  if (!rings.map(fd, bytes, IORING_OFF_SQ_RING) ||
      !pages_of_places.map(fd, params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES)) {
    return std::unexpected(failure(errno, "mmap", "map the rings of an io_uring"));
  }
  // A child that has these pages could only disturb its parent.
  ::madvise(rings.address, rings.bytes, MADV_DONTFORK);
  ::madvise(pages_of_places.address, pages_of_places.bytes, MADV_DONTFORK);
  places = static_cast<kernel::RingPlace*>(pages_of_places.address);
  submit_tail_shown = rings.word(params.sq_off.tail);
  // Each entry has its place for good.
  std::uint32_t* const order = rings.word(params.sq_off.array);
  for (std::uint32_t i = 0; i < params.sq_entries; ++i) order[i] = i;
  submit_mask = *rings.word(params.sq_off.ring_mask);
  done_head_shown = rings.word(params.cq_off.head);
  done_tail_shown = rings.word(params.cq_off.tail);
  done_room = params.cq_entries;
  completions = reinterpret_cast<const Done*>(rings.word(params.cq_off.cqes));
  times.resize(params.sq_entries);
  here.submit_end = requests_max;
  return {};
}

long IoRing::Kept::hand_over(std::uint32_t wanted, unsigned flags, const void* argument,
                             std::size_t bytes) {
  show_submitted();
  const long taken =
      ::syscall(SYS_io_uring_enter, ring, prepared(), wanted, flags, argument, bytes);
  if (taken < 0) return -errno;
  here.handed_over += static_cast<std::uint32_t>(taken);
  return taken;
}

Result<std::uint32_t> IoRing::Kept::submit() {
  std::uint32_t count = 0;
  while (prepared() != 0) {
    const long taken = hand_over(0, 0, nullptr, 0);
    if (taken == -EINTR) continue;
    if (taken == 0) break;
    if (taken > 0) {
      count += static_cast<std::uint32_t>(taken);
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
  return count;
}

long IoRing::Kept::sleep(Deadline deadline) {
  __kernel_timespec rest{};
  io_uring_getevents_arg argument{};
  if (!deadline.is_never()) {
    const std::int64_t ns = remaining_ns(deadline);
    rest = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    argument.ts = reinterpret_cast<std::uintptr_t>(&rest);
  }
  argument.sigmask_sz = 8;
  const std::uint32_t asked = prepared();
  const long taken =
      hand_over(1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument, sizeof(argument));
  // Having taken something, the kernel tells that and not what has ended the sleep.
  if (taken == static_cast<long>(asked) && !has_ended()) {
    return deadline.passed() ? -ETIME : -EINTR;
  }
  return taken;
}

long IoRing::Kept::cancel(std::uint64_t request, unsigned which) const noexcept {
  io_uring_sync_cancel_reg wanted{};
  wanted.addr = request;
  wanted.flags = IORING_ASYNC_CANCEL_ALL | which;
  const long answer =
      ::syscall(SYS_io_uring_register, ring, IORING_REGISTER_SYNC_CANCEL, &wanted, 1);
  return answer < 0 ? -errno : answer;
}

// The end of the ring: nobody takes these, so an accepted connection is closed.
void IoRing::Kept::cancel_all() {
  here.submit_tail = here.handed_over;  // the others have never begun
  while (in_flight() != 0) {
    for (const Done& one : collect(done_tail())) {
      if (one.is_ok() && one.operation() == IORING_OP_ACCEPT) ::close(one.result());
    }
    if (in_flight() == 0 || has_ended()) continue;
    // The kernel may miss one that is just changing hands between it and a worker of its own, so
    // the others are not waited for without an end.
    constexpr std::chrono::milliseconds again{10};
    cancel(0, IORING_ASYNC_CANCEL_ANY);
    sleep(Deadline::after(again));
  }
}

std::string_view IoRing::Done::call() const noexcept {
  const auto* const kind = std::ranges::find(kinds, operation(), &Kind::operation);
  return kind == std::end(kinds) ? std::string_view() : kind->call;
}

Error IoRing::Done::error() const {
  return signalbox::detail::explained(code_of(-result_), [&] {
    if (result_ == -ECANCELED) {
      return failure(ECANCELED, call(), "do a request", Errc::interrupted, "It was cancelled.");
    }
    if (result_ == -EPIPE || result_ == -ECONNRESET) {
      return failure(-result_, call(), "do a request", Errc::closed, "The other end is gone.");
    }
    return failure(-result_, call(), "do a request");
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
    kept().rings.address = kept().pages_of_places.address = MAP_FAILED;
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

Result<void> IoRing::not_prepared(Key key) const {
  if (!kept().is_ours()) return of_the_parent();
  return or_out_of_memory([&]() -> Result<void> {
    if (key > key_max) return key_too_large(key);
    return std::unexpected(simple(
        Errc::limit_reached, "cannot prepare a request: " + std::to_string(queues_->in_flight()) +
                                 " are under way, which is requests_max; take completions."));
  });
}

Result<void> IoRing::accept(const Fd& listener, Key key) {
  return prepare(key, [&] {
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
  return prepare(key, [&] {
    return RingEntry{.operation = IORING_OP_POLL_ADD, .file = fd.get(), .special = asked};
  });
}

Result<void> IoRing::timeout(Deadline at, Key key) {
  Kept& all = kept();
  __kernel_timespec& until = all.times[all.here.submit_tail & all.submit_mask];
  auto prepared = prepare(key, [&] {
    return RingEntry{.operation = IORING_OP_TIMEOUT,
                     .file = -1,
                     .address = reinterpret_cast<std::uintptr_t>(&until),
                     .bytes = 1,
                     .special = IORING_TIMEOUT_ABS};
  });
  if (!prepared) return prepared;
  const std::int64_t ns = std::max<std::int64_t>(0, at.monotonic_ns());
  until = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
  return prepared;
}

Result<std::uint32_t> IoRing::submit() {
  if (!kept().is_ours()) return of_the_parent();
  return kept().submit();
}

Result<void> IoRing::cancel(Key key) {
  if (!kept().is_ours()) return of_the_parent();
  if (key > key_max) return or_out_of_memory([&]() -> Result<void> { return key_too_large(key); });
  if (auto handed = kept().submit(); !handed) return std::unexpected(std::move(handed.error()));
  for (const Kind& kind : kinds) {
    const long refused = kept().cancel(tagged(key, kind.operation), 0);
    if (refused >= 0) continue;
    return or_out_of_memory([&]() -> Result<void> {
      return std::unexpected(
          failure(static_cast<int>(-refused), "io_uring_register", "cancel requests"));
    });
  }
  return {};
}

Result<std::span<const IoRing::Done>> IoRing::take() {
  if (!kept().is_ours()) return of_the_parent();
  return queues_->collect(queues_->done_tail());
}

Result<std::span<const IoRing::Done>> IoRing::wait_slowly(Deadline deadline, OnSignal on_signal) {
  for (;;) {
    const auto done = take();
    if (!done) return done;
    if (!done->empty()) {
      // What has ended is not lost over a refusal: it comes again when nothing has.
      static_cast<void>(kept().submit());
      return done;
    }
    const long answer = kept().sleep(deadline);
    if (answer == -ETIME) return take();
    if (!goes_on(answer, on_signal)) return not_waited(answer);
    if (answer < 0 && deadline.passed()) return take();
  }
}

Result<std::span<const IoRing::Done>> IoRing::wait_after(long answer, Deadline deadline,
                                                         OnSignal on_signal) {
  if (answer > 0) queues_->here.handed_over += static_cast<std::uint32_t>(answer);
  return goes_on(answer, on_signal) ? wait_slowly(deadline, on_signal) : not_waited(answer);
}

Waitable IoRing::waitable() const noexcept { return Waitable::descriptor(queues_->ring); }

}  // namespace signalbox::os
