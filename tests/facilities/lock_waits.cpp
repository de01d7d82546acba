#include <fcntl.h>

#include <future>
#include <thread>

#include "signalbox/os/condition.hpp"
#include "signalbox/os/file_lock.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/posix_semaphore.hpp"
#include "signalbox/os/reader_writer_lock.hpp"
#include "signalbox/os/robust_mutex.hpp"
#include "waits.hpp"

namespace facilities {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;
using signalbox::Result;

// A thread that does something, then waits to be told, and undoes it: for locks that belong to the
// thread which took them.
class Holder {
 public:
  template <class Take>
  explicit Holder(Take take)
      : thread_([this, take] {
          const auto held = take();
          taken_.set_value();
          let_go_.get_future().wait();
        }) {
    taken_.get_future().wait();
  }
  ~Holder() { let_go(); }
  void let_go() {
    if (!thread_.joinable()) return;
    let_go_.set_value();
    thread_.join();
  }

 private:
  std::promise<void> taken_;
  std::promise<void> let_go_;
  std::thread thread_;
};

struct Placed {
  RobustMutex::Memory mutex;
  Condition::Memory condition;
  ReaderWriterLock::Memory lock;
  PlacedSemaphore::Memory semaphore;
};

struct Objects {
  Mapping memory = Mapping::anonymous(sizeof(Placed), {.access = Access::read_write}).value();
  Placed& placed = *memory.at<Placed>(0);
  RobustMutex mutex = RobustMutex::create(placed.mutex).value();
  Condition condition = Condition::create(placed.condition).value();
  ReaderWriterLock lock = ReaderWriterLock::create(placed.lock).value();
  PlacedSemaphore semaphore = PlacedSemaphore::create(placed.semaphore, 0).value();
  std::atomic<bool> is_ready = false;
  std::unique_ptr<Holder> holder{};  // last, so that it ends first
};

Waiting locking_a_mutex(const Ground&) {
  auto all = std::make_shared<Objects>();
  all->holder = std::make_unique<Holder>([&a = *all] { return a.mutex.lock(Deadline::never()); });
  return {[all](Deadline until, OnSignal) { return done(all->mutex.lock(until)); },
          [all] { all->holder->let_go(); },
          {}};
}

Waiting waiting_for_a_condition(const Ground&) {
  auto all = std::make_shared<Objects>();
  return {[all](Deadline until, OnSignal) -> Result<void> {
            auto held = all->mutex.lock(Deadline::never());
            if (!held) return done(std::move(held));
            return all->condition.wait(*held, until, [&] { return all->is_ready.load(); });
          },
          [all] {
            const auto held = all->mutex.lock(Deadline::never());
            all->is_ready = true;
            static_cast<void>(all->condition.notify_all());
          },
          {}};
}

Waiting locking_to_read(const Ground&) {
  auto all = std::make_shared<Objects>();
  all->holder =
      std::make_unique<Holder>([&a = *all] { return a.lock.lock_exclusive(Deadline::never()); });
  return {[all](Deadline until, OnSignal) { return done(all->lock.lock_shared(until)); },
          [all] { all->holder->let_go(); },
          {}};
}

Waiting locking_to_write(const Ground&) {
  auto all = std::make_shared<Objects>();
  all->holder =
      std::make_unique<Holder>([&a = *all] { return a.lock.lock_shared(Deadline::never()); });
  return {[all](Deadline until, OnSignal) { return done(all->lock.lock_exclusive(until)); },
          [all] { all->holder->let_go(); },
          {}};
}

Waiting taking_a_placed_unit(const Ground&) {
  auto all = std::make_shared<Objects>();
  return {[all](Deadline until, OnSignal how) { return all->semaphore.wait(until, how); },
          [all] { static_cast<void>(all->semaphore.post()); },
          [all] { return all->semaphore.value().value() == 0; }};
}

Waiting taking_a_named_unit(const Ground& ground) {
  auto semaphore =
      std::make_shared<NamedSemaphore>(NamedSemaphore::open_or_create(ground.name(), 0).value());
  return {[semaphore](Deadline until, OnSignal how) { return semaphore->wait(until, how); },
          [semaphore] { static_cast<void>(semaphore->post()); },
          [semaphore] { return semaphore->value().value() == 0; }};
}

struct TwoFiles {
  Fd ours;
  Fd theirs;
  LockOptions options;
};

template <LockOwner owner, LockKind kind>
Waiting locking_a_file(const Ground& ground) {
  const auto open = [&] {
    return Fd(::open(ground.path("lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  };
  auto files = std::make_shared<TwoFiles>();
  files->ours = open();
  files->theirs = open();
  files->options.owner = owner;
  static_cast<void>(try_lock(files->theirs, LockKind::exclusive, files->options));
  return {[files](Deadline until, OnSignal how) {
            return lock(files->ours, kind, files->options, until, how);
          },
          [files] { unlock(files->theirs, files->options); },
          {}};
}

}  // namespace

std::vector<Wait> lock_waits() {
  constexpr bool never = false;
  return {
      {"RobustMutex", locking_a_mutex, never},
      {"Condition", waiting_for_a_condition, never},
      {"ReaderWriterLockShared", locking_to_read, never},
      {"ReaderWriterLockExclusive", locking_to_write, never},
      {"PlacedSemaphore", taking_a_placed_unit},
      {"NamedSemaphore", taking_a_named_unit},
      {"FlockExclusive", locking_a_file<LockOwner::flock, LockKind::exclusive>},
      {"OpenFileExclusive", locking_a_file<LockOwner::open_file, LockKind::exclusive>},
      {"OpenFileShared", locking_a_file<LockOwner::open_file, LockKind::shared>},
  };
}

}  // namespace facilities
