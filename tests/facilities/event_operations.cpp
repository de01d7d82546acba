#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>

#include "attempt.hpp"
#include "joined.hpp"
#include "signalbox/os/event_fd.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/os/io_ring.hpp"
#include "signalbox/os/self_pipe.hpp"
#include "signalbox/os/signal_thread.hpp"
#include "signalbox/os/signals.hpp"
#include "signalbox/os/timer.hpp"

namespace facilities {

namespace {

using namespace std::chrono_literals;
using namespace signalbox::os;
using signalbox::Deadline;

EventFd event_fd(std::uint64_t count) {
  return EventFd::create(EventFd::Mode::counter, count).value();
}

std::vector<Operation> of_event_fd() {
  return {
      {"EventFdCreate",
       [](const Ground&) {
         return making<EventFd>([] { return EventFd::create(EventFd::Mode::semaphore, 1); },
                                [](EventFd& fd) { return unless(fd.try_take() == 1, "count"); });
       }},
      {"EventFdAdopt",
       [](const Ground&) {
         auto other = std::make_shared<EventFd>(event_fd(0));
         return making<EventFd>([other] { return EventFd::adopt(Fd(::dup(other->fd().get()))); });
       }},
      {"EventFdAdd",
       [](const Ground&) {
         return with<EventFd>(
             event_fd(0), [](EventFd& fd) { return fd.add(2); },
             [](EventFd& fd) { return unless(fd.try_take() == 2, "not added once"); });
       }},
      {"EventFdAddWaits",
       [](const Ground&) {
         return with<EventFd>(
             event_fd(EventFd::count_max),
             [](EventFd& fd) { return until_deadline(fd.add(1, Deadline::after(2ms))); },
             [](EventFd& fd) { return unless(fd.try_take() == EventFd::count_max, "count"); });
       }},
      {"EventFdTake",
       [](const Ground&) {
         return with<EventFd>(
             event_fd(3), [](EventFd& fd) { return done(fd.take(Deadline::after(2ms))); },
             [](EventFd& fd) { return unless(fd.try_take() == 0, "it is still there"); });
       }},
      {"EventFdTakeWaits",
       [](const Ground&) {
         return with<EventFd>(event_fd(0), [](EventFd& fd) {
           return until_deadline(fd.take(Deadline::after(2ms)));
         });
       }},
  };
}

std::vector<Operation> of_timer() {
  return {
      {"TimerOnce",
       [](const Ground&) {
         return making<Timer>(
             [] { return Timer::once(Deadline::after(1h)); },
             [](Timer& timer) { return unless(timer.remaining().has_value(), "it is not set"); });
       }},
      {"TimerEvery", [](const Ground&) { return making<Timer>([] { return Timer::every(1h); }); }},
      {"TimerAt",
       [](const Ground&) {
         return making<Timer>(
             [] { return Timer::at(std::chrono::system_clock::now() + 1h); },
             [](Timer& timer) { return unless(timer.remaining().has_value(), "it is not set"); });
       }},
      {"TimerSetOnce",
       [](const Ground&) {
         return with<Timer>(
             Timer::every(2h).value(),
             [](Timer& timer) { return timer.set_once(Deadline::immediate()); },
             [](Timer& timer) { return unless(timer.take() == 1, "it did not go off"); });
       }},
  };
}

std::vector<Operation> of_signals() {
  return {
      {"SelfPipeCreate",
       [](const Ground&) {
         return making<SelfPipe>([] { return SelfPipe::create(); },
                                 [](SelfPipe& pipe) {
                                   pipe.notify(9);
                                   return unless(pipe.take() == 9, "no note came");
                                 });
       }},
      {"SignalsBlock",
       [](const Ground&) {
         return making<Signals>([] { return Signals::block({SIGUSR2}); },
                                [](Signals& signals) {
                                  ::raise(SIGUSR2);
                                  return unless(signals.take().has_value(), "no signal came");
                                });
       }},
      {"SignalsTakeWaits",
       [](const Ground&) {
         return with<Signals>(Signals::block({SIGUSR2}).value(), [](Signals& signals) {
           return until_deadline(signals.take(Deadline::after(2ms)));
         });
       }},
      {"SignalsSend",
       [](const Ground&) {
         return with<Signals>(
             Signals::block({SIGUSR2}).value(),
             [](Signals&) { return send_signal(::getpid(), SIGUSR2); },
             [](Signals& signals) { return unless(signals.take().has_value(), "none came"); });
       }},
      {"SignalsQueue",
       [](const Ground&) {
         return with<Signals>(
             Signals::block({SIGRTMIN}).value(),
             [](Signals&) { return queue_signal(::getpid(), SIGRTMIN, 7); },
             [](Signals& signals) {
               const auto one = signals.take();
               return unless(one && one->value == 7 && !signals.take(), "not once, with its value");
             });
       }},
      {"SignalThreadStart",
       [](const Ground&) {
         return making<SignalThread>(
             [] { return SignalThread::start({SIGUSR2}, [](const Signal&) {}); });
       }},
  };
}

std::vector<Operation> of_futex() {
  return {
      {"FutexWaits",
       [](const Ground&) {
         return with<std::array<std::uint32_t, 2>>({0, 0}, [](auto& words) {
           return done(futex_wait({.address = &words[0], .expected = 0}, Deadline::after(2ms)));
         });
       }},
      {"FutexWaitsOnAny",
       [](const Ground&) {
         return with<std::array<std::uint32_t, 2>>({0, 0}, [](auto& words) {
           const std::array two{FutexWord{&words[0], 0}, FutexWord{&words[1], 0}};
           auto ended = futex_wait_any(two, Deadline::after(2ms));
           if (!ended && ended.error().code == Errc::not_supported) return Result<void>{};
           return done(std::move(ended));
         });
       }},
  };
}

Result<void> add_one_through(IoRing& ring, const EventFd& fd) {
  static const std::uint64_t one = 1;
  if (ring.in_flight() == 0) {
    auto asked = ring.write(fd.fd(), std::as_bytes(std::span(&one, 1)), IoRing::at_its_offset, 5);
    if (!asked) return asked;
  }
  for (const Deadline watchdog = Deadline::after(10s); !watchdog.passed();) {
    auto ended = ring.wait(watchdog);
    if (!ended) return done(std::move(ended));
    for (const IoRing::Done& request : *ended) {
      if (!request.is_ok()) return std::unexpected(request.error());
      return {};
    }
  }
  return std::unexpected(signalbox::Error{Errc::timed_out, 0, {}, "the request never ended"});
}

struct RingAndFd {
  IoRing ring = IoRing::create(4).value();
  EventFd fd = event_fd(0);
};

Result<void> ask_for_two(IoRing& ring, Deadline at) {
  auto first = ring.timeout(at, 7);
  return first ? ring.timeout(at, 7) : first;
}

Result<void> cancel_two(IoRing& ring) {
  if (ring.in_flight() == 0) {
    if (auto asked = ask_for_two(ring, Deadline::never()); !asked) return asked;
  }
  if (auto cancelled = ring.cancel(7); !cancelled) return cancelled;
  for (const Deadline watchdog = Deadline::after(10s); !watchdog.passed();) {
    if (ring.in_flight() == 0) return {};
    auto ended = ring.wait(watchdog);
    if (!ended) return done(std::move(ended));
  }
  return std::unexpected(signalbox::Error{Errc::timed_out, 0, {}, "they were never cancelled"});
}

// They end by themselves where nothing can be cancelled any more.
Result<void> end_with_two_under_way() {
  auto ring = IoRing::create(4);
  if (!ring) return std::unexpected(std::move(ring.error()));
  if (auto asked = ask_for_two(*ring, Deadline::after(2ms)); !asked) return asked;
  return done(ring->submit());
}

std::vector<Operation> of_io_ring() {
  // A sandbox may forbid it, and then there is nothing to refuse.
  if (!IoRing::create(1)) return {};
  return {
      {"IoRingCreate",
       [](const Ground&) { return making<IoRing>([] { return IoRing::create(8); }); }},
      {"IoRingWrite",
       [](const Ground&) {
         return with<RingAndFd>(
             RingAndFd(), [](RingAndFd& both) { return add_one_through(both.ring, both.fd); },
             [](RingAndFd& both) { return unless(both.fd.try_take() == 1, "not written once"); });
       }},
      {"IoRingCancel",
       [](const Ground&) { return with<IoRing>(IoRing::create(4).value(), cancel_two); }},
      {"IoRingEnds", [](const Ground&) { return Attempt{.act = end_with_two_under_way}; }},
      {"IoRingWaits",
       [](const Ground&) {
         return with<IoRing>(IoRing::create(4).value(),
                             [](IoRing& ring) { return done(ring.wait(Deadline::after(2ms))); });
       }},
  };
}

}  // namespace

std::vector<Operation> event_operations() {
  return joined<Operation>({of_event_fd(), of_timer(), of_signals(), of_futex(), of_io_ring()});
}

}  // namespace facilities
