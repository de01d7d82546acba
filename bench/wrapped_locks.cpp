// A turn taken and given back, by everything that gives turns, while nobody else wants it.
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/file.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <stdexcept>

#include "bench/wrapped_call.hpp"
#include "signalbox/os/barrier.hpp"
#include "signalbox/os/condition.hpp"
#include "signalbox/os/file_lock.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/os/posix_semaphore.hpp"
#include "signalbox/os/reader_writer_lock.hpp"
#include "signalbox/os/robust_mutex.hpp"
#include "signalbox/os/semaphore_set.hpp"

namespace bench {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;

auto our_semaphore() {
  return
      [semaphore = must(PlacedSemaphore::create(*placed<PlacedSemaphore::Memory>(), 1))]() mutable {
        must(semaphore.wait(Deadline::never()).has_value());
        must(semaphore.post().has_value());
      };
}

auto bare_semaphore() {
  auto* const semaphore = placed<sem_t>();
  ::sem_init(semaphore, 1, 1);
  return [semaphore] {
    must(::sem_wait(semaphore) == 0);
    must(::sem_post(semaphore) == 0);
  };
}

// Removed with its object: it outlives its process.
struct OurSet {
  SemaphoreSet set =
      must(SemaphoreSet::create(SysvKey::private_key(), std::array<std::uint16_t, 1>{1}));
  OurSet() = default;
  OurSet(OurSet&&) = default;
  OurSet& operator=(OurSet&&) = default;
  ~OurSet() {
    if (set) static_cast<void>(set.remove());
  }
  void operator()() {
    must(set.apply({take(0)}, Deadline::never()).has_value());
    must(set.apply({give(0)}, Deadline::never()).has_value());
  }
};

struct BareSet {
  int id = opened(::semget(IPC_PRIVATE, 1, 0600));
  BareSet() { (*this)(1); }
  BareSet(BareSet&& other) noexcept : id(std::exchange(other.id, -1)) {}
  BareSet& operator=(BareSet&&) = delete;
  ~BareSet() {
    if (id >= 0) ::semctl(id, 0, IPC_RMID);
  }
  void operator()(short change) const {
    sembuf one{.sem_num = 0, .sem_op = change, .sem_flg = 0};
    must(::semop(id, &one, 1) == 0);
  }
  void operator()() const {
    (*this)(-1);
    (*this)(1);
  }
};

auto our_mutex() {
  return [mutex = must(RobustMutex::create(*placed<RobustMutex::Memory>()))]() mutable {
    auto held = mutex.lock(Deadline::never());
    must(held.has_value());
    must(!held->owner_died());
  };
}

auto bare_mutex() {
  auto* const mutex = placed<pthread_mutex_t>();
  pthread_mutexattr_t how;
  ::pthread_mutexattr_init(&how);
  ::pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutexattr_settype(&how, PTHREAD_MUTEX_ERRORCHECK);
  ::pthread_mutex_init(mutex, &how);
  return [mutex] {
    must(::pthread_mutex_lock(mutex) == 0);
    must(::pthread_mutex_unlock(mutex) == 0);
  };
}

auto our_condition() {
  return [condition = must(Condition::create(*placed<Condition::Memory>()))]() mutable {
    must(condition.notify_one().has_value());
    must(condition.notify_all().has_value());
  };
}

auto bare_condition() {
  auto* const condition = placed<pthread_cond_t>();
  pthread_condattr_t how;
  ::pthread_condattr_init(&how);
  ::pthread_condattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  ::pthread_cond_init(condition, &how);
  return [condition] {
    must(::pthread_cond_signal(condition) == 0);
    must(::pthread_cond_broadcast(condition) == 0);
  };
}

auto our_rwlock() {
  return [lock = must(ReaderWriterLock::create(*placed<ReaderWriterLock::Memory>()))]() mutable {
    must(lock.lock_shared(Deadline::never()).has_value());
    must(lock.lock_exclusive(Deadline::never()).has_value());
  };
}

auto bare_rwlock() {
  auto* const lock = placed<pthread_rwlock_t>();
  pthread_rwlockattr_t how;
  ::pthread_rwlockattr_init(&how);
  ::pthread_rwlockattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  ::pthread_rwlock_init(lock, &how);
  return [lock] {
    must(::pthread_rwlock_rdlock(lock) == 0);
    ::pthread_rwlock_unlock(lock);
    must(::pthread_rwlock_wrlock(lock) == 0);
    ::pthread_rwlock_unlock(lock);
  };
}

// One who comes is all who are waited for.
auto our_barrier() {
  return [barrier = must(Barrier::create(*placed<Barrier::Memory>(), 1))]() mutable {
    const auto met = barrier.wait();
    must(met.has_value());
    use(*met);
  };
}

auto bare_barrier() {
  auto* const barrier = placed<pthread_barrier_t>();
  pthread_barrierattr_t how;
  ::pthread_barrierattr_init(&how);
  ::pthread_barrierattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  ::pthread_barrier_init(barrier, &how, 1);
  return [barrier] {
    const int part = ::pthread_barrier_wait(barrier);
    must(part == 0 || part == PTHREAD_BARRIER_SERIAL_THREAD);
    use(part == PTHREAD_BARRIER_SERIAL_THREAD);
  };
}

Fd new_file() { return Fd(opened(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600))); }

auto our_file_lock(LockOptions options) {
  return [file = new_file(), options] {
    const auto taken = try_lock(file, LockKind::exclusive, options);
    must(taken.has_value() && *taken);
    unlock(file, options);
  };
}

// Which call it is stands where it is written, on both sides.
auto our_flock() {
  return [file = new_file()] {
    constexpr LockOptions whole_file{.owner = LockOwner::flock};
    const auto taken = try_lock(file, LockKind::exclusive, whole_file);
    must(taken.has_value() && *taken);
    unlock(file, whole_file);
  };
}

auto bare_flock() {
  return [file = new_file()] {
    must(::flock(file.get(), LOCK_EX | LOCK_NB) == 0);
    ::flock(file.get(), LOCK_UN);
  };
}

auto bare_record_lock(int call, off_t begin, off_t bytes) {
  return [file = new_file(), call, begin, bytes] {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = begin;
    lock.l_len = bytes;
    must(::fcntl(file.get(), call, &lock) == 0);
    lock.l_type = F_UNLCK;
    ::fcntl(file.get(), call, &lock);
  };
}

// Nobody sleeps, and who would sleep finds that the word has changed already.
auto our_futex() {
  return [word = std::uint32_t{1}]() mutable {
    use(futex_wake(&word, 1));
    const auto end = futex_wait({.address = &word, .expected = 0}, Deadline::never());
    must(end.has_value());
    use(*end);
  };
}

auto bare_futex() {
  return [word = std::uint32_t{1}]() mutable {
    use(::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0));
    const long end = ::syscall(SYS_futex, &word, FUTEX_WAIT, 0, nullptr, nullptr, 0);
    must(end == 0 || errno == EAGAIN);
    use(end);
  };
}

}  // namespace

std::vector<WrappedCall> lock_calls() {
  const auto whole = [] { return our_file_lock({.owner = LockOwner::open_file}); };
  const auto part = [] {
    return our_file_lock({.range = {.begin = 10, .bytes = 20}, .owner = LockOwner::process});
  };
  const auto bare_whole = [] { return bare_record_lock(F_OFD_SETLK, 0, 0); };
  const auto bare_part = [] { return bare_record_lock(F_SETLK, 10, 20); };
  return {
      {"POSIX semaphore", "sem_wait, sem_post", many_of(our_semaphore), many_of(bare_semaphore)},
      {"semaphore set", "semop twice", many_of([] { return OurSet(); }),
       many_of([] { return BareSet(); })},
      {"robust mutex", "lock, unlock of glibc's", many_of(our_mutex), many_of(bare_mutex)},
      {"condition", "signal, broadcast", many_of(our_condition), many_of(bare_condition)},
      {"rwlock", "rdlock, wrlock, unlocks", many_of(our_rwlock), many_of(bare_rwlock)},
      {"barrier", "pthread_barrier_wait", many_of(our_barrier), many_of(bare_barrier)},
      {"file lock, flock", "flock twice", many_of(our_flock), many_of(bare_flock)},
      {"file lock, OFD", "fcntl(F_OFD_SETLK) twice", many_of(whole), many_of(bare_whole)},
      {"file lock, byte range", "fcntl(F_SETLK) twice", many_of(part), many_of(bare_part)},
      {"futex", "FUTEX_WAKE, FUTEX_WAIT", many_of(our_futex), many_of(bare_futex)},
  };
}

}  // namespace bench
