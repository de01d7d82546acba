// read_write_lock.hpp: a lock between processes that many may hold to read, or one to write.
//
// Named, made, recovered and waited for as a mutex is (lock.hpp). Everybody goes in the order in
// which he came, so neither readers nor writers starve.
//
//   Lives     while anybody has it open; longer if its last writer died and nobody was told
//   Threads   any: all threads of a process may share a handle
//   Crash     what the dead held is free within a millisecond or so; the next writer after a writer
//             is told, once; readers are not, and nothing is told of dead readers. A writer that
//             dies while it waits for readers to leave counts as one that wrote
//   Fork      a child holds nothing, and its copies of handles answer wrong_process
//   Limits    128 readers at once, more wait in line; 256 waiters, those beyond look every
//             millisecond; one descriptor and 25 KiB a lock, and what the first takes
//             (lock.hpp)
//   Pollable  no: it depends on what for; take it in a thread
//   Manual    futex(2) fcntl(2) inotify(7)
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/recovered.hpp"

namespace signalbox {

namespace sync {
class ReadWriteCore;
}

// Holds the lock to read; gives it back when it dies. Move-only, false when empty.
class ReadGuard {
 public:
  ReadGuard() = default;
  ReadGuard(ReadGuard&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), slot_(other.slot_) {}
  ReadGuard& operator=(ReadGuard&& other) noexcept {
    ReadGuard old(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
    slot_ = other.slot_;
    return *this;
  }
  ~ReadGuard() { release(); }
  explicit operator bool() const noexcept { return core_ != nullptr; }
  // Gives it back now. Enters the kernel only if somebody sleeps in line.
  void release() noexcept;
  // As MutexGuard's.
  void let_any_thread_release() noexcept;

 private:
  friend class sync::ReadWriteCore;
  ReadGuard(sync::ReadWriteCore* core, std::uint32_t slot) noexcept : core_(core), slot_(slot) {}
  sync::ReadWriteCore* core_ = nullptr;
  std::uint32_t slot_ = 0;
};

// Holds the lock to write; gives it back when it dies. Move-only, false when empty.
class WriteGuard {
 public:
  WriteGuard() = default;
  WriteGuard(WriteGuard&& other) noexcept
      : core_(std::exchange(other.core_, nullptr)), unrepaired_(other.unrepaired_) {}
  WriteGuard& operator=(WriteGuard&& other) noexcept {
    WriteGuard old(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
    unrepaired_ = other.unrepaired_;
    return *this;
  }
  ~WriteGuard() { release(); }
  explicit operator bool() const noexcept { return core_ != nullptr; }
  // Gives it back now. Enters the kernel only if somebody sleeps in line.
  void release() noexcept;
  // As MutexGuard's.
  void let_any_thread_release() noexcept;

 private:
  friend class Recovered<WriteGuard>;
  friend class sync::ReadWriteCore;
  WriteGuard(sync::ReadWriteCore* core, bool unrepaired) noexcept
      : core_(core), unrepaired_(unrepaired) {}
  bool is_unrepaired() const noexcept { return unrepaired_; }
  void repaired() noexcept { unrepaired_ = false; }
  sync::ReadWriteCore* core_ = nullptr;
  bool unrepaired_ = false;
};

// It must outlive its guards; if it does not, they stay with the process. Move-only, false when
// moved from: as Mutex.
class ReadWriteLock {
 public:
  explicit operator bool() const noexcept { return core_ != nullptr; }
  // The lock of that name, made if nobody has it open. Enters the kernel. Errors: as Mutex::open().
  static Result<ReadWriteLock> open(std::string_view name, std::string_view domain = {});

  // Takes it together with others who read. Enters the kernel only to sleep.
  // Errors: timed_out, interrupted (with OnSignal::give_up), would_deadlock (this thread holds it
  // to write), wrong_process, damaged.
  Result<ReadGuard> lock_to_read(Deadline deadline, os::OnSignal on_signal = os::OnSignal::go_on);
  // Takes it alone. would_deadlock: this thread holds it, in whatever way.
  Result<Recovered<WriteGuard>> lock_to_write(Deadline deadline,
                                              os::OnSignal on_signal = os::OnSignal::go_on);
  // The same without waiting. Error would_block in place of timed_out.
  Result<ReadGuard> try_lock_to_read();
  Result<Recovered<WriteGuard>> try_lock_to_write();

 private:
  explicit ReadWriteLock(std::shared_ptr<sync::ReadWriteCore> core) noexcept
      : core_(std::move(core)) {}
  std::shared_ptr<sync::ReadWriteCore> core_;
};

}  // namespace signalbox
