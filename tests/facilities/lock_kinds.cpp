#include "lock_kinds.hpp"

#include <fcntl.h>

#include <utility>
#include <vector>

#include "signalbox/os/file_lock.hpp"
#include "signalbox/os/semaphore_guard.hpp"

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
template <LockOwner owner>
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
    auto lock = FileLock::take(file_, LockKind::exclusive, options_, deadline);
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

const std::array<LockKindOfKernel, 5>& lock_kinds() {
  static const std::array<LockKindOfKernel, 5> all{{
      {"SemaphoreWithUndo", open_as<UndoneUnit>, false},
      {"RobustMutex", open_as<Mutex>, true},
      {"Flock", open_as<LockedFile<LockOwner::flock>>, false},
      {"OpenFileRange", open_as<LockedFile<LockOwner::open_file>>, false},
      {"ProcessRange", open_as<LockedFile<LockOwner::process>>, false},
  }};
  return all;
}

}  // namespace facilities
