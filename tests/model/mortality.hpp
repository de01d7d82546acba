// mortality.hpp: a thread of a model that may be killed before any of its steps.
//
// A step is an operation on shared memory or a call of the kernel: a kill between two of them is
// one before the second. Whether it comes is the checker's choice: a random schedule kills once in
// so many steps, the search through all schedules tries each step. One who is killed asleep is one
// who was killed before he fell asleep: what others did to him meanwhile, they did to the words.
//
//   Threads  Relacy's fibers, all in one thread; one mortal at a time
//   Limits   nothing with a destructor may live in the frames that a life makes
#pragma once

#include <csetjmp>

#include "relacy_atomics.hpp"

namespace signalbox::model {

class Mortality {
 public:
  // A run that failed may have ended in the middle of a life.
  Mortality() { before_step = nullptr; }

  // Runs life() in this thread. True if it was killed.
  template <class Life>
  [[gnu::noinline]] bool ends(Life life) {
    at_risk = this;
    thread_ = rl::thread_index();
    // Not an exception, because the shipped source is noexcept.
    if (_setjmp(end_) != 0) return true;
    before_step = &perhaps_kill;
    life();
    before_step = nullptr;
    return false;
  }

 private:
  static void perhaps_kill() {
    if (rl::thread_index() != at_risk->thread_) return;
    constexpr unsigned rarely = 24;
    if (rl::rand(rl::ctx().is_random_sched() ? rarely : 2) != 0) return;
    before_step = nullptr;
    _longjmp(at_risk->end_, 1);  // as Relacy does from fiber to fiber
  }

  static inline Mortality* at_risk = nullptr;
  std::jmp_buf end_{};
  unsigned thread_ = 0;
};

}  // namespace signalbox::model
