// os/file_lock.hpp: locks on a file or a range of its bytes, shared or exclusive, that die with
// their holder.
//
// They are advisory: who does not ask is not kept out. Three kinds of locks know nothing of each
// other, so all users of a file must take the same:
//
//   open_file  belongs to the open file (fcntl, Linux 3.15): what you want, and the default
//   flock      the same, for the whole file only; shell scripts (flock(1)) and BSD know it
//   process    belongs to the process (classic fcntl). Closing ANY descriptor of the file, also one
//              that a library opened, drops all of them; two threads never exclude each other; a
//              child has none. Only it finds deadlocks, and tells the holder's pid at once
//
//   Lives     until it is released, or the last copy of the descriptor it was taken with is closed
//             (process: any descriptor of that file)
//   Threads   two threads exclude each other where each has opened the file itself; a FileLock
//             belongs to one thread at a time
//   Crash     the kernel releases it at any death
//   Fork      a child shares it through its copy of the descriptor: it is held until both are
//             closed (process: not inherited); a FileLock that dies in the child does not release
//             it
//   Limits    the machine's memory; some network file systems have no locks
//   Pollable  no: lock() sleeps in the kernel without a deadline, and looks again and again with
//             one
//   Manual    fcntl(2) flock(2) fcntl_locking(2)
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox::os {

// A shared lock needs a readable descriptor, an exclusive one a writable descriptor; flock any.
enum class LockKind { shared, exclusive };

enum class LockOwner { open_file, flock, process };

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;  // 0: to the end of the file, however long it becomes
  bool operator==(const ByteRange&) const noexcept = default;
};

struct LockOptions {
  ByteRange range{};  // flock: must be the whole file
  LockOwner owner = LockOwner::open_file;
};

// Somebody whose lock is in the way.
struct LockHolder {
  LockKind kind;
  ByteRange range;
  int pid;  // 0: unknown. Of an open_file lock always: the kernel does not keep it
};

namespace kernel {
enum class LockChange : std::uint8_t { shared, exclusive, none };  // F_RDLCK, F_WRLCK, F_UNLCK
// Without waiting. They answer as the kernel does.
inline long change_flock(int file, LockChange change, const ByteRange& range) noexcept {
  constexpr long invalid = -22;  // EINVAL
  if ((range.begin | range.bytes) != 0) [[unlikely]]
    return invalid;
  // LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB
  return enter(KernelCall::flock, file, change == LockChange::shared ? 5 : 6);
}
inline long change_record_lock(int file, LockChange change, const LockOptions& options) noexcept {
  const RecordLock lock{.type = static_cast<std::int16_t>(change),
                        .whence = 0,
                        .begin = static_cast<std::int64_t>(options.range.begin),
                        .bytes = static_cast<std::int64_t>(options.range.bytes),
                        .pid = 0};
  const int command = options.owner == LockOwner::process ? set_lock : set_file_lock;
  return enter(KernelCall::fcntl, file, command, address_of(&lock));
}
inline long try_once(int file, LockKind kind, const LockOptions& options) noexcept {
  const auto change = kind == LockKind::shared ? LockChange::shared : LockChange::exclusive;
  // Put first, because a jump weighs most for the shortest of calls.
  if (options.owner == LockOwner::flock) [[likely]]
    return change_flock(file, change, options.range);
  return change_record_lock(file, change, options);
}
// What is left to do after a change that was refused with this negated errno.
[[gnu::cold]] Result<bool> try_lock_after(long refused, int file, LockKind kind,
                                          const LockOptions& options);
[[gnu::cold]] void unlock_again(int file, const LockOptions& options) noexcept;

inline void drop_lock(int file, const LockOptions& options) noexcept {
  if (options.owner == LockOwner::flock) [[likely]] {
    enter(KernelCall::flock, file, 8);  // LOCK_UN
    return;
  }
  if (change_record_lock(file, LockChange::none, options) == interrupted) [[unlikely]]
    unlock_again(file, options);
}
}  // namespace kernel

// ---- on a descriptor, without a guard: for a lock that is held as long as the file is open
// --------

// True if the lock was taken, or converted from the other kind, false if somebody else's stands in
// the way. Errors: bad_argument (the descriptor's access, or the range), limit_reached,
// not_supported (the file system has no locks), system. Enters the kernel once.
inline Result<bool> try_lock(const Fd& file, LockKind kind, const LockOptions& options) {
  const long answer = kernel::try_once(file.get(), kind, options);
  if (answer == 0) [[likely]]
    return true;
  return kernel::try_lock_after(answer, file.get(), kind, options);
}
inline Result<bool> try_lock(const Fd& file, LockKind kind) {
  return try_lock(file, kind, LockOptions{});
}
inline void unlock(const Fd& file, const LockOptions& options) noexcept {
  kernel::drop_lock(file.get(), options);
}
inline void unlock(const Fd& file) noexcept { unlock(file, LockOptions{}); }

// Takes it, or converts it. With Deadline::never() it sleeps in the kernel's own queue and costs
// nothing. The kernel cannot end that sleep at a deadline, so with one this looks again and again:
// after 0.1 ms, then each time twice as long up to 10 ms. That is 100 wake-ups a second at most,
// and the lock is noticed up to 10 ms late, so that sleepers without a deadline may be first.
// Errors besides try_lock()'s: timed_out, interrupted, would_deadlock (process only, and only
// without a deadline). Nothing is changed then, but see FileLock::convert() for flock.
Result<void> lock(const Fd& file, LockKind kind, const LockOptions& options, Deadline deadline,
                  OnSignal on_signal = OnSignal::go_on);

// Whose lock would stand in the way of this one? Empty: nobody's; it may be otherwise by now. A
// lock of one's own is never in the way. For flock the kernel has no question: /proc/locks is read,
// which shows only processes of this pid name space, and is slow. Errors: as try_lock().
Result<std::optional<LockHolder>> holder_of(const Fd& file, LockKind kind,
                                            const LockOptions& options);

// Does anybody else hold an exclusive open_file lock on any byte? Asked as "would a shared lock
// conflict?", so that somebody with mere reading rights cannot pretend to be alive.
Result<bool> is_exclusively_locked(const Fd& file);

// ---- held for a scope
// -----------------------------------------------------------------------------

// A lock that is released at the end of its object. Move-only, false when empty. The descriptor
// stays yours, and must stay open.
class FileLock {
 public:
  FileLock() = default;
  // Errors: as os::lock(); would_block.
  static Result<FileLock> take(const Fd& file, LockKind kind, const LockOptions& options,
                               Deadline deadline, OnSignal on_signal = OnSignal::go_on);
  static Result<FileLock> try_take(const Fd& file, LockKind kind, const LockOptions& options);

  FileLock(FileLock&& other) noexcept
      : file_(std::exchange(other.file_, -1)),
        options_(other.options_),
        kind_(other.kind_),
        generation_(other.generation_) {}
  FileLock& operator=(FileLock&& other) noexcept {
    if (this == &other) return *this;
    release();
    file_ = std::exchange(other.file_, -1);
    options_ = other.options_;
    kind_ = other.kind_;
    generation_ = other.generation_;
    return *this;
  }
  ~FileLock() { release(); }

  explicit operator bool() const noexcept { return file_ >= 0; }
  LockKind kind() const noexcept { return kind_; }

  // To the other kind. On an error the old lock is held on; only flock may have lost it to somebody
  // meanwhile, and the object is empty then: its conversion releases first. Two holders of a shared
  // lock that both wait to be exclusive wait for each other: use a deadline. Errors: as os::lock();
  // would_block.
  Result<void> convert(LockKind kind, Deadline deadline, OnSignal on_signal = OnSignal::go_on);
  Result<void> try_convert(LockKind kind);

  void release() noexcept;

 private:
  FileLock(const Fd& file, LockKind kind, const LockOptions& options) noexcept;
  Result<void> after_failure(Error error);
  int file_ = -1;  // the descriptor's number, not its owner
  LockOptions options_;
  LockKind kind_ = LockKind::shared;
  unsigned generation_ = 0;  // whose: a forked child does not release its parent's
};

}  // namespace signalbox::os
