#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "signalbox/os/event_fd.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/os/io_ring.hpp"
#include "signalbox/os/signals.hpp"
#include "waits.hpp"

namespace facilities {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;
using signalbox::Errc;
using signalbox::Result;

std::shared_ptr<EventFd> event_fd(std::uint64_t count) {
  return std::make_shared<EventFd>(EventFd::create(EventFd::Mode::counter, count).value());
}

Waiting taking(const Ground&) {
  auto fd = event_fd(0);
  return {[fd](Deadline until, OnSignal how) { return done(fd->take(until, how)); },
          [fd] { static_cast<void>(fd->add(1)); },
          {}};
}

Waiting adding(const Ground&) {
  auto fd = event_fd(EventFd::count_max);
  return {[fd](Deadline until, OnSignal how) { return fd->add(1, until, how); },
          [fd] { static_cast<void>(fd->try_take()); },
          [fd] {
            const bool is = fd->try_take() == EventFd::count_max;
            static_cast<void>(fd->add(EventFd::count_max));
            return is;
          }};
}

Waiting taking_a_signal(const Ground&) {
  auto signals = std::make_shared<Signals>(Signals::block({SIGUSR2}).value());
  return {[signals](Deadline until, OnSignal how) { return done(signals->take(until, how)); },
          [] { ::kill(::getpid(), SIGUSR2); },
          {}};
}

Result<void> answer_of(const FutexEnd& end) {
  if (end.how == FutexWake::timed_out) return passed_the_deadline();
  if (end.how == FutexWake::interrupted) {
    return std::unexpected(signalbox::Error{Errc::interrupted, EINTR, "futex", "interrupted"});
  }
  return {};
}

using Words = std::array<std::atomic<std::uint32_t>, 2>;

// A sleep may end for no reason: then the word tells that there is nothing.
template <class Sleep>
Waiting sleeping_on_words(Sleep sleep) {
  auto words = std::make_shared<Words>();
  return {[words, sleep](Deadline until, OnSignal how) -> Result<void> {
            while (words->at(1) == 0) {
              const FutexEnd end = sleep(*words, until, how);
              if (end.how == FutexWake::timed_out || end.how == FutexWake::interrupted) {
                return answer_of(end);
              }
            }
            return {};
          },
          [words] {
            words->at(1) = 1;
            futex_wake_all(&words->at(1));
          },
          {}};
}

Waiting sleeping(const Ground&) {
  return sleeping_on_words([](Words& words, Deadline until, OnSignal how) {
    return FutexEnd{futex_wait({.address = &words[1], .expected = 0}, until, how).value(), 0};
  });
}

Waiting sleeping_on_any(const Ground&) {
  return sleeping_on_words([](Words& words, Deadline until, OnSignal how) {
    const std::array both{FutexWord{&words[0], 0}, FutexWord{&words[1], 0}};
    return futex_wait_any(both, until, how).value();
  });
}

Waiting waiting_for_a_request(const Ground&) {
  auto ring = std::make_shared<IoRing>(IoRing::create(4).value());
  auto fd = event_fd(0);
  static_cast<void>(ring->poll(fd->fd(), signalbox::Events::readable, 3).value());
  return {[ring, fd](Deadline until, OnSignal how) -> Result<void> {
            const auto ended = ring->wait(until, how);
            if (!ended) return std::unexpected(ended.error());
            return ended->empty() ? passed_the_deadline() : Result<void>();
          },
          [fd] { static_cast<void>(fd->add(1)); }, [ring] { return ring->in_flight() == 1; }};
}

}  // namespace

std::vector<Wait> event_waits() {
  std::vector<Wait> all{{"EventFdTake", taking},
                        {"EventFdAdd", adding},
                        {"SignalsTake", taking_a_signal},
                        {"Futex", sleeping}};
  if (can_wait_on_several()) all.push_back({"FutexAny", sleeping_on_any, true, true});
  if (IoRing::create(1)) all.push_back({"IoRing", waiting_for_a_request});
  return all;
}

}  // namespace facilities
