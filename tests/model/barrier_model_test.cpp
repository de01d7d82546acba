// Goal: nobody goes on from a meeting before all have come to it, each arrival counts for one
// meeting, and nobody is left waiting. Method: the shipped meet(), by two parties that meet twice,
// or of whom one gives up and comes again. Sleeps have no time limit, so an arrival that is lost,
// or a call, is a deadlock.
#include "kernel_model.hpp"
#include "model_run.hpp"

#include "shm/barrier_word.hpp"

namespace signalbox::model {
namespace {

constexpr unsigned parties = 2;
constexpr std::uint32_t meetings = 2;

enum class Bug {
  none,
  counted_comes_again,  // who was counted before he looked comes for the next meeting as well
  no_look_when_counted  // who arrives last does not count
};

// What the first does at its first meeting.
enum class Way { stays, gives_up_once };

template <Way way, Bug bug>
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
      if (bug != Bug::none) {
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
    const shm::Turn turn = shm::meet(*barrier, parties, who, rest, waker());
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
      if (bug != Bug::counted_comes_again) break;
      if (shm::generation_of(barrier->word.load()) == generation) break;
      shm::leave(barrier->line, place);
    }
    if (bug != Bug::no_look_when_counted || who.thread == 0) {
      shm::end_if_all_arrived(*barrier, parties, generation, waker());
    }
    static_cast<void>(shm::wait_for_end(*barrier, place, generation, [&](std::uint32_t where) {
      kernel.futex_wait({futex_word(barrier->line.places[where].call, 0)});
      return shm::Turn::not_yet;
    }));
    shm::leave(barrier->line, place);
  }

  auto waker() {
    return [this](shm::Place<P>& place) { kernel.futex_wake_all(&place.call); };
  }
};

TEST(BarrierModel, TwoMeetTwice) { expect_green<BarrierModel<Way::stays, Bug::none>>(); }
TEST(BarrierModel, OneGivesUpAndComesAgain) {
  expect_green<BarrierModel<Way::gives_up_once, Bug::none>>();
}

TEST(BarrierModelSeeded, WhoWasCountedMustNotComeAgain) {
  expect_red<BarrierModel<Way::stays, Bug::counted_comes_again>>(rl::test_result_deadlock);
}
TEST(BarrierModelSeeded, WhoArrivesLastMustCount) {
  expect_red<BarrierModel<Way::stays, Bug::no_look_when_counted>>(rl::test_result_deadlock);
}

}  // namespace
}  // namespace signalbox::model
