#include <fcntl.h>

#include <chrono>

#include "attempt.hpp"
#include "joined.hpp"
#include "signalbox/os/barrier.hpp"
#include "signalbox/os/condition.hpp"
#include "signalbox/os/file_lock.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/reader_writer_lock.hpp"
#include "signalbox/os/robust_mutex.hpp"

namespace facilities {

namespace {

using namespace std::chrono_literals;
using namespace signalbox::os;
using signalbox::Deadline;

Fd open_file(const Ground& ground) {
  return Fd(::open(ground.path("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
}

// The same file, opened twice, so that the locks of one are in the other's way.
struct TwoFiles {
  Fd ours;
  Fd theirs;
  LockOptions options;
};

TwoFiles two_files(const Ground& ground, LockOwner owner) {
  return {open_file(ground), open_file(ground), {.range = {}, .owner = owner}};
}

template <LockOwner owner>
Attempt taking(const Ground& ground) {
  struct State {
    TwoFiles files;
    FileLock lock;
  };
  auto state = std::make_shared<State>(two_files(ground, owner));
  return Attempt{[state]() -> Result<void> {
                   const TwoFiles& files = state->files;
                   auto lock = FileLock::try_take(files.ours, LockKind::exclusive, files.options);
                   if (!lock) return done(std::move(lock));
                   state->lock = std::move(*lock);
                   return {};
                 },
                 [state] {
                   const TwoFiles& files = state->files;
                   const auto other =
                       FileLock::try_take(files.theirs, LockKind::exclusive, files.options);
                   return unless(state->lock && (owner == LockOwner::process || !other),
                                 "somebody else gets it as well");
                 }};
}

template <LockOwner owner>
Attempt waiting(const Ground& ground) {
  auto files = two_files(ground, owner);
  static_cast<void>(try_lock(files.theirs, LockKind::exclusive, files.options));
  return with<TwoFiles>(
      std::move(files),
      [](TwoFiles& both) {
        return until_deadline(
            lock(both.ours, LockKind::exclusive, both.options, Deadline::immediate()));
      },
      [](TwoFiles& both) {
        unlock(both.theirs, both.options);
        auto now = FileLock::try_take(both.ours, LockKind::exclusive, both.options);
        return unless(now.has_value() && *now, "it cannot be had when it is free");
      });
}

template <LockOwner owner>
Attempt sleeping(const Ground& ground) {
  return with<TwoFiles>(two_files(ground, owner), [](TwoFiles& files) {
    auto taken = lock(files.ours, LockKind::shared, files.options, Deadline::never());
    if (taken) unlock(files.ours, files.options);
    return taken;
  });
}

Attempt converting(const Ground& ground) {
  struct Held {
    Fd file;
    FileLock lock;
  };
  auto held = std::make_shared<Held>();
  held->file = open_file(ground);
  held->lock = FileLock::try_take(held->file, LockKind::shared, {}).value();
  return Attempt{[held] { return held->lock.try_convert(LockKind::exclusive); },
                 [held] { return unless(held->lock.kind() == LockKind::exclusive, "kind"); }};
}

Attempt asking_for_the_holder(const Ground& ground) {
  auto files = two_files(ground, LockOwner::open_file);
  static_cast<void>(try_lock(files.theirs, LockKind::exclusive, files.options));
  return with<TwoFiles>(std::move(files), [](TwoFiles& both) {
    auto holder = holder_of(both.ours, LockKind::shared, both.options);
    if (holder && !*holder) std::abort();
    return done(std::move(holder));
  });
}

std::vector<Operation> of_file_lock() {
  return {
      {"FileLockTakeOpenFile", taking<LockOwner::open_file>},
      {"FileLockTakeFlock", taking<LockOwner::flock>},
      {"FileLockTakeProcess", taking<LockOwner::process>},
      {"FileLockWaitsOpenFile", waiting<LockOwner::open_file>},
      {"FileLockWaitsFlock", waiting<LockOwner::flock>},
      {"FileLockSleepsOpenFile", sleeping<LockOwner::open_file>},
      {"FileLockSleepsFlock", sleeping<LockOwner::flock>},
      {"FileLockSleepsProcess", sleeping<LockOwner::process>},
      {"FileLockConvert", converting},
      {"FileLockHolder", asking_for_the_holder},
  };
}

// Shared memory with one of each.
struct Placed {
  RobustMutex::Memory mutex;
  Condition::Memory condition;
  ReaderWriterLock::Memory lock;
};

std::shared_ptr<Mapping> placed() {
  return std::make_shared<Mapping>(
      Mapping::anonymous(sizeof(Placed), {.access = Access::read_write}).value());
}

// The C library's objects enter the kernel only to sleep.
std::vector<Operation> of_placed() {
  return {
      {"ConditionWaits",
       [](const Ground&) {
         auto memory = placed();
         auto& all = *memory->at<Placed>(0);
         auto mutex = std::make_shared<RobustMutex>(RobustMutex::create(all.mutex).value());
         auto condition = std::make_shared<Condition>(Condition::create(all.condition).value());
         return Attempt{[memory, mutex, condition]() -> Result<void> {
           auto held = mutex->lock(Deadline::after(1s));
           if (!held) return done(std::move(held));
           return until_deadline(condition->wait(*held, Deadline::after(2ms)));
         }};
       }},
      {"ReaderWriterLockWaits",
       [](const Ground&) {
         auto memory = placed();
         auto lock = std::make_shared<ReaderWriterLock>(
             ReaderWriterLock::create(memory->at<Placed>(0)->lock).value());
         auto reads = std::make_shared<ReaderWriterLock::Held>(
             lock->lock_shared(Deadline::immediate()).value());
         return Attempt{[memory, lock, reads]() -> Result<void> {
           return until_deadline(lock->lock_exclusive(Deadline::after(2ms)));
         }};
       }},
  };
}

}  // namespace

std::vector<Operation> lock_operations() {
  return joined<Operation>({of_file_lock(), of_placed()});
}

}  // namespace facilities
