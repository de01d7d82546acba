// What a descriptor tells: a number, a time, an end, a signal, a request that is done.
#include <fcntl.h>
#include <linux/io_uring.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <stdexcept>

#include "bench/wrapped_call.hpp"
#include "signalbox/os/event_fd.hpp"
#include "signalbox/os/io_ring.hpp"
#include "signalbox/os/pidfd.hpp"
#include "signalbox/os/signals.hpp"
#include "signalbox/os/timer.hpp"

namespace bench {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;

auto our_eventfd() {
  return [event = must(EventFd::create(EventFd::Mode::counter))] {
    must(event.add(1).has_value());
    const auto count = event.take(Deadline::never());
    must(count.has_value());
    use(*count);
  };
}

auto bare_eventfd() {
  return [event = opened(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))] {
    std::uint64_t count = 1;
    must(::write(event, &count, sizeof(count)) == sizeof(count));
    must(::read(event, &count, sizeof(count)) == sizeof(count));
    use(count);
  };
}

// Far off, so that it never goes off.
constexpr std::int64_t far_ns = 4'000'000'000'000'000'000;

auto our_timer() {
  return [timer = must(Timer::once(Deadline::never()))]() mutable {
    must(timer.set_once(Deadline::at_ns(far_ns)).has_value());
    use(timer.take());
  };
}

auto bare_timer() {
  return [timer = opened(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK))] {
    itimerspec when{};
    when.it_value.tv_sec = far_ns / 1'000'000'000;
    must(::timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, nullptr) == 0);
    std::uint64_t times = 0;
    if (::read(timer, &times, sizeof(times)) != sizeof(times)) times = 0;
    use(times);
  };
}

auto our_pidfd() {
  return [process = must(Pidfd::open(static_cast<std::uint32_t>(::getpid())))] {
    must(process.send_signal(0).has_value());
  };
}

auto bare_pidfd() {
  return [process = opened(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)))] {
    must(::syscall(SYS_pidfd_send_signal, process, 0, nullptr, 0) == 0);
  };
}

// Blocked, sent to oneself and taken.
auto our_signals() {
  return [signals = must(Signals::block({SIGUSR1})), self = ::getpid()]() mutable {
    must(send_signal(self, SIGUSR1).has_value());
    const auto signal = signals.take();
    must(signal.has_value());
    use(signal->number);
    use(signal->pid);
  };
}

auto bare_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  return [signals = opened(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)), self = ::getpid()] {
    must(::kill(self, SIGUSR1) == 0);
    signalfd_siginfo info;
    must(::read(signals, &info, sizeof(info)) == sizeof(info));
    use(info.ssi_signo);
    use(info.ssi_pid);
  };
}

// Nothing is written anywhere: what is counted is the way to the kernel and back.
int nowhere() { return opened(::open("/dev/null", O_WRONLY | O_CLOEXEC)); }

auto our_ring() {
  return [ring = must(IoRing::create(8)), to = Fd(nowhere()), room = Room{}]() mutable {
    must(ring.write(to, room.bytes, 0, 7).has_value());
    const auto done = ring.wait(Deadline::never());
    must(done.has_value() && done->size() == 1);
    use(done->front().key());
    use(done->front().result());
  };
}

// The smallest ring there can be: one request at a time, no room to be managed, no check.
class BareRing {
 public:
  BareRing() {
    io_uring_params params{};
    ring_ = opened(static_cast<int>(::syscall(SYS_io_uring_setup, 8, &params)));
    rings_ = static_cast<char*>(
        map(params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe), IORING_OFF_SQ_RING));
    entries_ =
        static_cast<io_uring_sqe*>(map(params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
    submit_tail_ = word(params.sq_off.tail);
    submit_order_ = word(params.sq_off.array);
    submit_mask_ = *word(params.sq_off.ring_mask);
    done_head_ = word(params.cq_off.head);
    done_tail_ = word(params.cq_off.tail);
    done_mask_ = *word(params.cq_off.ring_mask);
    done_ = reinterpret_cast<io_uring_cqe*>(rings_ + params.cq_off.cqes);
  }
  void operator()() {
    const std::uint32_t tail = *submit_tail_;
    io_uring_sqe& entry = entries_[tail & submit_mask_];
    entry = {};
    entry.opcode = IORING_OP_WRITE;
    entry.fd = to_;
    entry.addr = reinterpret_cast<std::uintptr_t>(room_.bytes);
    entry.len = sizeof(room_.bytes);
    entry.user_data = 7;
    submit_order_[tail & submit_mask_] = tail & submit_mask_;
    std::atomic_ref(*submit_tail_).store(tail + 1);
    must(::syscall(SYS_io_uring_enter, ring_, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0) == 1);
    const std::uint32_t head = *done_head_;
    must(std::atomic_ref(*done_tail_).load() != head);
    use(done_[head & done_mask_].user_data);
    use(done_[head & done_mask_].res);
    std::atomic_ref(*done_head_).store(head + 1);
  }

 private:
  void* map(std::size_t bytes, off_t which) const {
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring_, which);
    if (at == MAP_FAILED) throw std::runtime_error("cannot map an io_uring");
    return at;
  }
  std::uint32_t* word(std::uint32_t offset) const {
    return reinterpret_cast<std::uint32_t*>(rings_ + offset);
  }
  int ring_ = -1;
  int to_ = nowhere();
  Room room_;
  char* rings_;
  io_uring_sqe* entries_;
  std::uint32_t *submit_tail_, *submit_order_, *done_head_, *done_tail_;
  std::uint32_t submit_mask_, done_mask_;
  io_uring_cqe* done_;
};

}  // namespace

std::vector<WrappedCall> event_calls() {
  return {
      {"eventfd", "write, read", many_of(our_eventfd), many_of(bare_eventfd)},
      {"timerfd", "timerfd_settime, read", many_of(our_timer), many_of(bare_timer)},
      {"pidfd", "pidfd_send_signal", many_of(our_pidfd), many_of(bare_pidfd)},
      {"signalfd", "kill, read", many_of(our_signals), many_of(bare_signals)},
      {"io_uring", "a bare ring, by hand", many_of(our_ring), many_of([] { return BareRing(); })},
  };
}

}  // namespace bench
