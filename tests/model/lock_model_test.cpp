// Goal: at most one owner, each death told to exactly one next owner, each unit given back once,
// and nobody asleep with what he waits for free: also when a holder dies at the worst moment.
// Method: the shipped templates of line, lock word and units, with the steps of MutexCore,
// SemaphoreCore and Membership::watch() around them restated. One thread is mortal: it may die
// having the lock, or called in line. Another learns of it and does what a member's background
// thread does. Sleeps have no time limit, so a lost call is a deadlock.
#include "kernel_model.hpp"
#include "model_run.hpp"

#include <array>

#include "shm/lock_word.hpp"
#include "shm/units.hpp"

namespace signalbox::model {
namespace {

enum class Bug {
  none,
  no_announcement,        // who waits does not say so
  reset_before_sleep,     // the call is taken back after the look, not before it
  no_call,                // whoever releases calls nobody
  no_call_after_death,    // the dead one's lock is given back, and nobody is called
  takes_over_unasked,     // the word is overwritten, whoever has it by now
  dead_stay_in_line,      // who died in line is called for ever
  leaves_without_a_word,  // who gives up does not pass on the call he may have had
};

// The ways of the mortal.
enum class Fate {
  dies_holding,
  dies_holding_before_one,  // of the two others one only learns of it
  dies_in_line,
  dies_idle,
  gives_up,  // its deadline passes in line
  lives
};
constexpr bool dies_holding(Fate fate) {
  return fate == Fate::dies_holding || fate == Fate::dies_holding_before_one;
}

constexpr std::uint64_t token_of(unsigned thread) { return (thread + 1) << 3; }

// Thread 0 is mortal, 1 survives, 2 survives and is the one who learns of deaths.
template <class Derived, class Policy = RelacyAtomics<>>
struct Mortals : rl::test_suite<Derived, 3> {
  using P = Policy;
  KernelModel<3> kernel;
  typename P::template atomic<std::uint32_t> dead;

  auto waker() {
    return [this](shm::Place<P>& place) { kernel.futex_wake_all(&place.call); };
  }
  bool is_dead(std::uint64_t token) { return token == token_of(0) && dead.load() != 0; }
  // The end of the mortal, and the event that tells of it.
  void end(bool dies) {
    if (dies) dead.store(1);
    kernel.write_to(2);
  }
  template <Bug bug>
  shm::Turn rest(shm::Line<P, 3>& line, std::uint32_t place) {
    if (bug == Bug::reset_before_sleep) line.places[place].call.store(0);
    kernel.futex_wait({futex_word(line.places[place].call, 0)});
    return shm::Turn::not_yet;
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
  KernelModel<3>& kernel = Base::kernel;

  void before() {
    lock->word.store(shm::lock_free);
    guarded(RL_INFO) = 0;
    told(RL_INFO) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) return live_and_die();
    if (index == 2 && fate != Fate::gives_up) {
      kernel.poll_readable();
      learn_of_death();
      if (fate == Fate::dies_holding_before_one) return;
    }
    take(token_of(index));
    use();
    release(token_of(index));
  }
  void after() {
    // Told, or still to be told to whoever comes.
    const std::uint64_t word = lock->word.load();
    const int untold = (word & shm::lock_owner_died) != 0 ? 1 : 0;
    RL_ASSERT(shm::lock_owner(word) == 0);
    RL_ASSERT(told(RL_INFO) + untold == (dies_holding(fate) ? 1 : 0));
    RL_ASSERT(guarded(RL_INFO) == (fate == Fate::dies_holding || fate == Fate::lives ? 3 : 2));
  }

  void use() { guarded(RL_INFO) = guarded(RL_INFO) + 1; }

  auto waker() {
    return [this](shm::Place<P>& place) { kernel.futex_wake_all(&place.call); };
  }

  void live_and_die() {
    if (dies_holding(fate) || fate == Fate::lives) {
      take(token_of(0));
      use();
      if (fate == Fate::lives) release(token_of(0));
      return Base::end(fate != Fate::lives);
    }
    // In line, and perhaps called, when it dies or its deadline passes.
    const std::uint32_t place = shm::enter(lock->line, {.token = token_of(0), .thread = 0});
    shm::announce_line(lock->word);
    if (fate == Fate::dies_in_line) return Base::end(true);
    shm::leave(lock->line, place);
    if (bug != Bug::leaves_without_a_word) shm::call_next(*lock, waker());
    Base::end(false);
  }

  void take(std::uint64_t token) {
    if (shm::take_if_free(lock->word, token)) return;
    const shm::Turn turn = shm::stand_in_line(
        lock->line, {.token = token, .thread = 0},
        [&](std::uint32_t place) {
          return shm::take(*lock, token, shm::Fairness::newcomers_may_overtake, place);
        },
        [&] {
          if (bug != Bug::no_announcement) shm::announce_line(lock->word);
        },
        [&](std::uint32_t place) {
          if (bug == Bug::reset_before_sleep) lock->line.places[place].call.store(0);
          kernel.futex_wait({futex_word(lock->line.places[place].call, 0)});
          return shm::Turn::not_yet;
        });
    if (turn == shm::Turn::taken_after_death) told(RL_INFO) = told(RL_INFO) + 1;
  }
  void release(std::uint64_t token) {
    if (shm::release_if_alone(lock->word, token)) return;
    const bool somebody = shm::release(lock->word, lock->line, token, false);
    if (somebody && bug != Bug::no_call) shm::call_next(*lock, waker());
  }

  // Membership::watch()
  void learn_of_death() {
    const auto is_dead = [this](std::uint64_t token) { return Base::is_dead(token); };
    if (bug == Bug::no_call_after_death) {
      shm::recover_word(lock->word, is_dead);
      shm::clear_the_dead(lock->line, token_of(2), is_dead, [](auto&) {});
    } else if (bug == Bug::takes_over_unasked) {
      if (Base::is_dead(token_of(0))) lock->word.store(shm::lock_free | shm::lock_owner_died);
      shm::call_next(*lock, waker());
    } else if (bug == Bug::dead_stay_in_line) {
      shm::recover_word(lock->word, is_dead);
      shm::call_next(*lock, waker());
    } else {
      shm::recover(*lock, token_of(2), is_dead, waker());
    }
  }
};

constexpr Effort usual{.switches = 2, .random_schedules = 20'000};

TEST(LockModel, AHolderDies) { expect_green<LockModel<Fate::dies_holding, Bug::none>>(usual); }
TEST(LockModel, AHolderDiesAndOneLearnsOnly) {
  expect_green<LockModel<Fate::dies_holding_before_one, Bug::none>>(usual);
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
  expect_deadlock<Fate::dies_holding_before_one, Bug::no_call_after_death>();
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

  shm::Units<P, 3> units() { return {*state, words.data(), count}; }

  void before() {
    for (auto& word : words) word.store(shm::unit_free);
    holders.store(0, rl::mo_relaxed, RL_INFO);
  }
  void thread(unsigned index) {
    if (index == 0) {
      if (fate != Fate::dies_idle) take(token_of(0));
      return Base::end(true);
    }
    if (index == 2) {
      Base::kernel.poll_readable();
      learn_of_death();
      if (fate == Fate::dies_holding_before_one) return;
    }
    const std::uint32_t unit = take(token_of(index));
    const int others = holders.fetch_add(1, rl::mo_seq_cst, RL_INFO);
    RL_ASSERT(others < static_cast<int>(count));
    holders.fetch_add(-1, rl::mo_seq_cst, RL_INFO);
    RL_ASSERT(shm::give_back(units(), unit, token_of(index)));
    if (bug != Bug::no_call && state->waiting.load() != 0) {
      shm::call_for_unit(units(), Base::waker());
    }
  }
  void after() { RL_ASSERT(shm::free_units(units()) == count); }

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
        [&](std::uint32_t place) { return Base::template rest<bug>(state->line, place); });
    shm::pass_on(units(), Base::waker());
    return unit;
  }

  void learn_of_death() {
    const auto is_dead = [this](std::uint64_t token) { return Base::is_dead(token); };
    if (bug == Bug::takes_over_unasked) {
      for (auto& word : words) {
        if (shm::unit_holder(word.load()) != 0) word.store(shm::unit_free);
      }
      return shm::pass_on(units(), Base::waker());
    }
    if (bug == Bug::no_call_after_death) {
      for (auto& word : words) {
        std::uint64_t held = shm::unit_held_by(token_of(0));
        word.compare_exchange_strong(held, shm::unit_free);
      }
      return;
    }
    shm::recover(units(), token_of(2), is_dead, Base::waker());
  }
};

template <std::uint32_t count, Bug bug = Bug::none, Fate fate = Fate::dies_holding>
using Units = UnitsModel<count, fate, bug>;

TEST(UnitsModel, AUnitComesBackFromTheDead) {
  expect_green<Units<1>>(usual);
  expect_green<Units<2>>(usual);
}
TEST(UnitsModelSeeded, WhoDoesNotSayThatHeWaitsIsLeftAsleep) {
  expect_red<Units<1, Bug::no_announcement>>(rl::test_result_deadlock, usual);
}
TEST(UnitsModelSeeded, WhoGivesBackMustCall) {
  expect_red<Units<1, Bug::no_call>>(rl::test_result_deadlock, usual);
}
TEST(UnitsModelSeeded, WhoGivesBackForTheDeadMustCall) {
  expect_red<Units<1, Bug::no_call_after_death, Fate::dies_holding_before_one>>(
      rl::test_result_deadlock, usual);
}
TEST(UnitsModelSeeded, AUnitIsTakenFromTheDeadOnly) {
  expect_red<Units<1, Bug::takes_over_unasked, Fate::dies_idle>>(rl::test_result_user_assert_failed,
                                                                 usual);
}

}  // namespace
}  // namespace signalbox::model
