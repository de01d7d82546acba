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

// What a request's completion says who it was. Cancellations have none of their own.
constexpr std::uint64_t no_request = UINT64_MAX;
constexpr std::uint32_t no_slot = UINT32_MAX;

struct Request {
  IoRing::Key key = 0;
  std::uint8_t operation = 0;
  bool is_under_way = false;
  std::uint32_t next_free = no_slot;
  __kernel_timespec until{};  // the kernel reads it when the request is handed over
};

std::string_view name_of(std::uint8_t operation) noexcept {
  switch (operation) {
    case IORING_OP_READ:
      return "read";
    case IORING_OP_WRITE:
      return "write";
    case IORING_OP_ACCEPT:
      return "accept";
    case IORING_OP_SEND:
      return "send";
    case IORING_OP_RECV:
      return "recv";
    case IORING_OP_POLL_ADD:
      return "poll";
    default:
      return "timeout";
  }
}

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

std::uint32_t load(std::uint32_t* word) noexcept { return std::atomic_ref(*word).load(); }
void store(std::uint32_t* word, std::uint32_t value) noexcept {
  std::atomic_ref(*word).store(value);
}

}  // namespace

struct IoRing::Queues {
  Fd fd;
  unsigned generation = fork_generation();
  RingPages rings;
  RingPages entries;
  std::uint32_t* submit_head = nullptr;
  std::uint32_t* submit_tail = nullptr;
  std::uint32_t* submit_order = nullptr;
  std::uint32_t submit_mask = 0;
  std::uint32_t* done_head = nullptr;
  std::uint32_t* done_tail = nullptr;
  io_uring_cqe* completions = nullptr;
  std::uint32_t done_mask = 0;
  std::vector<Request> requests;
  std::uint32_t free_request = 0;
  std::uint32_t under_way = 0;
  std::uint32_t prepared = 0;  // and not handed over
  std::vector<Done> done;

  bool is_ours() const noexcept { return generation == fork_generation(); }
  Result<void> open(std::uint32_t requests_max);
  // A cleared entry that goes to the kernel with the next submission; null: no room.
  io_uring_sqe* next_entry();
  Result<io_uring_sqe*> begin(std::uint8_t operation, int file, Key key);
  long enter(std::uint32_t wanted, unsigned flags, const void* argument, std::size_t bytes);
  Result<std::uint32_t> submit();
  void collect();
  void cancel_all();
};

Result<void> IoRing::Queues::open(std::uint32_t requests_max) {
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
      !entries.map(fd, params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES)) {
    return std::unexpected(failure(errno, "mmap", "map the rings of an io_uring"));
  }
  // A child that has these pages could only disturb its parent.
  ::madvise(rings.address, rings.bytes, MADV_DONTFORK);
  ::madvise(entries.address, entries.bytes, MADV_DONTFORK);
  submit_head = rings.word(params.sq_off.head);
  submit_tail = rings.word(params.sq_off.tail);
  submit_order = rings.word(params.sq_off.array);
  submit_mask = *rings.word(params.sq_off.ring_mask);
  done_head = rings.word(params.cq_off.head);
  done_tail = rings.word(params.cq_off.tail);
  done_mask = *rings.word(params.cq_off.ring_mask);
  completions = reinterpret_cast<io_uring_cqe*>(rings.word(params.cq_off.cqes));
  requests.resize(requests_max);
  for (std::uint32_t i = 0; i + 1 < requests_max; ++i) requests[i].next_free = i + 1;
  done.reserve(requests_max);
  return {};
}

io_uring_sqe* IoRing::Queues::next_entry() {
  const std::uint32_t tail = *submit_tail;  // only this side writes it
  if (tail - load(submit_head) > submit_mask) return nullptr;
  const std::uint32_t at = tail & submit_mask;
  auto* const entry = static_cast<io_uring_sqe*>(entries.address) + at;
  std::memset(entry, 0, sizeof(*entry));
  submit_order[at] = at;
  // Only enter() makes the kernel look, so the entry may be filled in after this.
  store(submit_tail, tail + 1);
  ++prepared;
  return entry;
}

Result<io_uring_sqe*> IoRing::Queues::begin(std::uint8_t operation, int file, Key key) {
  if (!is_ours()) {
    return std::unexpected(
        simple(Errc::wrong_process, "the io_uring belongs to the parent of a fork"));
  }
  if (free_request == no_slot) {
    return or_out_of_memory([&]() -> Result<io_uring_sqe*> {
      return std::unexpected(simple(
          Errc::limit_reached, "cannot prepare a request: " + std::to_string(requests.size()) +
                                   " are under way, which is requests_max; take completions."));
    });
  }
  io_uring_sqe* entry = next_entry();
  if (entry == nullptr) {
    // Cancellations have used up the room that the requests have.
    if (auto submitted = submit(); !submitted) {
      return std::unexpected(std::move(submitted.error()));
    }
    entry = next_entry();
    if (entry == nullptr) return std::unexpected(simple(Errc::would_block, "the ring is full"));
  }
  const std::uint32_t slot = free_request;
  Request& request = requests[slot];
  free_request = request.next_free;
  request = {.key = key, .operation = operation, .is_under_way = true};
  ++under_way;
  entry->opcode = operation;
  entry->fd = file;
  entry->user_data = slot;
  return entry;
}

long IoRing::Queues::enter(std::uint32_t wanted, unsigned flags, const void* argument,
                           std::size_t bytes) {
  const long taken =
      ::syscall(SYS_io_uring_enter, fd.get(), prepared, wanted, flags, argument, bytes);
  if (taken > 0) prepared -= std::min(prepared, static_cast<std::uint32_t>(taken));
  return taken;
}

Result<std::uint32_t> IoRing::Queues::submit() {
  std::uint32_t handed_over = 0;
  while (prepared != 0) {
    const long taken = retried([&] { return enter(0, 0, nullptr, 0); });
    if (taken >= 0) {
      handed_over += static_cast<std::uint32_t>(taken);
      if (taken == 0) break;
      continue;
    }
    const int refused = errno;
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

// Never more than there is room for: each completion frees the request that it belongs to.
void IoRing::Queues::collect() {
  done.clear();
  std::uint32_t head = *done_head;  // only this side writes it
  const std::uint32_t tail = load(done_tail);
  for (; head != tail; ++head) {
    const io_uring_cqe& completion = completions[head & done_mask];
    if (completion.user_data == no_request) continue;
    const auto slot = static_cast<std::uint32_t>(completion.user_data);
    Request& request = requests[slot];
    const bool is_over = request.operation == IORING_OP_TIMEOUT && completion.res == -ETIME;
    done.push_back({request.key, is_over ? 0 : completion.res, name_of(request.operation)});
    request.is_under_way = false;
    request.next_free = free_request;
    free_request = slot;
    --under_way;
  }
  store(done_head, head);
}

// The end of the ring: nobody takes these, so an accepted connection is closed.
void IoRing::Queues::cancel_all() {
  const auto drop = [&] {
    collect();
    for (const Done& one : done) {
      if (one.is_ok() && one.call == "accept") ::close(one.result);
    }
  };
  drop();
  for (std::uint32_t slot = 0; slot < requests.size(); ++slot) {
    if (!requests[slot].is_under_way) continue;
    io_uring_sqe* entry = next_entry();
    while (entry == nullptr) {
      enter(0, 0, nullptr, 0);
      drop();
      entry = next_entry();
    }
    entry->opcode = IORING_OP_ASYNC_CANCEL;
    entry->fd = -1;
    entry->addr = slot;
    entry->user_data = no_request;
  }
  while (under_way != 0) {
    enter(1, IORING_ENTER_GETEVENTS, nullptr, 0);
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

IoRing::IoRing(std::unique_ptr<Queues> queues) noexcept : queues_(std::move(queues)) {}
IoRing::IoRing(IoRing&&) noexcept = default;
IoRing& IoRing::operator=(IoRing&& other) noexcept {
  IoRing old(std::move(*this));
  queues_ = std::move(other.queues_);
  return *this;
}

IoRing::~IoRing() {
  if (queues_ && queues_->is_ours()) {
    queues_->cancel_all();
  } else if (queues_) {
    // The pages were never in this process.
    queues_->rings.address = queues_->entries.address = MAP_FAILED;
  }
}

Result<IoRing> IoRing::create(std::uint32_t requests_max) {
  return or_out_of_memory([&]() -> Result<IoRing> {
    if (requests_max == 0 || requests_max > requests_limit) {
      return std::unexpected(simple(
          Errc::bad_argument, "cannot create an io_uring for " + std::to_string(requests_max) +
                                  " requests: 1 to 32768 may be under way."));
    }
    auto queues = std::make_unique<Queues>();
    if (auto opened = queues->open(requests_max); !opened) {
      return std::unexpected(std::move(opened.error()));
    }
    return IoRing(std::move(queues));
  });
}

namespace {

std::uint32_t length_of(std::size_t bytes) noexcept {
  return static_cast<std::uint32_t>(std::min<std::size_t>(bytes, 0x7ffff000));  // as read(2)
}

void set_buffer(io_uring_sqe& entry, const void* data, std::size_t bytes) noexcept {
  entry.addr = reinterpret_cast<std::uintptr_t>(data);
  entry.len = length_of(bytes);
}

template <class Fill>
Result<void> filled(Result<io_uring_sqe*> entry, Fill fill) {
  if (!entry) return std::unexpected(std::move(entry.error()));
  fill(**entry);
  return {};
}

}  // namespace

Result<void> IoRing::read(const Fd& file, std::span<std::byte> into, std::uint64_t offset,
                          Key key) {
  return filled(queues_->begin(IORING_OP_READ, file.get(), key), [&](io_uring_sqe& entry) {
    set_buffer(entry, into.data(), into.size());
    entry.off = offset;
  });
}

Result<void> IoRing::write(const Fd& file, std::span<const std::byte> from, std::uint64_t offset,
                           Key key) {
  return filled(queues_->begin(IORING_OP_WRITE, file.get(), key), [&](io_uring_sqe& entry) {
    set_buffer(entry, from.data(), from.size());
    entry.off = offset;
  });
}

Result<void> IoRing::accept(const Fd& listener, Key key) {
  return filled(queues_->begin(IORING_OP_ACCEPT, listener.get(), key),
                [](io_uring_sqe& entry) { entry.accept_flags = SOCK_CLOEXEC | SOCK_NONBLOCK; });
}

Result<void> IoRing::send(const Fd& socket, std::span<const std::byte> from, Key key) {
  return filled(queues_->begin(IORING_OP_SEND, socket.get(), key), [&](io_uring_sqe& entry) {
    set_buffer(entry, from.data(), from.size());
    entry.msg_flags = MSG_NOSIGNAL;
  });
}

Result<void> IoRing::receive(const Fd& socket, std::span<std::byte> into, Key key) {
  return filled(queues_->begin(IORING_OP_RECV, socket.get(), key),
                [&](io_uring_sqe& entry) { set_buffer(entry, into.data(), into.size()); });
}

Result<void> IoRing::poll(const Fd& fd, Events events, Key key) {
  return filled(queues_->begin(IORING_OP_POLL_ADD, fd.get(), key), [&](io_uring_sqe& entry) {
    std::uint32_t asked = 0;
    if (any_of(events, Events::readable)) asked |= POLLIN;
    if (any_of(events, Events::writable)) asked |= POLLOUT;
    // The kernel reads two halves in the order of a little-endian word: io_uring_enter(2).
    if constexpr (std::endian::native == std::endian::big) asked = asked << 16 | asked >> 16;
    entry.poll32_events = asked;
  });
}

Result<void> IoRing::timeout(Deadline at, Key key) {
  return filled(queues_->begin(IORING_OP_TIMEOUT, -1, key), [&](io_uring_sqe& entry) {
    const std::int64_t ns = std::max<std::int64_t>(0, at.monotonic_ns());
    __kernel_timespec& until = queues_->requests[entry.user_data].until;
    until = {.tv_sec = ns / 1'000'000'000, .tv_nsec = ns % 1'000'000'000};
    entry.addr = reinterpret_cast<std::uintptr_t>(&until);
    entry.len = 1;
    entry.timeout_flags = IORING_TIMEOUT_ABS;
  });
}

Result<void> IoRing::cancel(Key key) {
  Queues& queues = *queues_;
  if (!queues.is_ours()) {
    return std::unexpected(
        simple(Errc::wrong_process, "the io_uring belongs to the parent of a fork"));
  }
  for (std::uint32_t slot = 0; slot < queues.requests.size(); ++slot) {
    if (!queues.requests[slot].is_under_way || queues.requests[slot].key != key) continue;
    io_uring_sqe* entry = queues.next_entry();
    if (entry == nullptr) {
      if (auto submitted = queues.submit(); !submitted) {
        return std::unexpected(std::move(submitted.error()));
      }
      entry = queues.next_entry();
      if (entry == nullptr) return std::unexpected(simple(Errc::would_block, "the ring is full"));
    }
    entry->opcode = IORING_OP_ASYNC_CANCEL;
    entry->fd = -1;
    entry->addr = slot;
    entry->user_data = no_request;
  }
  return {};
}

Result<std::uint32_t> IoRing::submit() {
  if (!queues_->is_ours()) {
    return std::unexpected(
        simple(Errc::wrong_process, "the io_uring belongs to the parent of a fork"));
  }
  return queues_->submit();
}

Result<std::span<const IoRing::Done>> IoRing::take() {
  if (!queues_->is_ours()) {
    return std::unexpected(
        simple(Errc::wrong_process, "the io_uring belongs to the parent of a fork"));
  }
  queues_->collect();
  return std::span<const Done>(queues_->done);
}

Result<std::span<const IoRing::Done>> IoRing::wait(Deadline deadline, OnSignal on_signal) {
  for (;;) {
    const auto done = take();
    if (!done) return done;
    if (!done->empty() && queues_->prepared == 0) return done;
    if (!done->empty()) {
      if (auto submitted = submit(); !submitted) {
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
    const long answer = queues_->enter(1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument,
                                       sizeof(argument));
    const int refused = answer < 0 ? errno : 0;
    if (refused == ETIME || (refused == 0 && deadline.passed())) return take();
    if (refused == 0 || (refused == EINTR && on_signal == OnSignal::go_on)) continue;
    if (refused == EBUSY || refused == EAGAIN) continue;
    return or_out_of_memory([&]() -> Result<std::span<const Done>> {
      return std::unexpected(failure(refused, "io_uring_enter", "wait for requests to end"));
    });
  }
}

std::uint32_t IoRing::in_flight() const noexcept { return queues_->under_way; }

Waitable IoRing::waitable() const noexcept { return Waitable::descriptor(queues_->fd.get()); }

}  // namespace signalbox::os
