// Goal: who waits is not forgotten because somebody died between calling and waking him, or between
// taking back an announcement and looking once more.
// Method: another process leaves the words as such a death does, and is killed.
#include <gtest/gtest.h>

#include <cstddef>
#include <ctime>
#include <functional>
#include <memory>
#include <thread>

#include "base/watchdog.hpp"
#include "os/thread_state.hpp"
#include "shm/barrier_word.hpp"
#include "signalbox/barrier.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/read_write_lock.hpp"
#include "signalbox/semaphore.hpp"
#include "sync/other_process.hpp"
#include "sync/shared_object.hpp"
#include "topic/scratch_domain.hpp"

namespace signalbox {
namespace {

using Here = OtherProcess::Here;
constexpr char kName[] = "robot/arm";

std::shared_ptr<sync::SharedObject> core_of(const sync::Terms& terms) {
  return sync::share(kName, {}, terms, 0).value();
}

void pause_shortly() {
  const timespec span{.tv_sec = 0, .tv_nsec = 2'000'000};
  ::nanosleep(&span, nullptr);
}

// Calls who sleeps first in line in the parent, and does not wake him. One who is awake takes the
// call at once, or is seen to be.
void call_and_wake_nobody(sync::SharedObject& core) {
  auto& line = core.line();
  const auto sleeper = [&line]() -> shm::Place<sync::Atomics>* {
    for (std::uint32_t i = 0; i < shm::places_used(line); ++i) {
      if (line.places[i].arrival.load() != 0) return &line.places[i];
    }
    return nullptr;
  };
  for (;;) {
    auto* const place = sleeper();
    if (place != nullptr) place->call.store(1);
    pause_shortly();
    const bool is_called = place != nullptr && place->call.load() == 1;
    if (is_called && os::test::every_thread_is(::getppid(), 'S')) return;
  }
}

class DeadCaller : public ::testing::Test {
 protected:
  // `hold` runs in the other process and never comes back; `wait` must.
  void expect_woken(const std::function<void(const Here&)>& hold,
                    const std::function<bool(Deadline)>& wait) {
    OtherProcess other(hold);
    ASSERT_EQ(other.hear(), 'h');
    bool woken = false;
    // A call that sleeps on until its deadline looks once more then, and may find it free.
    const Deadline deadline = watchdog();
    std::thread waiter([&] { woken = wait(deadline) && !deadline.passed(); });
    EXPECT_EQ(other.hear(), 'c');
    other.kill();
    waiter.join();
    EXPECT_TRUE(woken);
  }
  ScratchDomain domain_;
};

void mislead(const Here& here, const sync::Terms& terms) {
  const auto core = core_of(terms);
  here.say('h');
  call_and_wake_nobody(*core);
  here.say('c');
  here.wait_for_word();
}

TEST_F(DeadCaller, OfAMutex) {
  for (const bool is_fair : {false, true}) {
    const LockOptions options{.domain = {}, .first_come_first_served = is_fair};
    auto mutex = Mutex::open(kName, options).value();
    expect_woken(
        [&](const Here& here) {
          auto theirs = Mutex::open(kName, options).value();
          const auto held = theirs.lock(watchdog());
          mislead(here, {.kind = sync::Kind::mutex,
                         .fairness = is_fair ? shm::Fairness::first_come_first_served
                                             : shm::Fairness::newcomers_may_overtake});
        },
        [&](Deadline deadline) {
          auto held = mutex.lock(deadline);
          if (held) static_cast<void>(std::move(*held).regardless());
          return held.has_value();
        });
  }
}

TEST_F(DeadCaller, OfASemaphore) {
  auto semaphore = Semaphore::open(kName, {.units_max = 1}).value();
  expect_woken(
      [](const Here& here) {
        auto theirs = Semaphore::open(kName, {.units_max = 1}).value();
        const auto permit = theirs.acquire(watchdog());
        mislead(here, {.kind = sync::Kind::semaphore, .capacity = 1});
      },
      [&](Deadline deadline) { return semaphore.acquire(deadline).has_value(); });
}

TEST_F(DeadCaller, OfAReaderWriterLock) {
  auto lock = ReadWriteLock::open(kName).value();
  expect_woken(
      [](const Here& here) {
        auto theirs = ReadWriteLock::open(kName).value();
        const auto held = theirs.lock_to_write(watchdog());
        mislead(here, {.kind = sync::Kind::read_write_lock,
                       .fairness = shm::Fairness::first_come_first_served});
      },
      [&](Deadline deadline) { return lock.lock_to_read(deadline).has_value(); });
  // A writer died, of which a reader is not told: its file would stay for the next writer.
  static_cast<void>(std::move(lock.lock_to_write(watchdog()).value()).regardless());
}

// Who came last ended the meeting, and told nobody.
TEST_F(DeadCaller, OfABarrier) {
  auto barrier = Barrier::open(kName, 2).value();
  expect_woken(
      [](const Here& here) {
        using State = shm::BarrierState<sync::Atomics>;
        const auto core = core_of({.kind = sync::Kind::barrier, .capacity = 2});
        auto* const line = reinterpret_cast<std::byte*>(&core->line());
        auto& state = *reinterpret_cast<State*>(line - offsetof(State, line));
        here.say('h');
        call_and_wake_nobody(*core);
        state.line.places[0].call.store(0);
        state.word.store(shm::ended(state.word.load(), false));
        here.say('c');
        here.wait_for_word();
      },
      [&](Deadline deadline) { return barrier.arrive_and_wait(deadline).has_value(); });
}

}  // namespace
}  // namespace signalbox
