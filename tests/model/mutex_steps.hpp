// mutex_steps.hpp: how MutexCore takes and gives back its mutex, restated around the shipped
// templates for the models that have one.
#pragma once

#include "kernel_model.hpp"
#include "model_run.hpp"

#include "shm/lock_word.hpp"

namespace signalbox::model {

// What a model can carry.
enum class Bug {
  none,
  no_announcement,               // who waits does not say so
  reset_before_sleep,            // the call is taken back after the look, not before it
  no_call,                       // whoever releases calls nobody
  no_call_after_death,           // the dead one's lock is given back, and nobody is called
  takes_over_unasked,            // the word is overwritten, whoever has it by now
  dead_stay_in_line,             // who died in line is called for ever
  leaves_without_a_word,         // who gives up does not pass on the call he may have had
  called_are_not_woken,          // who is called counts as awake, though his caller died
  announcement_is_not_made_anew  // though who died may have taken it back
};

constexpr std::uint64_t token_of(unsigned thread) { return (thread + 1) << 3; }

// `line` has one place for each thread.
template <class P, Bug bug, rl::thread_id_t threads,
          shm::Fairness fairness = shm::Fairness::newcomers_may_overtake>
struct MutexSteps {
  using Lock = shm::LockState<P, threads>;

  shm::Turn take(std::uint64_t token) {
    if (shm::take_if_free(lock.word, token)) return shm::Turn::taken;
    return shm::stand_in_line(
        lock.line, {.token = token, .thread = 0},
        [&](std::uint32_t place) { return shm::take(lock, token, fairness, place); },
        [&] {
          if (bug != Bug::no_announcement) shm::announce_line(lock.word);
        },
        [&](std::uint32_t place) {
          if (bug == Bug::reset_before_sleep) lock.line.places[place].call.store(0);
          kernel.futex_wait({futex_word(lock.line.places[place].call, 0)});
          return shm::Turn::not_yet;
        });
  }
  void release(std::uint64_t token) {
    if (shm::release_if_alone(lock.word, token)) return;
    const bool somebody = shm::release(lock.word, lock.line, token, false);
    if (somebody && bug != Bug::no_call) shm::call_next(lock, kernel.waker());
  }

  Lock& lock;
  KernelModel<threads>& kernel;
};

}  // namespace signalbox::model
