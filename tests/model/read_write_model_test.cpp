// Goal: a writer is alone, readers are not disturbed, and nobody sleeps on with what he waits for
// free: also when a reader or a writer dies.
// Method: the shipped template of the reader/writer lock with the steps of ReadWriteCore around it
// restated. Thread 0 is mortal: it reads or writes and may die doing so. Thread 1 writes. Thread 2
// learns of the death as a member's background thread does, and reads.
#include "kernel_model.hpp"
#include "model_run.hpp"

#include "shm/read_write.hpp"

namespace signalbox::model {
namespace {

enum class Bug {
  none,
  takes_like_a_mutex,    // the writer's exchange is not ordered before its look at the slots
  no_look_at_the_word,   // the reader claims a slot and trusts what it saw before
  no_look_at_the_slots,  // the writer takes the word and trusts that nobody reads
  no_call_for_silence,   // the last reader leaves without a word
  dead_readers_count,    // nobody frees a dead reader's slot
  silence_is_not_said    // the writer waits for silence without an announcement
};
enum class Mortal { reads, reads_and_dies, writes_and_dies };

constexpr std::uint64_t token_of(unsigned thread) { return (thread + 1) << 3; }

template <Mortal mortal, Bug bug>
struct ReadWriteModel : rl::test_suite<ReadWriteModel<mortal, bug>, 3> {
  using P = RelacyAtomics<>;
  Placed<shm::ReadWriteState<P, 2, 3>> rw;
  KernelModel<3> kernel;
  typename P::template atomic<std::uint32_t> dead;
  rl::var<int> guarded;

  void before() {
    rw->lock.word.store(shm::lock_free);
    guarded(RL_INFO) = 0;
  }
  void thread(unsigned index) {
    if (index == 0) return live_and_die();
    if (index == 1) return write(1);
    kernel.poll_readable();
    learn_of_death();
    read(2);
  }
  void after() { RL_ASSERT(bug != Bug::none || shm::nobody_reads(*rw)); }

  auto waker() {
    return [this](shm::Place<P>& place) { kernel.futex_wake_all(&place.call); };
  }

  void live_and_die() {
    if (mortal == Mortal::writes_and_dies) {
      take_to_write(0);
      guarded(RL_INFO) = guarded(RL_INFO) + 1;
      dead.store(1);
    } else if (mortal == Mortal::reads_and_dies) {
      take_to_read(0);
      static_cast<void>(static_cast<int>(guarded(RL_INFO)));
      dead.store(1);
    } else {
      read(0);
    }
    kernel.write_to(2);
  }

  void read(unsigned self) {
    const std::uint32_t slot = take_to_read(self);
    static_cast<void>(static_cast<int>(guarded(RL_INFO)));
    if (bug == Bug::no_call_for_silence) {
      rw->readers[slot].reader.store(0);
    } else {
      shm::stop_reading(*rw, slot, waker());
    }
  }
  void write(unsigned self) {
    take_to_write(self);
    guarded(RL_INFO) = guarded(RL_INFO) + 1;
    const std::uint64_t token = token_of(self);
    if (shm::release_if_alone(rw->lock.word, token)) return;
    if (shm::release(rw->lock.word, rw->lock.line, token, false)) shm::call_next(*rw, waker());
  }

  template <class Attempt>
  void wait(unsigned self, shm::Wants wants, Attempt attempt) {
    shm::stand_in_line(
        rw->lock.line, {.token = token_of(self), .thread = 0, .wants = wants}, attempt,
        [&] {
          if (wants == shm::Wants::silence && bug == Bug::silence_is_not_said) return;
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
      if (bug == Bug::no_look_at_the_word) {
        if (shm::lock_owner(rw->lock.word.load()) != 0) return shm::Turn::not_yet;
        slot = shm::claim_slot(*rw, token_of(self), 0);
        return shm::Turn::taken;
      }
      return shm::start_reading(*rw, token_of(self), place, 0, slot, waker());
    };
    if (attempt(shm::no_place) == shm::Turn::taken) return slot;
    wait(self, shm::Wants::to_read, attempt);
    if (shm::anybody(rw->lock.line)) shm::call_next(*rw, waker());
    return slot;
  }

  void take_to_write(unsigned self) {
    const std::uint64_t token = token_of(self);
    const auto attempt = [&](std::uint32_t place) {
      return shm::take(rw->lock, token, shm::Fairness::first_come_first_served, place);
    };
    if (bug == Bug::takes_like_a_mutex && shm::take_if_free(rw->lock.word, token)) {
      // An acquire, so that what follows may come before it.
    } else if (!shm::is_taken(attempt(shm::no_place))) {
      wait(self, shm::Wants::turn, attempt);
    }
    if (bug == Bug::no_look_at_the_slots || shm::nobody_reads(*rw)) return;
    wait(self, shm::Wants::silence, [&](std::uint32_t) {
      return shm::nobody_reads(*rw) ? shm::Turn::taken : shm::Turn::not_yet;
    });
  }

  void learn_of_death() {
    if (dead.load() == 0) return;
    const auto is_dead = [](std::uint64_t token) { return token == token_of(0); };
    if (bug == Bug::dead_readers_count) {
      shm::recover_word(rw->lock.word, is_dead);
      return shm::call_next(*rw, waker());
    }
    shm::recover(*rw, token_of(2), is_dead, waker());
  }
};

constexpr Effort usual{.switches = 2, .random_schedules = 15'000};

TEST(ReadWriteModel, ReadersAndAWriter) {
  expect_green<ReadWriteModel<Mortal::reads, Bug::none>>(usual);
}
TEST(ReadWriteModel, AReaderDies) {
  expect_green<ReadWriteModel<Mortal::reads_and_dies, Bug::none>>(usual);
}
TEST(ReadWriteModel, AWriterDies) {
  expect_green<ReadWriteModel<Mortal::writes_and_dies, Bug::none>>(usual);
}

template <Mortal mortal, Bug bug>
void expect_bug(rl::test_result_e how) {
  expect_red<ReadWriteModel<mortal, bug>>(how, usual);
}
TEST(ReadWriteModelSeeded, AReaderMustLookAtTheWordOnceMore) {
  expect_bug<Mortal::reads, Bug::no_look_at_the_word>(rl::test_result_data_race);
}
TEST(ReadWriteModelSeeded, AnAcquireIsNoBarrierForAWriter) {
  expect_bug<Mortal::reads, Bug::takes_like_a_mutex>(rl::test_result_data_race);
}
TEST(ReadWriteModelSeeded, AWriterMustLookAtTheSlots) {
  expect_bug<Mortal::reads, Bug::no_look_at_the_slots>(rl::test_result_data_race);
}
TEST(ReadWriteModelSeeded, TheLastReaderMustCall) {
  expect_bug<Mortal::reads, Bug::no_call_for_silence>(rl::test_result_deadlock);
}
TEST(ReadWriteModelSeeded, WhoWaitsForSilenceMustSaySo) {
  expect_bug<Mortal::reads, Bug::silence_is_not_said>(rl::test_result_deadlock);
}
TEST(ReadWriteModelSeeded, ADeadReaderIsNoReader) {
  expect_bug<Mortal::reads_and_dies, Bug::dead_readers_count>(rl::test_result_deadlock);
}

}  // namespace
}  // namespace signalbox::model
