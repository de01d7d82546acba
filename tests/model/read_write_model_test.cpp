// Goal: a writer is alone, readers are not disturbed, and nobody sleeps on with what he waits for
// free: also when a reader or a writer dies.
// Method: the shipped template of the reader/writer lock with the steps of ReadWriteCore around it
// restated. Thread 0 is mortal: it reads or writes and may be killed before any step of that.
// Thread 1 writes. Thread 2 learns of the death as a member's background thread does, and perhaps
// reads.
#include "mortality.hpp"
#include "mutex_steps.hpp"

#include "shm/read_write.hpp"

namespace signalbox::model {
namespace {

enum class ReadWriteBug {
  none,
  takes_like_a_mutex,    // the writer's exchange is not ordered before its look at the slots
  no_look_at_the_word,   // the reader claims a slot and trusts what it saw before
  no_look_at_the_slots,  // the writer takes the word and trusts that nobody reads
  no_call_for_silence,   // the last reader leaves without a word
  dead_readers_count,    // nobody frees a dead reader's slot
  silence_is_not_said,   // the writer waits for silence without an announcement
  called_are_not_woken   // who is called counts as awake, though his caller died
};
enum class Mortal { reads, reads_and_dies, writes_and_dies, recovers_and_dies };
enum class Learner { reads, only_learns };

template <Mortal mortal, ReadWriteBug bug, Learner learner = Learner::reads>
struct ReadWriteModel : rl::test_suite<ReadWriteModel<mortal, bug, learner>, 3> {
  using P = RelacyAtomics<>;
  Placed<shm::ReadWriteState<P, 2, 3>> rw;
  KernelModel<3> kernel;
  Mortality mortality;
  typename P::template atomic<std::uint32_t> dead;
  rl::var<int> guarded;
  rl::var<int> told;
  int written = 0;
  int died_writing = 0;

  void before() {
    rw->lock.word.store(shm::lock_free);
    guarded(RL_INFO) = 0;
    told(RL_INFO) = 0;
    if (mortal == Mortal::recovers_and_dies) leave_a_dead_one();
  }
  // Who waited for silence to write, and read in another thread.
  void leave_a_dead_one() {
    const std::uint64_t gone = token_of(3);
    shm::claim_slot(*rw, gone, 0);
    rw->lock.word.store(shm::lock_held_by(gone) | shm::lock_in_line);
    shm::enter(rw->lock.line, {.token = gone, .thread = 0, .wants = shm::Wants::silence});
    died_writing = 1;
  }
  void thread(unsigned index) {
    if (index == 0) return live_and_die();
    if (index == 1) return write(1);
    if (mortal == Mortal::recovers_and_dies) recover(token_of(2));  // at the same time
    kernel.poll_readable();
    learn_of_death();
    if (learner == Learner::reads) read(2);
  }
  void after() {
    if (bug != ReadWriteBug::none) return;
    const std::uint64_t word = rw->lock.word.load();
    const int untold = (word & shm::lock_owner_died) != 0 ? 1 : 0;
    RL_ASSERT(shm::lock_owner(word) == 0 && shm::nobody_reads(*rw));
    RL_ASSERT(told(RL_INFO) + untold == died_writing);
    RL_ASSERT(guarded(RL_INFO) == written);
  }

  void live_and_die() {
    if (mortal == Mortal::reads) {
      read(0);
      return kernel.write_to(2);
    }
    const bool killed = mortality.ends([this] {
      if (mortal == Mortal::recovers_and_dies) return recover(token_of(0));
      if (mortal == Mortal::reads_and_dies) return read(0);
      write(0);
    });
    if (killed) {
      if (shm::lock_owner(rw->lock.word.load()) == token_of(0)) died_writing = 1;
      dead.store(1);
    }
    kernel.write_to(2);
  }

  void read(unsigned self) {
    const std::uint32_t slot = take_to_read(self);
    static_cast<void>(static_cast<int>(guarded(RL_INFO)));
    if (bug == ReadWriteBug::no_call_for_silence) {
      rw->readers[slot].reader.store(0);
    } else {
      shm::stop_reading(*rw, slot, kernel.waker());
    }
  }
  void write(unsigned self) {
    if (take_to_write(self) == shm::Turn::taken_after_death) told(RL_INFO) = told(RL_INFO) + 1;
    guarded(RL_INFO) = guarded(RL_INFO) + 1;
    ++written;
    const std::uint64_t token = token_of(self);
    if (shm::release_if_alone(rw->lock.word, token)) return;
    if (shm::release(rw->lock.word, rw->lock.line, token, false))
      shm::call_next(*rw, kernel.waker());
  }

  template <class Attempt>
  shm::Turn wait(unsigned self, shm::Wants wants, Attempt attempt) {
    return shm::stand_in_line(
        rw->lock.line, {.token = token_of(self), .thread = 0, .wants = wants}, attempt,
        [&] {
          if (wants == shm::Wants::silence && bug == ReadWriteBug::silence_is_not_said) return;
          shm::announce_line(rw->lock.word);
        },
        [&](std::uint32_t place) {
          kernel.futex_wait({futex_word(rw->lock.line.places[place].call, 0)});
          return shm::Turn::not_yet;
        });
  }

  std::uint32_t take_to_read(unsigned self) {
    std::uint32_t slot = shm::no_slot;
    const auto attempt = [&](std::uint32_t place) {
      if (bug == ReadWriteBug::no_look_at_the_word) {
        if (shm::lock_owner(rw->lock.word.load()) != 0) return shm::Turn::not_yet;
        slot = shm::claim_slot(*rw, token_of(self), 0);
        return shm::Turn::taken;
      }
      return shm::start_reading(*rw, token_of(self), place, 0, slot, kernel.waker());
    };
    if (attempt(shm::no_place) == shm::Turn::taken) return slot;
    wait(self, shm::Wants::to_read, attempt);
    if (shm::anybody(rw->lock.line)) shm::call_next(*rw, kernel.waker());
    return slot;
  }

  shm::Turn take_to_write(unsigned self) {
    const std::uint64_t token = token_of(self);
    const auto attempt = [&](std::uint32_t place) {
      return shm::take(rw->lock, token, shm::Fairness::first_come_first_served, place);
    };
    shm::Turn word = shm::Turn::taken;
    if (bug == ReadWriteBug::takes_like_a_mutex && shm::take_if_free(rw->lock.word, token)) {
      // An acquire, so that what follows may come before it.
    } else {
      word = attempt(shm::no_place);
      if (word == shm::Turn::not_yet) word = wait(self, shm::Wants::turn, attempt);
    }
    if (bug == ReadWriteBug::no_look_at_the_slots || shm::nobody_reads(*rw)) return word;
    wait(self, shm::Wants::silence, [&](std::uint32_t) {
      return shm::nobody_reads(*rw) ? shm::Turn::taken : shm::Turn::not_yet;
    });
    return word;
  }

  void learn_of_death() {
    const auto is_dead = [this](std::uint64_t token) { return is_dead_one(token); };
    if (bug == ReadWriteBug::dead_readers_count) {
      shm::recover_word(rw->lock.word, is_dead);
      return shm::call_next(*rw, kernel.waker());
    }
    if (bug == ReadWriteBug::called_are_not_woken) {
      shm::recover_word(rw->lock.word, is_dead);
      shm::clear_the_dead(rw->lock.line, token_of(2), is_dead, [](auto&) {});
      shm::announce_line(rw->lock.word);
      return shm::call_next(*rw, kernel.waker());
    }
    recover(token_of(2));
  }
  void recover(std::uint64_t self) {
    const auto is_dead = [this](std::uint64_t token) { return is_dead_one(token); };
    shm::recover(*rw, self, is_dead, kernel.waker());
  }
  bool is_dead_one(std::uint64_t token) {
    return token == token_of(3) || (token == token_of(0) && dead.load() != 0);
  }
};

constexpr Effort usual{.switches = 2, .random_schedules = 15'000};
constexpr Effort at_any_step{.switches = 1, .random_schedules = 15'000};

TEST(ReadWriteModel, ReadersAndAWriter) {
  expect_green<ReadWriteModel<Mortal::reads, ReadWriteBug::none>>(usual);
}
TEST(ReadWriteModel, AReaderDiesAtAnyStep) {
  expect_green<ReadWriteModel<Mortal::reads_and_dies, ReadWriteBug::none>>(at_any_step);
  expect_green<ReadWriteModel<Mortal::reads_and_dies, ReadWriteBug::none, Learner::only_learns>>(
      at_any_step);
}
TEST(ReadWriteModel, AWriterDiesAtAnyStep) {
  expect_green<ReadWriteModel<Mortal::writes_and_dies, ReadWriteBug::none>>(at_any_step);
  expect_green<ReadWriteModel<Mortal::writes_and_dies, ReadWriteBug::none, Learner::only_learns>>(
      at_any_step);
}
TEST(ReadWriteModel, OneDiesRecovering) {
  expect_green<ReadWriteModel<Mortal::recovers_and_dies, ReadWriteBug::none>>(at_any_step);
}

template <Mortal mortal, ReadWriteBug bug>
void expect_bug(rl::test_result_e how) {
  expect_red<ReadWriteModel<mortal, bug>>(how, usual);
}
TEST(ReadWriteModelSeeded, AReaderMustLookAtTheWordOnceMore) {
  expect_bug<Mortal::reads, ReadWriteBug::no_look_at_the_word>(rl::test_result_data_race);
}
TEST(ReadWriteModelSeeded, AnAcquireIsNoBarrierForAWriter) {
  expect_bug<Mortal::reads, ReadWriteBug::takes_like_a_mutex>(rl::test_result_data_race);
}
TEST(ReadWriteModelSeeded, AWriterMustLookAtTheSlots) {
  expect_bug<Mortal::reads, ReadWriteBug::no_look_at_the_slots>(rl::test_result_data_race);
}
TEST(ReadWriteModelSeeded, TheLastReaderMustCall) {
  expect_bug<Mortal::reads, ReadWriteBug::no_call_for_silence>(rl::test_result_deadlock);
}
TEST(ReadWriteModelSeeded, WhoWaitsForSilenceMustSaySo) {
  expect_bug<Mortal::reads, ReadWriteBug::silence_is_not_said>(rl::test_result_deadlock);
}
TEST(ReadWriteModelSeeded, ADeadReaderIsNoReader) {
  expect_bug<Mortal::reads_and_dies, ReadWriteBug::dead_readers_count>(rl::test_result_deadlock);
}
TEST(ReadWriteModelSeeded, WhoWasCalledByOneWhoDiedMustBeWoken) {
  constexpr auto bug = ReadWriteBug::called_are_not_woken;
  expect_red<ReadWriteModel<Mortal::writes_and_dies, bug, Learner::only_learns>>(
      rl::test_result_deadlock, at_any_step);
}

}  // namespace
}  // namespace signalbox::model
