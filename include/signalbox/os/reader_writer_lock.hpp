// os/reader_writer_lock.hpp: many readers or one writer, in shared memory.
//
//   Lives     as its memory does, or until destroy()
//   Threads   any number at a time; who locked unlocks, in the same thread
//   Crash     what the dead held stays locked for ever: see signalbox/lock.hpp for one that is
//             freed
//   Fork      a child must not unlock what its parent holds
//   Limits    about 500 million readers at a time
//   Pollable  no
//   Manual    pthread_rwlock_init(3p) pthread_rwlockattr_setkind_np(3)
#pragma once

#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fork_generation.hpp"
#include "signalbox/os/library_entry.hpp"
#include "signalbox/os/placed_memory.hpp"

namespace signalbox::os {

struct ReaderWriterLockOptions {
  // New readers wait while a writer waits. Without, readers that keep coming starve writers; with
  // it, a thread that reads must not lock to read once more.
  bool prefer_writers = false;
};

// The C library's lock. No wait here ends for a signal: handlers run, and the wait goes on until
// its deadline. Locking and unlocking enter the kernel only where somebody waits.
class ReaderWriterLock {
 public:
  using Memory = PlacedMemory<ReaderWriterLock>;

  // The right to read or to write, until it is destroyed or unlocked. Belongs to a thread.
  class Held {
   public:
    // Empty: holds nothing.
    Held() = default;
    Held(Held&& other) noexcept
        : native_(std::exchange(other.native_, nullptr)), generation_(other.generation_) {}
    Held& operator=(Held&& other) noexcept {
      if (this == &other) return *this;
      (void)unlock();
      native_ = std::exchange(other.native_, nullptr);
      generation_ = other.generation_;
      return *this;
    }
    ~Held() {
      if (native_ != nullptr && is_ours()) [[likely]]
        library::rwlock_unlock(native_);
    }
    explicit operator bool() const noexcept { return native_ != nullptr; }
    // Gives it back now and is empty then, whatever the answer; nothing to do where it is empty.
    // Error: wrong_process (in a forked child, whose parent still holds it).
    Result<void> unlock() {
      void* const native = std::exchange(native_, nullptr);
      if (native == nullptr) return {};
      if (!is_ours()) [[unlikely]]
        return of_the_parent();
      // It checks nothing, so there is nothing that it could answer.
      library::rwlock_unlock(native);
      return {};
    }

   private:
    friend class ReaderWriterLock;
    explicit Held(void* native) noexcept : native_(native), generation_(fork_generation()) {}
    bool is_ours() const noexcept { return generation_ == fork_generation(); }
    [[gnu::cold]] static Result<void> of_the_parent();
    void* native_ = nullptr;   // pthread_rwlock_t
    unsigned generation_ = 0;  // of forks
  };

  // Makes one in empty memory. Error: already_exists (the memory is not empty).
  static Result<ReaderWriterLock> create(Memory& memory, ReaderWriterLockOptions options = {});
  // Finds it there. Error: not_found (there is none, or it is not complete yet).
  static Result<ReaderWriterLock> open(Memory& memory);

  ReaderWriterLock(ReaderWriterLock&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)) {}
  ReaderWriterLock& operator=(ReaderWriterLock&& other) noexcept {
    memory_ = std::exchange(other.memory_, nullptr);
    return *this;
  }
  explicit operator bool() const noexcept { return memory_ != nullptr; }

  // Wait until it can be had. Errors: timed_out, would_deadlock (this thread holds it to write),
  // limit_reached (too many readers), closed (an empty handle).
  [[nodiscard]] Result<Held> lock_shared(Deadline deadline) {
    if (memory_ != nullptr && library::rwlock_try_read_lock(memory_->object) == 0) [[likely]]
      return Held(memory_->object);
    return lock_shared_slowly(deadline);
  }
  [[nodiscard]] Result<Held> lock_exclusive(Deadline deadline) {
    if (memory_ != nullptr && library::rwlock_try_write_lock(memory_->object) == 0) [[likely]]
      return Held(memory_->object);
    return lock_exclusive_slowly(deadline);
  }
  // Never wait; empty where somebody is in the way. Errors: limit_reached, closed.
  [[nodiscard]] Result<Held> try_lock_shared();
  [[nodiscard]] Result<Held> try_lock_exclusive();

  // Empties the memory and the handle; nobody may hold it.
  Result<void> destroy();

 private:
  explicit ReaderWriterLock(Memory& memory) noexcept : memory_(&memory) {}
  [[gnu::cold]] Result<Held> lock_shared_slowly(Deadline deadline);
  [[gnu::cold]] Result<Held> lock_exclusive_slowly(Deadline deadline);
  static Result<Held> held(int answer, void* native, const char* call);
  Memory* memory_;
};

}  // namespace signalbox::os
