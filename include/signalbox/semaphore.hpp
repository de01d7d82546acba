// semaphore.hpp: a counting semaphore between processes whose units come back from the dead.
//
// A semaphore has a name in a domain, like a topic: whoever opens it first makes it, and it goes
// with the last who has it open. It is a fixed number of units, each of which is free, held by a
// process, or absent. What a process holds comes back by itself when it dies: each unit once.
//
//   Lives     while anybody has it open
//   Threads   any: all threads of a process may share a handle
//   Crash     units held are given back within a millisecond or so of the holder's end; what was
//             posted or used up stays so. A stopped process holds on; an unreaped one does not
//   Fork      a child holds nothing, and its copies of handles answer wrong_process
//   Limits    4096 units; 256 waiters in line, those beyond look every millisecond; one descriptor
//             and 17 KiB a semaphore, and what a process's first lock takes (lock.hpp). Where
//             /proc/sys/fs/inotify/max_user_instances is used up, deaths are noticed within 50 ms
//   Pollable  waitable(), in a WaitSet
//   Manual    futex(2) fcntl(2) inotify(7)
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox {

namespace sync {
class SemaphoreCore;
}

struct SemaphoreOptions {
  std::uint32_t units_max;               // all users must ask for the same
  std::optional<std::uint32_t> units{};  // how many are free when it is made; empty: all
  std::string_view domain{};             // empty: $SIGNALBOX_DOMAIN, else "default"
  bool first_come_first_served = false;  // see LockOptions; all users must ask for the same
};

// Holds one unit; gives it back when it dies. Move-only, false when empty.
class Permit {
 public:
  Permit() = default;
  Permit(Permit&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), unit_(other.unit_) {}
  Permit& operator=(Permit&& other) noexcept {
    Permit old(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
    unit_ = other.unit_;
    return *this;
  }
  ~Permit() { release(); }
  explicit operator bool() const noexcept { return core_ != nullptr; }

  // Gives it back now. Enters the kernel only if somebody sleeps in line.
  void release() noexcept {
    if (core_ != nullptr) give_back();
  }
  // The unit is absent from now on: what it stood for was taken away. Never enters the kernel.
  void use_up() noexcept;

 private:
  friend class Semaphore;
  friend class sync::SemaphoreCore;
  Permit(sync::SemaphoreCore* core, std::uint32_t unit) noexcept : core_(core), unit_(unit) {}
  void give_back() noexcept;

  sync::SemaphoreCore* core_ = nullptr;
  std::uint32_t unit_ = 0;
};

// It must outlive its permits; if it does not, they stay with the process. Move-only, false when
// moved from: as Mutex.
class Semaphore {
 public:
  explicit operator bool() const noexcept { return core_ != nullptr; }
  // The semaphore of that name, made if nobody has it open. Enters the kernel.
  // Errors: bad_argument (units_max is 0 or above 4096, or units above it), bad_name,
  // type_mismatch (it is another kind of object, or of other options), damaged, layout_mismatch,
  // no_space, permission_denied, limit_reached, abandoned, system.
  static Result<Semaphore> open(std::string_view name, const SemaphoreOptions& options);

  // Takes a unit that comes back with the permit, or with our death. Sleeps in line while none is
  // free; enters the kernel only for that. Errors: timed_out, interrupted (with OnSignal::give_up),
  // wrong_process, damaged.
  Result<Permit> acquire(Deadline deadline, os::OnSignal on_signal = os::OnSignal::go_on);
  // Errors: would_block, wrong_process, damaged. Where none is free, the kernel is asked whether
  // their holders live.
  Result<Permit> try_acquire();

  // Takes a unit away for good, in one step: sem_wait(). Errors as acquire() and try_acquire().
  Result<void> consume(Deadline deadline, os::OnSignal on_signal = os::OnSignal::go_on);
  Result<void> try_consume();
  // Makes an absent unit free, and wakes one who waits: sem_post(). Enters the kernel only for
  // that. Errors: out_of_range (no unit is absent), wrong_process, damaged.
  Result<void> post();

  // Readable while try_acquire() would succeed. Each call makes a new source with two descriptors,
  // once it is watched. Silent when the last handle of this process is gone. Where there was no
  // memory for it, watch() answers out_of_memory.
  Waitable waitable() const noexcept;

  // How many are free at this moment: for people, it may have changed already.
  std::uint32_t value() const noexcept;

 private:
  explicit Semaphore(std::shared_ptr<sync::SemaphoreCore> core) noexcept : core_(std::move(core)) {}
  std::shared_ptr<sync::SemaphoreCore> core_;
};

}  // namespace signalbox
