// Goal: nobody goes on from a meeting before all have come to it, each arrival counts for one
// meeting, and nobody is left waiting. Method: the shipped meet(), by two parties that meet twice,
// of whom one gives up and comes again, or of whom one is killed before any of its steps. Sleeps
// have no time limit, so an arrival that is lost, or a call, is a deadlock.
#include "mortality.hpp"
#include "mutex_steps.hpp"

#include "shm/barrier_word.hpp"

namespace signalbox::model {
namespace {

constexpr unsigned parties = 2;
constexpr std::uint32_t meetings = 2;

enum class BarrierBug {
  none,
  counted_comes_again,   // who was counted before he looked comes for the next meeting as well
  no_look_when_counted,  // who arrives last does not count
  nobody_is_told,        // of a meeting that somebody ended who died before he called
  the_dead_just_go,      // out of the line, and their meeting goes on without them
  frees_before_it_ends   // their place, so that nobody sees any more that their meeting must end
};

// What the first does at its first meeting.
enum class Way { stays, gives_up_once };

template <Way way, BarrierBug bug>
struct BarrierModel : rl::test_suite<BarrierModel<way, bug>, parties> {
  using P = RelacyAtomics<>;
  KernelModel<parties> kernel;
  Placed<shm::BarrierState<P, 3>> barrier;
  typename P::template atomic<std::uint32_t> arrivals;

  void before() {
    barrier->word.store(shm::barrier_valid);
    arrivals.store(0);
  }
  void thread(unsigned index) {
    bool may_give_up = way == Way::gives_up_once && index == 0;
    for (std::uint32_t meeting = 1; meeting <= meetings;) {
      const shm::Stand who{.token = std::uint64_t{index + 1} << 3, .thread = index};
      if (bug != BarrierBug::none) {
        arrivals.fetch_add(1);
        meet_with_bug(who);
      } else if (meet(who, may_give_up) == shm::Turn::timed_out) {
        may_give_up = false;
        continue;
      }
      RL_ASSERT(arrivals.load() >= meeting * parties);
      ++meeting;
    }
  }

  // An arrival is one call, and a call that gave up is none.
  shm::Turn meet(const shm::Stand& who, bool may_give_up) {
    arrivals.fetch_add(1);
    const auto rest = [&](std::uint32_t place) {
      if (may_give_up) return shm::Turn::timed_out;
      kernel.futex_wait({futex_word(barrier->line.places[place].call, 0)});
      return shm::Turn::not_yet;
    };
    const shm::Turn turn = shm::meet(*barrier, parties, who, rest, kernel.waker());
    if (turn == shm::Turn::timed_out) arrivals.fetch_add(UINT32_MAX);  // takes it back
    RL_ASSERT(turn == shm::Turn::taken || turn == shm::Turn::timed_out);
    return turn;
  }

  // meet(), with what is wrong in it.
  void meet_with_bug(shm::Stand who) {
    std::uint32_t generation = 0;
    std::uint32_t place = shm::no_place;
    for (;;) {
      generation = shm::generation_of(barrier->word.load());
      who.pipe = std::uint64_t{generation} + 1;
      place = shm::enter(barrier->line, who);
      if (bug != BarrierBug::counted_comes_again) break;
      if (shm::generation_of(barrier->word.load()) == generation) break;
      shm::leave(barrier->line, place);
    }
    if (bug != BarrierBug::no_look_when_counted || who.thread == 0) {
      shm::end_if_all_arrived(*barrier, parties, generation, kernel.waker());
    }
    static_cast<void>(shm::wait_for_end(*barrier, place, generation, [&](std::uint32_t where) {
      kernel.futex_wait({futex_word(barrier->line.places[where].call, 0)});
      return shm::Turn::not_yet;
    }));
    shm::leave(barrier->line, place);
  }
};

// Thread 0 comes once, and may be killed at any step. 1 comes until it has met somebody. 2 learns
// of the death and comes in place of the dead one, unless that one has met the other.
// Or somebody else died standing in line, and 0 and 2 both see to that.
enum class Life { comes, recovers };

template <Life life, BarrierBug bug>
struct MortalBarrierModel : rl::test_suite<MortalBarrierModel<life, bug>, 3> {
  using P = RelacyAtomics<>;
  KernelModel<3> kernel;
  Mortality mortality;
  Placed<shm::BarrierState<P, 3>> barrier;
  typename P::template atomic<std::uint32_t> dead;
  bool both_were_there = false;

  void before() {
    barrier->word.store(shm::barrier_valid);
    if (life == Life::comes) return;
    std::uint32_t generation = 0;
    shm::arrive(*barrier, {.token = token_of(3), .thread = 0}, generation);
    both_were_there = true;
  }
  void thread(unsigned index) {
    if (index == 0) return live_and_die();
    if (index == 2) {
      if (life == Life::recovers) recover(token_of(2));
      kernel.poll_readable();
      recover(token_of(2));
      const std::uint64_t word = barrier->word.load();
      const std::uint32_t ended = shm::generation_of(word);
      RL_ASSERT(ended != 0 || !both_were_there);
      if (ended != 0 && !shm::was_abandoned(word, 0)) return;
    }
    while (meet(index) == shm::Turn::taken_after_death) {
      RL_ASSERT(life == Life::recovers || dead.load() != 0);
    }
  }

  shm::Turn meet(unsigned self) {
    const auto rest = [&](std::uint32_t place) {
      kernel.futex_wait({futex_word(barrier->line.places[place].call, 0)});
      return shm::Turn::not_yet;
    };
    return shm::meet(*barrier, parties, {.token = token_of(self), .thread = self}, rest,
                     kernel.waker());
  }
  void live_and_die() {
    const bool killed = mortality.ends([this] {
      if (life == Life::recovers) return recover(token_of(0));
      meet(0);
    });
    if (killed) {
      if (life == Life::comes) both_were_there = shm::arrived(*barrier, 0) == parties;
      dead.store(1);
    }
    kernel.write_to(2);
  }

  // Membership::watch()
  void recover(std::uint64_t self) {
    const auto is_dead = [this](std::uint64_t token) {
      return token == token_of(3) || (token == token_of(0) && dead.load() != 0);
    };
    if (bug == BarrierBug::the_dead_just_go) {
      shm::clear_the_dead(barrier->line, self, is_dead, kernel.waker());
    } else if (bug == BarrierBug::nobody_is_told) {
      end_for_the_dead(is_dead);
      shm::clear_the_dead(barrier->line, self, is_dead, kernel.waker());
    } else if (bug == BarrierBug::frees_before_it_ends) {
      const std::uint64_t word = barrier->word.load();
      if (shm::clear_the_dead(barrier->line, self, is_dead, kernel.waker())) {
        shm::end_meeting(*barrier, word, true, kernel.waker());
      }
    } else {
      shm::recover(*barrier, self, is_dead, kernel.waker());
    }
  }
  // The first half of recover().
  template <class IsDead>
  void end_for_the_dead(IsDead is_dead) {
    shm::for_each_in_line(barrier->line, [&](std::uint32_t i, std::uint64_t, shm::Wants) {
      if (!is_dead(barrier->line.places[i].owner.load())) return;
      const std::uint64_t word = barrier->word.load();
      if (std::uint64_t{shm::generation_of(word)} + 1 != barrier->line.places[i].pipe.load())
        return;
      shm::end_meeting(*barrier, word, true, kernel.waker());
    });
  }
};

constexpr Effort at_any_step{.switches = 1, .random_schedules = 20'000};

TEST(BarrierModel, TwoMeetTwice) { expect_green<BarrierModel<Way::stays, BarrierBug::none>>(); }
TEST(BarrierModel, OneGivesUpAndComesAgain) {
  expect_green<BarrierModel<Way::gives_up_once, BarrierBug::none>>();
}

TEST(BarrierModel, OneDiesAtAnyStep) {
  expect_green<MortalBarrierModel<Life::comes, BarrierBug::none>>(at_any_step);
}
TEST(BarrierModel, OneDiesRecovering) {
  expect_green<MortalBarrierModel<Life::recovers, BarrierBug::none>>(at_any_step);
}

TEST(BarrierModelSeeded, WhoEndsAMeetingAndDiesMustNotLeaveTheOthersAsleep) {
  expect_red<MortalBarrierModel<Life::comes, BarrierBug::nobody_is_told>>(rl::test_result_deadlock,
                                                                          at_any_step);
}
TEST(BarrierModelSeeded, AMeetingWithADeadOneMustEnd) {
  expect_red<MortalBarrierModel<Life::comes, BarrierBug::the_dead_just_go>>(
      rl::test_result_user_assert_failed, at_any_step);
}
TEST(BarrierModelSeeded, ADeadOneIsSeenUntilItsMeetingHasEnded) {
  expect_red<MortalBarrierModel<Life::recovers, BarrierBug::frees_before_it_ends>>(
      rl::test_result_user_assert_failed, at_any_step);
}
TEST(BarrierModelSeeded, WhoWasCountedMustNotComeAgain) {
  expect_red<BarrierModel<Way::stays, BarrierBug::counted_comes_again>>(rl::test_result_deadlock);
}
TEST(BarrierModelSeeded, WhoArrivesLastMustCount) {
  expect_red<BarrierModel<Way::stays, BarrierBug::no_look_when_counted>>(rl::test_result_deadlock);
}

}  // namespace
}  // namespace signalbox::model
