// lock.hpp: a mutex between processes that outlives its holders.
//
// A lock has a name in a domain, like a topic: whoever opens it first makes it, and it goes with
// the last who has it open. Its word names the process that holds it. When that process dies, in
// whatever way, the lock is free at once, and the next owner is told (recovered.hpp).
//
//   Lives     while anybody has it open; longer if its last holder died and nobody was told
//   Threads   any: all threads of a process may share a handle; open it once more where that is
//             easier, it is the same lock
//   Crash     the holder's lock is given back within a millisecond or so of his end and the next
//             owner told, once; a stopped process holds on; an unreaped one does not
//   Fork      a child holds nothing, and its copies of handles answer wrong_process
//   Limits    256 waiters in line, those beyond look every millisecond; one descriptor and 17 KiB
//             a lock. The first of a process in a domain takes nine descriptors more and starts a
//             thread, which watches for deaths; both go with the last, but for one descriptor
//             (inotify) that is kept for the next. Where
//             /proc/sys/fs/inotify/max_user_instances is used up, deaths are noticed within 50 ms
//   Pollable  waitable(), in a WaitSet
//   Manual    futex(2) fcntl(2) inotify(7)
#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/recovered.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox {

namespace sync {
class MutexCore;
class ConditionCore;
}  // namespace sync

struct LockOptions {
  std::string_view domain{};  // empty: $SIGNALBOX_DOMAIN, else "default"
  // Once somebody stands in line, nobody who comes later takes the lock before him. It costs
  // throughput: each hand-over waits until the next has woken up. All users must ask for the same.
  bool first_come_first_served = false;
};

// Holds a mutex; gives it back when it dies. Move-only, false when empty. It must be released by
// the thread that took it.
class MutexGuard {
 public:
  MutexGuard() = default;
  MutexGuard(MutexGuard&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), unrepaired_(other.unrepaired_) {}
  MutexGuard& operator=(MutexGuard&& other) noexcept {
    MutexGuard old(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
    unrepaired_ = other.unrepaired_;
    return *this;
  }
  ~MutexGuard() {
    if (core_ != nullptr) give_back(core_, unrepaired_);
  }
  explicit operator bool() const noexcept { return core_ != nullptr; }

  // Gives it back now. Enters the kernel only if somebody sleeps in line.
  void release() noexcept {
    if (core_ != nullptr) give_back(std::exchange(core_, nullptr), unrepaired_);
  }
  // From now on any thread of this process may release it. In return nobody is told would_deadlock
  // until then: who holds it and asks again waits. For languages whose tasks change threads.
  void let_any_thread_release() noexcept;

 private:
  friend class Recovered<MutexGuard>;
  friend class Mutex;
  friend class sync::MutexCore;
  friend class sync::ConditionCore;
  explicit MutexGuard(sync::MutexCore* core, bool unrepaired) noexcept
      : core_(core), unrepaired_(unrepaired) {}
  // By value, so that a guard that is given to nobody need not lie in memory.
  static void give_back(sync::MutexCore* core, bool unrepaired) noexcept;
  bool is_unrepaired() const noexcept { return unrepaired_; }
  void repaired() noexcept { unrepaired_ = false; }

  sync::MutexCore* core_ = nullptr;
  bool unrepaired_ = false;
};

// One owner at a time. It must outlive its guards; if it does not, the lock stays with the process
// until the guard or the process goes. Move-only, false when moved from: then it may be destroyed
// and assigned to, and nothing else, because to ask for that would make the shortest path longer.
class Mutex {
 public:
  explicit operator bool() const noexcept { return core_ != nullptr; }
  // The mutex of that name, made if nobody has it open. Enters the kernel.
  // Errors: bad_name, type_mismatch (it is another kind of object, or of other options), damaged,
  // layout_mismatch, no_space, permission_denied, limit_reached, abandoned, system.
  static Result<Mutex> open(std::string_view name, const LockOptions& options = {});

  // Takes it, sleeping in line until it is free. Enters the kernel only to sleep.
  // Errors: timed_out, interrupted (with OnSignal::give_up), would_deadlock (this thread holds it),
  // wrong_process, damaged (its file was shortened or overwritten).
  Result<Recovered<MutexGuard>> lock(Deadline deadline,
                                     os::OnSignal on_signal = os::OnSignal::go_on) {
    if (take_if_free(core_.get())) [[likely]]
      return Recovered(MutexGuard(core_.get(), false));
    return lock_slowly(deadline, on_signal);
  }

  // Readable while try_lock() would succeed. Each call makes a new source with two descriptors,
  // once it is watched. Silent when the last handle of this process is gone. Where there was no
  // memory for it, watch() answers out_of_memory.
  Waitable waitable() const noexcept;

  // Takes it if it is free. Where it is not, the kernel is asked whether the owner lives.
  // Errors: would_block, would_deadlock, wrong_process, damaged.
  Result<Recovered<MutexGuard>> try_lock();

 private:
  explicit Mutex(std::shared_ptr<sync::MutexCore> core) noexcept : core_(std::move(core)) {}
  // The short way, which leaves the guard to the caller's registers.
  static bool take_if_free(sync::MutexCore* core) noexcept;
  Result<Recovered<MutexGuard>> lock_slowly(Deadline deadline, os::OnSignal on_signal);
  std::shared_ptr<sync::MutexCore> core_;
};

}  // namespace signalbox
