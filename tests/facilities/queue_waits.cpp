#include <array>

#include "signalbox/os/posix_queue.hpp"
#include "signalbox/os/semaphore_guard.hpp"
#include "signalbox/os/semaphore_set.hpp"
#include "signalbox/os/set_reader_writer_lock.hpp"
#include "signalbox/os/sysv_queue.hpp"
#include "waits.hpp"

namespace facilities {

namespace {

using namespace signalbox::os;
using signalbox::Deadline;

constexpr std::array<std::byte, 8> kMessage{};

std::shared_ptr<SemaphoreSet> set_of(std::uint16_t first, std::uint16_t second) {
  const std::array counts{first, second};
  // Without a key, so that it must be removed by whoever made it.
  return {new SemaphoreSet(SemaphoreSet::create(SysvKey::private_key(), counts).value()),
          [](SemaphoreSet* set) {
            static_cast<void>(set->remove());
            delete set;
          }};
}

Waiting taking_units(const Ground&) {
  auto set = set_of(1, 0);
  return {[set](Deadline until, OnSignal how) {
            return set->apply({take(0), undo_on_exit(take(1, 2))}, until, how);
          },
          [set] { static_cast<void>(set->try_apply({give(1, 2)})); },
          [set] { return set->values().value() == std::vector<std::uint16_t>{1, 0}; }};
}

Waiting waiting_for_zero(const Ground&) {
  auto set = set_of(3, 0);
  return {[set](Deadline until, OnSignal how) { return set->apply({until_zero(0)}, until, how); },
          [set] { static_cast<void>(set->try_apply({take(0, 3)})); },
          [set] { return set->value(0).value() == 3; }};
}

Waiting entering(const Ground&) {
  auto set = set_of(0, 0);
  return {[set](Deadline until, OnSignal how) {
            return done(SemaphoreGuard::enter(*set, 0, until, how));
          },
          [set] { static_cast<void>(set->try_apply({give(0)})); },
          [set] { return set->value(0).value() == 0; }};
}

struct Locked {
  explicit Locked(const Ground& ground)
      : lock(SetReaderWriterLock::open_or_create(ground.key(), 4, Deadline::never()).value()) {}
  SetReaderWriterLock lock;
  SemaphoreGuard guard;
};

Waiting locking_to_write(const Ground& ground) {
  auto all = std::make_shared<Locked>(ground);
  all->guard = all->lock.try_lock_shared().value();
  return {
      [all](Deadline until, OnSignal how) { return done(all->lock.lock_exclusive(until, how)); },
      [all] { static_cast<void>(all->guard.leave()); },
      // The turn was given back: another reader gets in.
      [all] { return static_cast<bool>(all->lock.try_lock_shared().value()); }};
}

Waiting locking_to_read(const Ground& ground) {
  auto all = std::make_shared<Locked>(ground);
  all->guard = all->lock.try_lock_exclusive().value();
  return {[all](Deadline until, OnSignal how) { return done(all->lock.lock_shared(until, how)); },
          [all] { static_cast<void>(all->guard.leave()); },
          {}};
}

std::shared_ptr<SysvQueue> sysv_queue(std::uint64_t capacity) {
  std::shared_ptr<SysvQueue> queue(new SysvQueue(SysvQueue::create(SysvKey::private_key()).value()),
                                   [](SysvQueue* one) {
                                     static_cast<void>(one->remove());
                                     delete one;
                                   });
  static_cast<void>(queue->set_capacity(capacity).value());
  return queue;
}

Waiting sending(const Ground&) {
  auto queue = sysv_queue(8);
  static_cast<void>(queue->try_send(1, kMessage).value());
  return {[queue](Deadline until, OnSignal how) { return queue->send(2, kMessage, until, how); },
          [queue] {
            std::array<std::byte, 8> room{};
            static_cast<void>(queue->try_receive(room, MessageFilter::any()));
          },
          [queue] { return queue->facts().value().messages == 1; }};
}

Waiting receiving(const Ground&) {
  auto queue = sysv_queue(64);
  static_cast<void>(queue->try_send(1, kMessage).value());
  return {[queue](Deadline until, OnSignal how) {
            std::array<std::byte, 8> room{};
            return done(queue->receive(room, MessageFilter::exact(7), until, TooLong::refuse, how));
          },
          [queue] { static_cast<void>(queue->try_send(7, kMessage)); },
          [queue] { return queue->facts().value().messages == 1; }};
}

std::shared_ptr<PosixQueue> posix_queue(const Ground& ground, int messages) {
  const PosixQueueOptions options{.messages_max = 1, .message_bytes_max = 8};
  auto queue = std::make_shared<PosixQueue>(PosixQueue::create(ground.name(), options).value());
  // Without a name from here on: the next one may have it.
  static_cast<void>(PosixQueue::unlink(ground.name()));
  for (int i = 0; i < messages; ++i) static_cast<void>(queue->try_send(kMessage, 1).value());
  return queue;
}

Waiting sending_by_priority(const Ground& ground) {
  auto queue = posix_queue(ground, 1);
  return {[queue](Deadline until, OnSignal how) { return queue->send(kMessage, 2, until, how); },
          [queue] {
            std::array<std::byte, 8> room{};
            static_cast<void>(queue->try_receive(room));
          },
          [queue] { return queue->facts().value().messages == 1; }};
}

Waiting receiving_by_priority(const Ground& ground) {
  auto queue = posix_queue(ground, 0);
  return {[queue](Deadline until, OnSignal how) {
            std::array<std::byte, 8> room{};
            return done(queue->receive(room, until, how));
          },
          [queue] { static_cast<void>(queue->try_send(kMessage, 2)); },
          [queue] { return queue->facts().value().messages == 0; }};
}

}  // namespace

std::vector<Wait> queue_waits() {
  return {
      {"SemaphoreSetTake", taking_units},
      {"SemaphoreSetZero", waiting_for_zero},
      {"SemaphoreGuard", entering},
      {"SetReaderWriterLockShared", locking_to_read},
      {"SetReaderWriterLockExclusive", locking_to_write},
      {"SysvQueueSend", sending},
      {"SysvQueueReceive", receiving},
      {"PosixQueueSend", sending_by_priority},
      {"PosixQueueReceive", receiving_by_priority},
  };
}

}  // namespace facilities
