// kernel_model.hpp: what the models need of the kernel: futexes and a pipe to poll.
//
// A call is one step: the kernel holds its own lock, and entering and leaving it is a full barrier.
// Sleeps have no time limit here, so a lost wake-up ends in a deadlock, which Relacy reports.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "relacy_atomics.hpp"

namespace signalbox::model {

// While it lives no other thread of the model runs, unless this one goes to sleep.
class InKernel {
 public:
  InKernel() : alone_(entered()) { rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO); }

 private:
  static rl::context& entered() {
    step();
    return rl::ctx();
  }
  rl::preemption_disabler alone_;
};

// A word of shared memory to sleep on, and what it held when the sleeper looked.
struct FutexWord {
  const void* address = nullptr;
  bool (*differs)(const void* address, std::uint64_t expected) = nullptr;
  std::uint64_t expected = 0;
};

template <class Atomic>
FutexWord futex_word(const Atomic& word, std::uint64_t expected) {
  return {&word,
          [](const void* address, std::uint64_t seen) {
            return static_cast<const Atomic*>(address)->load_in_kernel() != seen;
          },
          expected};
}

template <rl::thread_id_t threads>
class KernelModel {
 public:
  // futex_waitv: sleeps unless one of the words no longer holds what was expected.
  void futex_wait(std::initializer_list<FutexWord> words) {
    const InKernel call;
    Sleeper& self = sleepers_[rl::thread_index()];
    for (const FutexWord& word : words) {
      if (word.differs(word.address, word.expected)) return;
    }
    self.words = 0;
    for (const FutexWord& word : words) self.addresses[self.words++] = word.address;
    park(self);
    self.words = 0;
  }
  void futex_wake_all(const void* address) {
    const InKernel call;
    for (Sleeper& sleeper : sleepers_) {
      for (int i = 0; i < sleeper.words; ++i) {
        if (sleeper.addresses[i] != address) continue;
        sleeper.words = 0;
        sleeper.queue.unpark_one(rl::ctx(), RL_INFO);
        break;
      }
    }
  }

  // Of SharedObject: wakes whoever sleeps on a place in line.
  auto waker() {
    return [this](auto& place) { futex_wake_all(&place.call); };
  }

  // A pipe that the thread of this index reads.
  void poll_readable() {
    const InKernel call;
    Sleeper& self = sleepers_[rl::thread_index()];
    if (!self.readable) park(self);
  }
  bool drain() {
    const InKernel call;
    return std::exchange(sleepers_[rl::thread_index()].readable, false);
  }
  void write_to(rl::thread_id_t reader) {
    const InKernel call;
    Sleeper& sleeper = sleepers_[reader];
    sleeper.readable = true;
    if (sleeper.queue) sleeper.queue.unpark_one(rl::ctx(), RL_INFO);
  }

 private:
  struct Sleeper {
    const void* addresses[4] = {};
    int words = 0;
    bool readable = false;
    rl::waitset<threads> queue;
  };

  static void park(Sleeper& self) {
    self.queue.park_current(rl::ctx(), false, false, false, RL_INFO);
    rl::atomic_thread_fence(rl::mo_seq_cst, RL_INFO);
  }

  Sleeper sleepers_[threads];
};

}  // namespace signalbox::model
