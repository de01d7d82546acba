// The kinds of objects: how many bytes the state of each has, how it begins, and its core.
#include <new>

#include "sync/meeting_core.hpp"
#include "sync/mutex_core.hpp"
#include "sync/read_write_core.hpp"
#include "sync/semaphore_core.hpp"
#include "sync/shared_object.hpp"

namespace signalbox::sync {

std::uint64_t bytes_of(const Terms& terms) noexcept {
  switch (terms.kind) {
    case Kind::mutex:
      return sizeof(Lock);
    case Kind::semaphore:
      return sizeof(shm::UnitsState<Atomics>) + terms.capacity * sizeof(std::uint64_t);
    case Kind::read_write_lock:
      return sizeof(ReadWrite);
    case Kind::condition:
      return sizeof(WaitingLine);
    case Kind::barrier:
      break;
  }
  return sizeof(Meeting);
}

// The file reads as zeroes until now, and nobody else sees it yet.
void begin_state(const Terms& terms, std::uint32_t units, std::byte* state) noexcept {
  switch (terms.kind) {
    case Kind::mutex:
      (new (state) Lock{})->word.store(shm::lock_free);
      break;
    case Kind::semaphore: {
      new (state) shm::UnitsState<Atomics>{};
      auto* const words = state + sizeof(shm::UnitsState<Atomics>);
      for (std::uint32_t i = 0; i < terms.capacity; ++i) {
        const std::uint64_t word = i < units ? shm::unit_free : shm::unit_absent;
        new (words + i * sizeof(word)) std::atomic<std::uint64_t>(word);
      }
      break;
    }
    case Kind::read_write_lock:
      (new (state) ReadWrite{})->lock.word.store(shm::lock_free);
      break;
    case Kind::condition:
      new (state) WaitingLine{};
      break;
    case Kind::barrier:
      (new (state) Meeting{})->word.store(shm::barrier_valid);
      break;
  }
}

std::unique_ptr<SharedObject> make_core(OpenObject&& opened) {
  switch (opened.terms.kind) {
    case Kind::mutex:
      return std::make_unique<MutexCore>(std::move(opened));
    case Kind::semaphore:
      return std::make_unique<SemaphoreCore>(std::move(opened));
    case Kind::read_write_lock:
      return std::make_unique<ReadWriteCore>(std::move(opened));
    case Kind::condition:
      return std::make_unique<ConditionCore>(std::move(opened));
    case Kind::barrier:
      break;
  }
  return std::make_unique<BarrierCore>(std::move(opened));
}

}  // namespace signalbox::sync
