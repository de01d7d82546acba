// os/robust_mutex.hpp: a mutex in shared memory that tells the next who locks that its holder died.
//
//   Lives     as its memory does, or until destroy()
//   Threads   any number at a time; who locked unlocks, in the same thread
//   Crash     the next to lock gets it and is told; kept too when a holder ends or execs
//   Fork      a child holds nothing of what its parent holds
//   Limits    the kernel frees 2048 locks of a dead thread; priority inheritance: Linux 5.14
//   Pollable  no
//   Manual    pthread_mutexattr_setrobust(3) pthread_mutex_lock(3) get_robust_list(2)
#pragma once

#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/library_entry.hpp"
#include "signalbox/os/placed_memory.hpp"

namespace signalbox::os {

struct RobustMutexOptions {
  // While somebody more urgent waits, the holder runs as urgently as they.
  bool priority_inheritance = false;
};

// The C library's mutex, which the kernel finds in a list of the holding thread when that dies.
// Never unmap its memory while a thread of this process holds, locks or unlocks it: the kernel
// would free it somewhere else. signalbox/lock.hpp has locks without that list, with a name, and
// ones that a WaitSet waits for.
//
// No wait here ends for a signal: handlers run, and the wait goes on until its deadline. Locking
// and unlocking enter the kernel only where somebody waits.
class RobustMutex {
 public:
  using Memory = PlacedMemory<RobustMutex>;

  // The right to what the mutex guards, until it is destroyed or unlocked. Belongs to a thread.
  class Held {
   public:
    // Empty: holds nothing.
    Held() = default;
    Held(Held&& other) noexcept
        : native_(std::exchange(other.native_, nullptr)),
          owner_died_(std::exchange(other.owner_died_, false)) {}
    Held& operator=(Held&& other) noexcept {
      if (this == &other) return *this;
      (void)unlock();
      native_ = std::exchange(other.native_, nullptr);
      owner_died_ = std::exchange(other.owner_died_, false);
      return *this;
    }
    ~Held() {
      if (native_ != nullptr) library::mutex_unlock(native_);
    }
    explicit operator bool() const noexcept { return native_ != nullptr; }

    // The last holder died while it held the mutex, so what it guards may be half changed. Handle
    // it: repair that and mark_consistent(). Unlocked without, the mutex can never be locked again
    // (`damaged`), because nobody vouches for what it guards.
    bool owner_died() const noexcept { return owner_died_; }
    // What the mutex guards is in order again. Error: bad_argument (nobody had died).
    Result<void> mark_consistent();

    // Gives it back now and is empty then, whatever the answer; nothing to do where it is empty.
    // Error: permission_denied (locked by another thread, or before a fork).
    Result<void> unlock() {
      owner_died_ = false;
      void* const native = std::exchange(native_, nullptr);
      if (native == nullptr) return {};
      const int refused = library::mutex_unlock(native);
      if (refused == 0) [[likely]]
        return {};
      return not_unlocked(refused);
    }

   private:
    friend class RobustMutex;
    friend class Condition;
    Held(void* native, bool owner_died) noexcept : native_(native), owner_died_(owner_died) {}
    [[gnu::cold]] static Result<void> not_unlocked(int refused);
    void* native_ = nullptr;  // pthread_mutex_t
    bool owner_died_ = false;
  };

  // Makes one in empty memory. Errors: already_exists (the memory is not empty), not_supported.
  static Result<RobustMutex> create(Memory& memory, RobustMutexOptions options = {});
  // Finds it there. Error: not_found (there is none, or it is not complete yet).
  static Result<RobustMutex> open(Memory& memory);

  RobustMutex(RobustMutex&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
  RobustMutex& operator=(RobustMutex&& other) noexcept {
    memory_ = std::exchange(other.memory_, nullptr);
    return *this;
  }
  explicit operator bool() const noexcept { return memory_ != nullptr; }

  // Waits until nobody holds it. Ask owner_died() of what you get.
  // Errors: timed_out, would_deadlock (this thread holds it), damaged (see owner_died()), closed
  // (an empty handle), not_supported (priority inheritance with a deadline before Linux 5.14).
  [[nodiscard]] Result<Held> lock(Deadline deadline) {
    int answer = not_tried;
    if (memory_ != nullptr && deadline.is_never()) [[likely]]
      answer = library::mutex_lock(memory_->object);
    if (answer == 0) [[likely]]
      return Held(memory_->object, false);
    return lock_after(answer, deadline);
  }
  // Never waits; empty where somebody else holds it. Errors: would_deadlock, damaged, closed.
  [[nodiscard]] Result<Held> try_lock();

  // Empties the memory and the handle, also of a mutex that is damaged; nobody may hold it.
  Result<void> destroy();

 private:
  static constexpr int not_tried = -1;  // no errno
  explicit RobustMutex(Memory& memory) noexcept : memory_(&memory) {}
  // What is left to do after the C library has answered so, or was not asked yet.
  [[gnu::cold]] Result<Held> lock_after(int answer, Deadline deadline);
  Memory* memory_;
};

}  // namespace signalbox::os
