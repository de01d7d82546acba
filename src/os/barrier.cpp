#include "signalbox/os/barrier.hpp"

#include <pthread.h>

#include "os/placed_object.hpp"

namespace signalbox::os {

namespace {

int init(pthread_barrier_t* native, std::uint32_t count) noexcept {
  pthread_barrierattr_t how{};
  ::pthread_barrierattr_init(&how);
  ::pthread_barrierattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  const int refused = ::pthread_barrier_init(native, &how, count);
  ::pthread_barrierattr_destroy(&how);
  return refused;
}

}  // namespace

Result<Barrier> Barrier::create(Memory& memory, std::uint32_t count) {
  auto made =
      place<pthread_barrier_t>(memory, Placed::barrier, "pthread_barrier_init",
                               [&](pthread_barrier_t* native) { return init(native, count); });
  if (!made) return std::unexpected(std::move(made.error()));
  return Barrier(memory);
}

Result<Barrier> Barrier::open(Memory& memory) {
  auto found = find_placed<pthread_barrier_t>(memory, Placed::barrier);
  if (!found) return std::unexpected(std::move(found.error()));
  return Barrier(memory);
}

static_assert(PTHREAD_BARRIER_SERIAL_THREAD == -1, "wait() says so");

Result<bool> Barrier::empty() { return std::unexpected(object_closed_error(Placed::barrier)); }

Result<void> Barrier::destroy() {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::barrier));
  const int refused = ::pthread_barrier_destroy(native_in<pthread_barrier_t>(*memory_));
  if (refused != 0) {
    return std::unexpected(placed_failure(refused, "pthread_barrier_destroy", Placed::barrier));
  }
  mark_empty(*std::exchange(memory_, nullptr));
  return {};
}

}  // namespace signalbox::os
