#include "lock_kinds.hpp"

#include <fcntl.h>

#include <utility>
#include <vector>

#include "signalbox/os/file_lock.hpp"
#include "signalbox/os/semaphore_guard.hpp"
#include "signalbox/os/set_reader_writer_lock.hpp"

namespace facilities {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;

class UndoneUnit : public KernelLock {
 public:
  UndoneUnit(const Site& site, unsigned number)
      : set_(SemaphoreSet::attach(site.set.id()).value()),
        number_(static_cast<std::uint16_t>(number)) {}
  Taken take(Deadline deadline) override {
    auto guard = SemaphoreGuard::enter(set_, number_, deadline);
    if (!guard) return Taken::not_taken;
    guard_ = std::move(*guard);
    return Taken::free;
  }
  bool give() override { return guard_.leave().has_value(); }

 private:
  SemaphoreSet set_;
  std::uint16_t number_;
  SemaphoreGuard guard_;
};

class Mutex : public KernelLock {
 public:
  Mutex(const Site& site, unsigned number)
      : mutex_(RobustMutex::open(site.arena().mutexes[number]).value()) {}
  Taken take(Deadline deadline) override {
    auto held = mutex_.lock(deadline);
    if (!held) return Taken::not_taken;
    held_ = std::move(*held);
    if (!held_.owner_died()) return Taken::free;
    return held_.mark_consistent() ? Taken::owner_died : Taken::not_taken;
  }
  bool give() override { return held_.unlock().has_value(); }

 private:
  RobustMutex mutex_;
  RobustMutex::Held held_;
};

// A file of its own for flock, which knows no ranges; a byte of one file for the others.
template <LockOwner owner, LockKind kind = LockKind::exclusive>
class LockedFile : public KernelLock {
 public:
  LockedFile(const Site& site, unsigned number)
      : file_(
            ::open(site.ground
                       .path(owner == LockOwner::flock ? ("flock-" + std::to_string(number)).c_str()
                                                       : "ranges")
                       .c_str(),
                   O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    options_.owner = owner;
    if (owner != LockOwner::flock) options_.range = {.begin = number, .bytes = 1};
  }
  Taken take(Deadline deadline) override {
    auto lock = FileLock::take(file_, kind, options_, deadline);
    if (!lock) return Taken::not_taken;
    lock_ = std::move(*lock);
    return Taken::free;
  }
  bool give() override {
    lock_.release();
    return true;
  }

 private:
  Fd file_;
  LockOptions options_;
  FileLock lock_;
};

constexpr std::uint16_t kReaders = 4;

template <LockKind kind>
class SetLock : public KernelLock {
 public:
  SetLock(const Site& site, unsigned number)
      : lock_(SetReaderWriterLock::open_or_create(site.key_of(number), kReaders, Deadline::never())
                  .value()) {}
  Taken take(Deadline deadline) override {
    auto guard =
        kind == LockKind::shared ? lock_.lock_shared(deadline) : lock_.lock_exclusive(deadline);
    if (!guard) return Taken::not_taken;
    guard_ = std::move(*guard);
    return Taken::free;
  }
  bool give() override { return guard_.leave().has_value(); }

 private:
  SetReaderWriterLock lock_;
  SemaphoreGuard guard_;
};

template <class Lock>
std::unique_ptr<KernelLock> open_as(const Site& site, unsigned number) {
  return std::make_unique<Lock>(site, number);
}

}  // namespace

Site::Site()
    : memory(Mapping::anonymous(sizeof(Arena), {.access = Access::read_write}).value()),
      set(SemaphoreSet::create(ground.key(), std::vector<std::uint16_t>(locks_max, 1)).value()) {
  for (auto& mutex : arena().mutexes) static_cast<void>(RobustMutex::create(mutex).value());
}

Site::~Site() {
  for (unsigned number = 0; number < locks_max; ++number) {
    if (auto made = SemaphoreSet::open_as_is(key_of(number))) static_cast<void>(made->remove());
  }
}

const std::array<LockKindOfKernel, 10>& lock_kinds() {
  constexpr auto alone = LockKind::exclusive;
  constexpr auto shared = LockKind::shared;
  static const std::array<LockKindOfKernel, 10> all{{
      {"SemaphoreWithUndo", open_as<UndoneUnit>, false},
      {"RobustMutex", open_as<Mutex>, true},
      {"Flock", open_as<LockedFile<LockOwner::flock>>, false},
      {"OpenFileRange", open_as<LockedFile<LockOwner::open_file>>, false},
      {"ProcessRange", open_as<LockedFile<LockOwner::process>>, false},
      {"FlockShared", open_as<LockedFile<LockOwner::flock>>, false,
       open_as<LockedFile<LockOwner::flock, shared>>},
      {"OpenFileRangeShared", open_as<LockedFile<LockOwner::open_file>>, false,
       open_as<LockedFile<LockOwner::open_file, shared>>},
      {"ProcessRangeShared", open_as<LockedFile<LockOwner::process>>, false,
       open_as<LockedFile<LockOwner::process, shared>>},
      {"SetReaderWriterLock", open_as<SetLock<alone>>, false},
      {"SetReaderWriterLockShared", open_as<SetLock<alone>>, false, open_as<SetLock<shared>>},
  }};
  return all;
}

}  // namespace facilities
