// atomics.hpp: the policy every lock-free template here is written over, and its shipped form.
//
// A policy names an atomic type, a fence, and the two halves of an asymmetric barrier. The model
// checker brings its own policy (tests/model), so what is checked is this very source.
//
//   P::template atomic<T>   load, store, exchange, fetch_add, fetch_or with std::memory_order
//   P::fence(order)         a thread fence
//   P::full_fence()         orders an earlier store before a later load
#pragma once

#include <atomic>
#include <cstdint>

namespace signalbox::shm {

struct RealAtomics {
  template <class T>
  using atomic = std::atomic<T>;
  static void fence(std::memory_order order) noexcept { std::atomic_thread_fence(order); }
  static void full_fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
  // Keeps the compiler from reordering; the processor's half is done by the other side's heavy
  // barrier (os::heavy_barrier).
  static void compiler_fence() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "slots are 64-bit words");
static_assert(sizeof(std::atomic<std::uint64_t>) == 8);

}  // namespace signalbox::shm
