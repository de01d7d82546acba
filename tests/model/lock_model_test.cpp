// Goal: at most one owner, each death told to exactly one next owner, each unit given back once,
// and nobody asleep with what he waits for free: also when somebody is killed at the worst moment.
// Method: the shipped templates of line, lock word and units, with the steps of MutexCore,
// SemaphoreCore and Membership::watch() around them restated. One thread is mortal: it may be
// killed before any step of its life, be it taking, releasing, calling or recovering. Another
// learns of it and does what a member's background thread does. Sleeps have no time limit, so a
// lost call is a deadlock.
#include "mortality.hpp"
#include "mutex_steps.hpp"

#include <array>

#include "shm/units.hpp"

namespace signalbox::model {
namespace {

// The ways of the mortal.
enum class Fate {
  dies,             // at any step, or at none
  dies_before_one,  // of the two others one only learns of it
  dies_recovering,  // at any step, from somebody who had the lock and from one in line
  dies_in_line,
  dies_idle,
  gives_up,  // its deadline passes in line
  lives
};

// Thread 0 is mortal, 1 survives, 2 survives and is the one who learns of deaths. Nobody is thread
// 3, who had died before.
template <class Derived, class Policy = RelacyAtomics<>>
struct Mortals : rl::test_suite<Derived, 3> {
  using P = Policy;
  KernelModel<3> kernel;
  Mortality mortality;
  typename P::template atomic<std::uint32_t> dead;

  bool is_dead(std::uint64_t token) {
    return token == token_of(3) || (token == token_of(0) && dead.load() != 0);
  }
  auto asks_who_is_dead() {
    return [this](std::uint64_t token) { return is_dead(token); };
  }
  // The end of the mortal, and the event that tells of it.
  void end(bool dies) {
    if (dies) dead.store(1);
    kernel.write_to(2);
  }

 private:
  Mortals() = default;
  friend Derived;
};

// ---- the mutex

template <Fate fate, Bug bug, class Policy = RelacyAtomics<>>
struct LockModel : Mortals<LockModel<fate, bug, Policy>, Policy> {
  using Base = Mortals<LockModel<fate, bug, Policy>, Policy>;
  using P = Policy;
  Placed<shm::LockState<P, 3>> lock;
  rl::var<int> guarded;
  rl::var<int> told;
  int used = 0;
  int died_holding = 0;
  KernelModel<3>& kernel = Base::kernel;
  MutexSteps<P, bug, 3> steps{*lock, kernel};

  void before() {
    // One who gave up in line may have left his announcement.
    lock->word.store(shm::lock_free | (fate == Fate::dies ? shm::lock_in_line : 0));
    guarded(RL_INFO) = 0;
    told(RL_INFO) = 0;
    if (fate == Fate::dies_recovering) leave_a_dead_one();
  }
  // Who had the lock, and stood in line with another thread, and was called there.
  void leave_a_dead_one() {
    const std::uint64_t gone = token_of(3);
    const std::uint32_t place = shm::enter(lock->line, {.token = gone, .thread = 0});
    lock->line.places[place].call.store(1);
    lock->word.store(shm::lock_held_by(gone) | shm::lock_in_line);
    died_holding = 1;
  }

  void thread(unsigned index) {
    if (index == 0) return live_and_die();
    if (index == 1 || fate == Fate::gives_up) return use_once(index);
    if (fate == Fate::dies_recovering) learn_of_death();  // at the same time
    kernel.poll_readable();
    // What the dead one did not announce shows only if somebody took the lock the short way.
    const bool has_it = fate == Fate::dies && shm::take_if_free(lock->word, token_of(2));
    learn_of_death();
    if (fate == Fate::dies_before_one) return;
    if (!has_it) return use_once(2);
    use();
    steps.release(token_of(2));
  }
  void after() {
    // Told, or still to be told to whoever comes.
    const std::uint64_t word = lock->word.load();
    const int untold = (word & shm::lock_owner_died) != 0 ? 1 : 0;
    RL_ASSERT(shm::lock_owner(word) == 0);
    RL_ASSERT(told(RL_INFO) + untold == died_holding);
    RL_ASSERT(guarded(RL_INFO) == used);
  }

  void use() {
    guarded(RL_INFO) = guarded(RL_INFO) + 1;
    ++used;
  }
  void use_once(unsigned index) {
    if (steps.take(token_of(index)) == shm::Turn::taken_after_death) {
      told(RL_INFO) = told(RL_INFO) + 1;
    }
    use();
    steps.release(token_of(index));
  }

  void live_and_die() {
    if (fate == Fate::lives) {
      use_once(0);
      return Base::end(false);
    }
    if (fate == Fate::dies || fate == Fate::dies_before_one || fate == Fate::dies_recovering) {
      const bool killed = Base::mortality.ends([&] {
        if (fate == Fate::dies_recovering) return recover(token_of(0));
        use_once(0);
      });
      if (killed && shm::lock_owner(lock->word.load()) == token_of(0)) died_holding = 1;
      return Base::end(killed);
    }
    // In line, and perhaps called, when it dies or its deadline passes.
    const std::uint32_t place = shm::enter(lock->line, {.token = token_of(0), .thread = 0});
    shm::announce_line(lock->word);
    if (fate == Fate::dies_in_line) return Base::end(true);
    shm::leave(lock->line, place);
    if (bug != Bug::leaves_without_a_word) shm::call_next(*lock, kernel.waker());
    Base::end(false);
  }

  // Membership::watch()
  void recover(std::uint64_t token) {
    shm::recover(*lock, token, Base::asks_who_is_dead(), kernel.waker());
  }
  void learn_of_death() {
    const auto is_dead = Base::asks_who_is_dead();
    const auto nobody = [](auto&) {};
    if (bug == Bug::no_call_after_death) {
      shm::recover_word(lock->word, is_dead);
      shm::clear_the_dead(lock->line, token_of(2), is_dead, nobody);
    } else if (bug == Bug::takes_over_unasked) {
      if (is_dead(token_of(0))) lock->word.store(shm::lock_free | shm::lock_owner_died);
      shm::call_next(*lock, kernel.waker());
    } else if (bug == Bug::dead_stay_in_line) {
      shm::recover_word(lock->word, is_dead);
      shm::call_next(*lock, kernel.waker());
    } else if (bug == Bug::called_are_not_woken) {
      shm::recover_word(lock->word, is_dead);
      shm::clear_the_dead(lock->line, token_of(2), is_dead, nobody);
      shm::announce_line(lock->word);
      shm::call_next(*lock, kernel.waker());
    } else if (bug == Bug::announcement_is_not_made_anew) {
      shm::recover_word(lock->word, is_dead);
      shm::clear_the_dead(lock->line, token_of(2), is_dead, kernel.waker());
      shm::call_next(*lock, kernel.waker());
    } else {
      recover(token_of(2));
    }
  }
};

constexpr Effort usual{.switches = 2, .random_schedules = 20'000};
constexpr Effort at_any_step{.switches = 1, .random_schedules = 20'000};

TEST(LockModel, OneDiesAtAnyStep) { expect_green<LockModel<Fate::dies, Bug::none>>(at_any_step); }
TEST(LockModel, OneDiesAndAnotherLearnsOnly) {
  expect_green<LockModel<Fate::dies_before_one, Bug::none>>(usual);
}
TEST(LockModel, OneDiesRecovering) {
  expect_green<LockModel<Fate::dies_recovering, Bug::none>>(at_any_step);
}
TEST(LockModel, OneInLineGivesUp) { expect_green<LockModel<Fate::gives_up, Bug::none>>(usual); }
TEST(LockModel, NobodyDies) { expect_green<LockModel<Fate::lives, Bug::none>>(usual); }
TEST(LockModel, OneInLineDies) { expect_green<LockModel<Fate::dies_in_line, Bug::none>>(usual); }

template <Fate fate, Bug bug>
void expect_deadlock() {
  expect_red<LockModel<fate, bug>>(rl::test_result_deadlock, usual);
}
TEST(LockModelSeeded, WhoDoesNotSayThatHeWaitsIsLeftAsleep) {
  expect_deadlock<Fate::lives, Bug::no_announcement>();
}
TEST(LockModelSeeded, ACallThatIsTakenBackTooLateIsLost) {
  expect_deadlock<Fate::dies_in_line, Bug::reset_before_sleep>();
}
TEST(LockModelSeeded, WhoReleasesMustCall) { expect_deadlock<Fate::dies_in_line, Bug::no_call>(); }
TEST(LockModelSeeded, WhoGivesBackForTheDeadMustCall) {
  expect_deadlock<Fate::dies_before_one, Bug::no_call_after_death>();
}
TEST(LockModelSeeded, WhoWasCalledByOneWhoDiedMustBeWoken) {
  expect_deadlock<Fate::dies_before_one, Bug::called_are_not_woken>();
}
TEST(LockModelSeeded, WhatOneWhoDiedTookBackMustBeAnnouncedAnew) {
  expect_deadlock<Fate::dies, Bug::announcement_is_not_made_anew>();
}
TEST(LockModelSeeded, WhoGivesUpMustPassTheCallOn) {
  expect_deadlock<Fate::gives_up, Bug::leaves_without_a_word>();
}
TEST(LockModelSeeded, TheDeadMustNotStayInLine) {
  expect_deadlock<Fate::dies_in_line, Bug::dead_stay_in_line>();
}
TEST(LockModelSeeded, AReleaseIsARelease) {
  using Weak = RelacyAtomics<Weakened::release_stores>;
  expect_red<LockModel<Fate::lives, Bug::none, Weak>>(rl::test_result_data_race, usual);
}
TEST(LockModelSeeded, ALockIsTakenFromTheDeadOnly) {
  expect_red<LockModel<Fate::dies_in_line, Bug::takes_over_unasked>>(
      rl::test_result_user_assert_failed, usual);
}

// ---- the semaphore

template <std::uint32_t count, Fate fate, Bug bug>
struct UnitsModel : Mortals<UnitsModel<count, fate, bug>> {
  using Base = Mortals<UnitsModel<count, fate, bug>>;
  using P = RelacyAtomics<>;
  Placed<shm::UnitsState<P, 3>> state;
  std::array<typename P::template atomic<std::uint64_t>, count> words;
  rl::atomic<int> holders;
  KernelModel<3>& kernel = Base::kernel;

  shm::Units<P, 3> units() { return {*state, words.data(), count}; }

  void before() {
    for (auto& word : words) word.store(shm::unit_free);
    if (fate == Fate::dies_recovering) leave_a_dead_one();
    holders.store(0, rl::mo_relaxed, RL_INFO);
  }
  void thread(unsigned index) {
    if (index == 0) {
      const bool killed = fate == Fate::dies_idle || Base::mortality.ends([&] {
        if (fate == Fate::dies_recovering) return recover(token_of(0));
        use_once(0);
      });
      return Base::end(killed);
    }
    if (index == 2) {
      if (fate == Fate::dies_recovering) learn_of_death();  // at the same time
      kernel.poll_readable();
      learn_of_death();
      if (fate == Fate::dies_before_one) return;
    }
    use_once(index);
  }
  void after() { RL_ASSERT(shm::free_units(units()) == count); }

  // Who had a unit, and stood in line with another thread, and was called there.
  void leave_a_dead_one() {
    const std::uint32_t place = shm::enter(state->line, {.token = token_of(3), .thread = 0});
    state->line.places[place].call.store(1);
    state->waiting.store(1);
    words[0].store(shm::unit_held_by(token_of(3)));
  }

  void use_once(unsigned index) {
    const std::uint32_t unit = take(token_of(index));
    const int others = holders.fetch_add(1, rl::mo_seq_cst, RL_INFO);
    RL_ASSERT(others < static_cast<int>(count));
    holders.fetch_add(-1, rl::mo_seq_cst, RL_INFO);
    RL_ASSERT(shm::give_back(units(), unit, token_of(index)));
    if (bug != Bug::no_call && state->waiting.load() != 0) {
      shm::call_for_unit(units(), kernel.waker());
    }
  }

  std::uint32_t take(std::uint64_t token) {
    std::uint32_t unit = shm::take_unit(units(), shm::unit_held_by(token), 0);
    if (unit != shm::no_unit) return unit;
    shm::stand_in_line(
        state->line, {.token = token, .thread = 0},
        [&](std::uint32_t) {
          unit = shm::take_unit(units(), shm::unit_held_by(token), 0);
          return unit == shm::no_unit ? shm::Turn::not_yet : shm::Turn::taken;
        },
        [&] {
          if (bug != Bug::no_announcement) shm::announce_waiting(units());
        },
        [&](std::uint32_t place) {
          kernel.futex_wait({futex_word(state->line.places[place].call, 0)});
          return shm::Turn::not_yet;
        });
    shm::pass_on(units(), kernel.waker());
    return unit;
  }

  void learn_of_death() {
    const auto is_dead = Base::asks_who_is_dead();
    if (bug == Bug::takes_over_unasked) {
      for (auto& word : words) {
        if (shm::unit_holder(word.load()) != 0) word.store(shm::unit_free);
      }
      return shm::pass_on(units(), kernel.waker());
    }
    if (bug == Bug::no_call_after_death || bug == Bug::called_are_not_woken) {
      for (auto& word : words) {
        std::uint64_t held = shm::unit_held_by(token_of(0));
        word.compare_exchange_strong(held, shm::unit_free);
      }
      if (bug == Bug::no_call_after_death) return;
      shm::clear_the_dead(state->line, token_of(2), is_dead, [](auto&) {});
      shm::announce_waiting(units());
      return shm::pass_on(units(), kernel.waker());
    }
    recover(token_of(2));
  }
  void recover(std::uint64_t self) {
    shm::recover(units(), self, Base::asks_who_is_dead(), kernel.waker());
  }
};

template <std::uint32_t count, Bug bug = Bug::none, Fate fate = Fate::dies>
using Units = UnitsModel<count, fate, bug>;

TEST(UnitsModel, AUnitComesBackFromOneWhoDiesAtAnyStep) {
  expect_green<Units<1>>(usual);
  expect_green<Units<2>>(usual);
}
TEST(UnitsModel, OneDiesRecovering) {
  expect_green<Units<1, Bug::none, Fate::dies_recovering>>(at_any_step);
}
TEST(UnitsModel, OneDiesAndAnotherLearnsOnly) {
  expect_green<Units<1, Bug::none, Fate::dies_before_one>>(usual);
}
TEST(UnitsModelSeeded, WhoDoesNotSayThatHeWaitsIsLeftAsleep) {
  expect_red<Units<1, Bug::no_announcement>>(rl::test_result_deadlock, usual);
}
TEST(UnitsModelSeeded, WhoGivesBackMustCall) {
  expect_red<Units<1, Bug::no_call>>(rl::test_result_deadlock, usual);
}
TEST(UnitsModelSeeded, WhoGivesBackForTheDeadMustCall) {
  expect_red<Units<1, Bug::no_call_after_death, Fate::dies_before_one>>(rl::test_result_deadlock,
                                                                        usual);
}
TEST(UnitsModelSeeded, WhoWasCalledByOneWhoDiedMustBeWoken) {
  expect_red<Units<1, Bug::called_are_not_woken, Fate::dies_before_one>>(rl::test_result_deadlock,
                                                                         usual);
}
TEST(UnitsModelSeeded, AUnitIsTakenFromTheDeadOnly) {
  expect_red<Units<1, Bug::takes_over_unasked, Fate::dies_idle>>(rl::test_result_user_assert_failed,
                                                                 usual);
}

}  // namespace
}  // namespace signalbox::model
