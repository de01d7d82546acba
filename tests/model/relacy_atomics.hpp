// relacy_atomics.hpp: the atomics policy that hands the shipped templates of src/shm to Relacy.
//
// Relacy runs the threads of a model as fibers, tries their interleavings, and lets every load
// answer any value that the C++ memory model allows. What is checked is the library's own source;
// only the atomic type and the fences are exchanged here. A policy can be weakened in one respect,
// for every thread or for one, which is how a check proves that it would notice.
//
//   Threads  Relacy's fibers, all in one thread
//   Limits   loads never see the future (Relacy does not reorder a load after a later store)
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <source_location>

// The parts of relacy.hpp, without those that rename half of the language and of POSIX for code
// that was not written over a policy.
#include <relacy/atomic.hpp>
#include <relacy/atomic_fence.hpp>
#include <relacy/backoff.hpp>
#include <relacy/base.hpp>
#include <relacy/context.hpp>
#include <relacy/context_base_impl.hpp>
#include <relacy/stdlib/condition_variable.hpp>
#include <relacy/stdlib/event.hpp>
#include <relacy/stdlib/mutex.hpp>
#include <relacy/stdlib/semaphore.hpp>
#include <relacy/test_suite.hpp>
#include <relacy/thread_local.hpp>
#include <relacy/var.hpp>

#include "signalbox/shm/atomics.hpp"

namespace signalbox::model {

// What a policy forgets.
enum class Weakened {
  nothing,
  release_stores,  // are relaxed
  acquire_loads,   // are relaxed
  release_fences,  // are not there
  acquire_fences,  // are not there
  full_fences      // are not there
};

inline rl::memory_order relacy_order(std::memory_order order) {
  switch (order) {
    case std::memory_order_relaxed:
      return rl::mo_relaxed;
    case std::memory_order_consume:
      return rl::mo_consume;
    case std::memory_order_acquire:
      return rl::mo_acquire;
    case std::memory_order_release:
      return rl::mo_release;
    case std::memory_order_acq_rel:
      return rl::mo_acq_rel;
    case std::memory_order_seq_cst:
      return rl::mo_seq_cst;
  }
  return rl::mo_seq_cst;
}

// Where in the source something happened, for Relacy's history of a failed run.
inline rl::debug_info relacy_place(const std::source_location& where) {
  return {where.function_name(), where.file_name(), where.line()};
}

using Place = std::source_location;

inline constexpr int every_thread = -1;

// Is this respect forgotten, by the thread that is running?
template <Weakened weakened, int by_thread>
bool forgets(Weakened respect) {
  return weakened == respect &&
         (by_thread == every_thread || by_thread == static_cast<int>(rl::thread_index()));
}

// Called before each operation, if somebody asked for it (mortality.hpp).
inline void (*before_step)() = nullptr;
inline void step() {
  if (before_step != nullptr) before_step();
}

// Looks like std::atomic<T>; starts with zero, as shared memory does.
template <class T, Weakened weakened, int by_thread>
class ModelAtomic {
 public:
  ModelAtomic() : value_(T{}) {}
  ModelAtomic(const ModelAtomic&) = delete;
  ModelAtomic& operator=(const ModelAtomic&) = delete;

  T load(std::memory_order order = std::memory_order_seq_cst,
         Place where = Place::current()) const {
    step();
    if (order == std::memory_order_acquire &&
        forgets<weakened, by_thread>(Weakened::acquire_loads)) {
      order = std::memory_order_relaxed;
    }
    return value_.load(relacy_order(order), relacy_place(where));
  }
  // Inside a call, which is one step.
  T load_in_kernel() const { return value_.load(rl::mo_relaxed, RL_INFO); }
  void store(T value, std::memory_order order = std::memory_order_seq_cst,
             Place where = Place::current()) {
    step();
    if (order == std::memory_order_release &&
        forgets<weakened, by_thread>(Weakened::release_stores)) {
      order = std::memory_order_relaxed;
    }
    value_.store(value, relacy_order(order), relacy_place(where));
  }
  T exchange(T value, std::memory_order order = std::memory_order_seq_cst,
             Place where = Place::current()) {
    step();
    return value_.exchange(value, relacy_order(order), relacy_place(where));
  }
  T fetch_add(T value, std::memory_order order = std::memory_order_seq_cst,
              Place where = Place::current()) {
    step();
    return value_.fetch_add(value, relacy_order(order), relacy_place(where));
  }
  T fetch_or(T value, std::memory_order order = std::memory_order_seq_cst,
             Place where = Place::current()) {
    step();
    return value_.fetch_or(value, relacy_order(order), relacy_place(where));
  }
  bool compare_exchange_strong(T& expected, T value,
                               std::memory_order order = std::memory_order_seq_cst,
                               std::memory_order failed = std::memory_order_seq_cst,
                               Place where = Place::current()) {
    step();
    const bool forgotten = (order == std::memory_order_acquire &&
                            forgets<weakened, by_thread>(Weakened::acquire_loads)) ||
                           (order == std::memory_order_release &&
                            forgets<weakened, by_thread>(Weakened::release_stores));
    if (forgotten) order = std::memory_order_relaxed;
    return value_.compare_exchange_strong(expected, value, relacy_order(order), relacy_place(where),
                                          relacy_order(failed), relacy_place(where));
  }

 private:
  rl::atomic<T> value_;
};

template <Weakened weakened = Weakened::nothing, int by_thread = every_thread>
struct RelacyAtomics : shm::WordByWord {
  template <class T>
  using atomic = ModelAtomic<T, weakened, by_thread>;

  static void fence(std::memory_order order, Place where = Place::current()) {
    const auto respect =
        order == std::memory_order_release ? Weakened::release_fences : Weakened::acquire_fences;
    if (forgets<weakened, by_thread>(respect)) return;
    rl::atomic_thread_fence(relacy_order(order), relacy_place(where));
  }
  static void full_fence(Place where = Place::current()) {
    if (forgets<weakened, by_thread>(Weakened::full_fences)) return;
    rl::atomic_thread_fence(rl::mo_seq_cst, relacy_place(where));
  }
  // So that the writer takes back the rest of every slot of several lines.
  static constexpr std::uint32_t slot_lines_asked_for = 1;
  // Nothing at all to the processor: whoever relies on it must pass heavy_barrier().
  static void compiler_fence() {}
};

// membarrier(GLOBAL_EXPEDITED), which os::heavy_barrier() calls: each of the other threads passes a
// full barrier at some moment between call and return, one after the other and not all at once.
template <rl::thread_id_t threads>
void heavy_barrier(Place where = Place::current()) {
  rl::context& model = rl::ctx();
  rl::atomic_thread_fence(rl::mo_seq_cst, relacy_place(where));
  // Relacy keeps its threads in one array; each knows its place in it.
  using Thread = rl::aligned<rl::thread_info<threads>>;
  auto* caller = static_cast<Thread*>(static_cast<rl::thread_info<threads>*>(model.threadx_));
  Thread* const first = caller - caller->index_;
  for (rl::thread_id_t i = 0; i < threads; ++i) {
    if (i == caller->index_) continue;
    model.sched();
    Thread& other = first[i];
    other.atomic_thread_fence_acquire();
    for (rl::thread_id_t k = 0; k < threads; ++k) {
      const auto newest = std::max(caller->acq_rel_order_[k], other.acq_rel_order_[k]);
      caller->acq_rel_order_[k] = other.acq_rel_order_[k] = newest;
    }
    other.atomic_thread_fence_release();
  }
  rl::atomic_thread_fence(rl::mo_seq_cst, relacy_place(where));
}

}  // namespace signalbox::model
