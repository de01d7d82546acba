// Goal: whoever waits for something that has come is told, by whomever and whoever dies: one for
// each notification of one, also when two notify at once.
// Method: the shipped line of a condition with the steps of ConditionCore around it restated, and a
// mutex as in mutex_steps.hpp. What is waited for are permits, one of which each waiter takes.
// Sleeps have no time limit, so a notification that is lost is a deadlock.
#include "mortality.hpp"
#include "mutex_steps.hpp"

#include "shm/condition.hpp"

namespace signalbox::model {
namespace {

enum class ConditionBug {
  none,
  releases_first,             // the mutex is given back before he stands in line
  two_call_the_same,          // who finds that another was faster to call him calls nobody
  nobody_is_called,           // after a death
  attends_not,                // the death of one who does not stand in line is not seen
  only_in_place_of_the_told,  // after a death, for each who died in line having been called
  frees_before_it_calls       // the dead one's place, so that nobody sees any more that he died
};

template <rl::thread_id_t threads, ConditionBug bug>
struct ConditionSteps {
  using P = RelacyAtomics<>;
  KernelModel<threads> kernel;
  Placed<shm::LockState<P, threads>> lock;
  Placed<shm::Line<P, threads + 1>> waiting;
  MutexSteps<P, Bug::none, threads> mutex{*lock, kernel};
  rl::var<int> permits;
  int taken[threads] = {};
  int given[threads] = {};
  int left = 0;

  void begin() {
    lock->word.store(shm::lock_free);
    permits(RL_INFO) = 0;
  }

  // ConditionCore::wait()
  void wait(std::uint64_t token) {
    const auto rest = [&](std::uint32_t place) {
      kernel.futex_wait({futex_word(waiting->places[place].call, 0)});
      return shm::Turn::not_yet;
    };
    if (bug == ConditionBug::releases_first) {
      mutex.release(token);
      shm::wait_for_call(*waiting, {.token = token, .thread = 0}, [] {}, rest);
    } else {
      const auto release = [&] { mutex.release(token); };
      shm::wait_for_call(*waiting, {.token = token, .thread = 0}, release, rest);
    }
    mutex.take(token);
  }
  void notify_one() {
    if (bug != ConditionBug::two_call_the_same) return shm::notify_one(*waiting, kernel.waker());
    std::uint32_t first = shm::no_place;
    std::uint64_t earliest = UINT64_MAX;
    shm::for_each_in_line(*waiting, [&](std::uint32_t i, std::uint64_t arrival, shm::Wants) {
      if (arrival >= earliest || waiting->places[i].call.load() != 0) return;
      first = i;
      earliest = arrival;
    });
    if (first != shm::no_place) shm::call(waiting->places[first], kernel.waker());
  }

  // What is counted beside the permits changes in the same step as they do.
  void take_permit(unsigned self) {
    mutex.take(token_of(self));
    while (permits(RL_INFO) == 0) wait(token_of(self));
    permits(RL_INFO) = permits(RL_INFO) - 1;
    ++taken[self];
    --left;
    mutex.release(token_of(self));
  }
  void give_permit(unsigned self) {
    mutex.take(token_of(self));
    permits(RL_INFO) = permits(RL_INFO) + 1;
    ++given[self];
    ++left;
    mutex.release(token_of(self));
    notify_one();
  }
};

// ---- nobody dies: two wait, and two notify at once, not holding the mutex

template <ConditionBug bug>
struct ConditionModel : rl::test_suite<ConditionModel<bug>, 4> {
  ConditionSteps<4, bug> steps;

  void before() { steps.begin(); }
  void thread(unsigned index) {
    if (index < 2) return steps.take_permit(index);
    steps.give_permit(index);
  }
  void after() { RL_ASSERT(steps.permits(RL_INFO) == 0); }
};

// ---- thread 0 dies at any step, or at none, 1 waits, 2 learns of the death, and 3 gives a permit
// where 0 waits as well

enum class Role { waits, notifies };
constexpr rl::thread_id_t threads_with(Role role) { return role == Role::waits ? 4 : 3; }

template <Role role, ConditionBug bug>
struct MortalConditionModel : rl::test_suite<MortalConditionModel<role, bug>, threads_with(role)> {
  ConditionSteps<threads_with(role), bug> steps;
  Mortality mortality;
  RelacyAtomics<>::atomic<std::uint32_t> dead;

  void before() {
    steps.begin();
    if (bug != ConditionBug::attends_not) shm::attend(*steps.waiting, token_of(0));
  }
  void thread(unsigned index) {
    if (index == 0) return live_and_die();
    if (index == 1) {
      steps.take_permit(1);
      if (role == Role::waits) steps.give_permit(1);  // the mortal may live and wait for it
      return;
    }
    if (index == 3) return steps.give_permit(3);
    steps.kernel.poll_readable();
    learn_of_death();
    // What the mortal took, or did not come to give, is given once more.
    if (role == Role::waits ? steps.taken[0] != 0 : steps.given[0] == 0) steps.give_permit(2);
  }
  void after() {
    RL_ASSERT(steps.permits(RL_INFO) == steps.left);
    RL_ASSERT(shm::lock_owner(steps.lock->word.load()) == 0);
  }

  void live_and_die() {
    const bool killed = mortality.ends([this] {
      if (role == Role::waits) return steps.take_permit(0);
      steps.give_permit(0);
    });
    if (killed) dead.store(1);
    steps.kernel.write_to(2);
  }

  // Membership::watch(), for both objects.
  void learn_of_death() {
    const auto is_dead = [this](std::uint64_t token) {
      return token == token_of(0) && dead.load() != 0;
    };
    recover_waiters(is_dead);
    shm::recover(*steps.lock, token_of(2), is_dead, steps.kernel.waker());
  }
  template <class IsDead>
  void recover_waiters(IsDead is_dead) {
    if (bug == ConditionBug::none || bug == ConditionBug::attends_not) {
      return shm::recover_waiters(*steps.waiting, token_of(2), is_dead, steps.kernel.waker());
    }
    auto& line = *steps.waiting;
    std::uint32_t told = 0;
    shm::for_each_in_line(line, [&](std::uint32_t i, std::uint64_t, shm::Wants) {
      if (is_dead(line.places[i].owner.load())) told += line.places[i].call.load();
    });
    shm::clear_the_dead(line, token_of(2), is_dead, steps.kernel.waker());
    if (bug == ConditionBug::nobody_is_called) return;
    for (; told > 0; --told) steps.notify_one();
  }
};

// ---- who gave a permit is dead and told nobody; thread 0 calls the others for it, and dies at any
// step of that or at none, while 2 does the same, and once more when 0 has ended

template <ConditionBug bug>
struct DeadRecovererModel : rl::test_suite<DeadRecovererModel<bug>, 3> {
  static constexpr std::uint64_t giver = token_of(3);
  ConditionSteps<3, bug> steps;
  Mortality mortality;
  RelacyAtomics<>::atomic<std::uint32_t> giver_is_dead;
  RelacyAtomics<>::atomic<std::uint32_t> dead;

  void before() {
    steps.begin();
    shm::attend(*steps.waiting, giver);
  }
  void thread(unsigned index) {
    if (index == 1) return steps.take_permit(1);
    if (index == 0) {
      steps.kernel.poll_readable();
      if (mortality.ends([this] { recover(token_of(0)); })) dead.store(1);
      return steps.kernel.write_to(2);
    }
    steps.mutex.take(giver);
    steps.permits(RL_INFO) = 1;
    steps.mutex.release(giver);
    giver_is_dead.store(1);
    steps.kernel.write_to(0);
    recover(token_of(2));
    steps.kernel.poll_readable();
    recover(token_of(2));
  }
  void after() { RL_ASSERT(steps.permits(RL_INFO) == 0); }

  void recover(std::uint64_t self) {
    const auto is_dead = [this](std::uint64_t token) {
      if (token == giver) return giver_is_dead.load() != 0;
      return token == token_of(0) && dead.load() != 0;
    };
    auto& line = *steps.waiting;
    if (bug == ConditionBug::frees_before_it_calls) {
      const bool cleared = shm::clear_the_dead(line, self, is_dead, steps.kernel.waker());
      if (cleared) shm::notify_all(line, steps.kernel.waker());
      return;
    }
    shm::recover_waiters(line, self, is_dead, steps.kernel.waker());
  }
};

constexpr Effort usual{.switches = 1, .random_schedules = 20'000};

TEST(ConditionModel, TwoNotifyAtOnce) { expect_green<ConditionModel<ConditionBug::none>>(usual); }
TEST(ConditionModel, OneWhoWaitsDiesAtAnyStep) {
  expect_green<MortalConditionModel<Role::waits, ConditionBug::none>>(usual);
}
TEST(ConditionModel, OneWhoNotifiesDiesAtAnyStep) {
  expect_green<MortalConditionModel<Role::notifies, ConditionBug::none>>(usual);
}
TEST(ConditionModel, WhoSeesADeathDiesAtAnyStep) {
  expect_green<DeadRecovererModel<ConditionBug::none>>(usual);
}

TEST(ConditionModelSeeded, ADeathIsSeenUntilAllAreCalled) {
  expect_red<DeadRecovererModel<ConditionBug::frees_before_it_calls>>(rl::test_result_deadlock,
                                                                      usual);
}
TEST(ConditionModelSeeded, TwoMustNotNotifyTheSame) {
  expect_red<ConditionModel<ConditionBug::two_call_the_same>>(rl::test_result_deadlock, usual);
}
TEST(ConditionModelSeeded, WhoWaitsStandsInLineBeforeHeReleases) {
  expect_red<ConditionModel<ConditionBug::releases_first>>(rl::test_result_deadlock, usual);
}
template <Role role, ConditionBug bug>
void expect_left_asleep() {
  expect_red<MortalConditionModel<role, bug>>(rl::test_result_deadlock, usual);
}
TEST(ConditionModelSeeded, WhatADeadOneWasToldConcernsTheNext) {
  expect_left_asleep<Role::waits, ConditionBug::nobody_is_called>();
}
TEST(ConditionModelSeeded, WhoWasToldAndLeftTheLineMayDieToo) {
  expect_left_asleep<Role::waits, ConditionBug::only_in_place_of_the_told>();
}
TEST(ConditionModelSeeded, WhoNotifiesMustBeMissedWhenHeDies) {
  expect_left_asleep<Role::notifies, ConditionBug::attends_not>();
}
TEST(ConditionModelSeeded, WhoDiesBeforeHeNotifiesOwesIt) {
  expect_left_asleep<Role::notifies, ConditionBug::only_in_place_of_the_told>();
}

}  // namespace
}  // namespace signalbox::model
