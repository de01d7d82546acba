#include <array>
#include <chrono>

#include "attempt.hpp"
#include "joined.hpp"
#include "signalbox/os/semaphore_guard.hpp"
#include "signalbox/os/semaphore_set.hpp"
#include "signalbox/os/set_reader_writer_lock.hpp"
#include "signalbox/os/sysv_queue.hpp"

namespace facilities {

namespace {

using namespace std::chrono_literals;
using namespace signalbox::os;
using signalbox::Deadline;

constexpr std::array<std::uint16_t, 2> kCounts{1, 0};

SemaphoreSet set_of(const Ground& ground) {
  return SemaphoreSet::create(ground.key(), kCounts).value();
}

std::string unless_counts(SemaphoreSet& set, std::uint16_t first, std::uint16_t second) {
  const auto values = set.values();
  return unless(values && *values == std::vector<std::uint16_t>{first, second}, "other counts");
}

std::vector<Operation> of_set_life() {
  return {
      {"SemaphoreSetCreate",
       [](const Ground& ground) {
         return making<SemaphoreSet>([&] { return SemaphoreSet::create(ground.key(), kCounts); },
                                     [](SemaphoreSet& set) { return unless_counts(set, 1, 0); });
       }},
      {"SemaphoreSetCreateForOthers",
       [](const Ground& ground) {
         return making<SemaphoreSet>(
             [&] { return SemaphoreSet::create(ground.key(), kCounts, {.mode = 0066}); },
             [](SemaphoreSet& set) {
               return unless(set.facts().value().access.mode == 0066, "another mode");
             });
       }},
      {"SemaphoreSetOpen",
       [](const Ground& ground) {
         static_cast<void>(set_of(ground));
         return making<SemaphoreSet>(
             [&] { return SemaphoreSet::open(ground.key(), 2, Deadline::after(1s)); });
       }},
      {"SemaphoreSetOpenOrCreate",
       [](const Ground& ground) {
         return making<SemaphoreSet>(
             [&] {
               return SemaphoreSet::open_or_create(ground.key(), kCounts, Deadline::after(1s));
             },
             [](SemaphoreSet& set) { return unless_counts(set, 1, 0); });
       }},
      {"SemaphoreSetRemove",
       [](const Ground& ground) {
         return with<SemaphoreSet>(set_of(ground), [](SemaphoreSet& set) { return set.remove(); });
       },
       true},
      {"SemaphoreSetSetValues",
       [](const Ground& ground) {
         return with<SemaphoreSet>(
             set_of(ground),
             [](SemaphoreSet& set) { return set.set_values(std::array<std::uint16_t, 2>{5, 6}); },
             [](SemaphoreSet& set) { return unless_counts(set, 5, 6); });
       }},
      {"SemaphoreSetSetMode",
       [](const Ground& ground) {
         return with<SemaphoreSet>(
             set_of(ground), [](SemaphoreSet& set) { return set.set_mode(0660); },
             [](SemaphoreSet& set) {
               return unless(set.facts().value().access.mode == 0660, "another mode");
             });
       }},
      {"SemaphoreSetValues",
       [](const Ground& ground) {
         return with<SemaphoreSet>(set_of(ground),
                                   [](SemaphoreSet& set) { return done(set.values()); });
       }},
  };
}

std::vector<Operation> of_set_use() {
  return {
      {"SemaphoreSetApply",
       [](const Ground& ground) {
         return with<SemaphoreSet>(
             set_of(ground),
             [](SemaphoreSet& set) {
               return set.apply({take(0), undo_on_exit(give(1, 2))}, Deadline::after(1s));
             },
             [](SemaphoreSet& set) { return unless_counts(set, 0, 2); });
       }},
      {"SemaphoreSetApplyWaits",
       [](const Ground& ground) {
         return with<SemaphoreSet>(
             set_of(ground),
             [](SemaphoreSet& set) {
               return until_deadline(set.apply({take(0), take(1)}, Deadline::after(2ms)));
             },
             [](SemaphoreSet& set) { return unless_counts(set, 1, 0); });
       }},
      {"SemaphoreSetTryApply",
       [](const Ground& ground) {
         return with<SemaphoreSet>(
             set_of(ground), [](SemaphoreSet& set) { return done(set.try_apply({take(0)})); },
             [](SemaphoreSet& set) { return unless_counts(set, 0, 0); });
       }},
      {"SemaphoreGuardEnter",
       [](const Ground& ground) {
         auto set = std::make_shared<SemaphoreSet>(set_of(ground));
         return making<SemaphoreGuard>(
             [set] { return SemaphoreGuard::enter(*set, 0, Deadline::after(1s)); },
             [set](SemaphoreGuard& guard) {
               const auto inside = unless_counts(*set, 0, 0);
               if (!inside.empty() || !guard.leave()) return inside + " and to leave";
               return unless_counts(*set, 1, 0);
             });
       }},
  };
}

std::vector<Operation> of_set_lock() {
  return {
      {"SetReaderWriterLockOpen",
       [](const Ground& ground) {
         return making<SetReaderWriterLock>([&] {
           return SetReaderWriterLock::open_or_create(ground.key(), 4, Deadline::after(1s));
         });
       },
       true},
      {"SetReaderWriterLockExclusive",
       [](const Ground& ground) {
         return with<SetReaderWriterLock>(
             SetReaderWriterLock::open_or_create(ground.key(), 4, Deadline::after(1s)).value(),
             [](SetReaderWriterLock& lock) -> Result<void> {
               return done(lock.lock_exclusive(Deadline::after(1s)));
             },
             [](SetReaderWriterLock& lock) {
               auto again = lock.try_lock_exclusive();
               return unless(again.has_value() && *again, "it is not free again");
             });
       }},
      {"SetReaderWriterLockWaits",
       [](const Ground& ground) {
         auto lock = std::make_shared<SetReaderWriterLock>(
             SetReaderWriterLock::open_or_create(ground.key(), 4, Deadline::after(1s)).value());
         auto reads = std::make_shared<SemaphoreGuard>(lock->try_lock_shared().value());
         return Attempt{
             [lock, reads] { return until_deadline(lock->lock_exclusive(Deadline::after(2ms))); },
             [lock, reads] {
               static_cast<void>(reads->leave());
               auto again = lock->try_lock_exclusive();
               return unless(again.has_value() && *again, "the turn was not given back");
             }};
       }},
  };
}

constexpr std::array<std::byte, 3> kMessage{std::byte{1}, std::byte{2}, std::byte{3}};

SysvQueue queue_of(const Ground& ground) { return SysvQueue::create(ground.key()).value(); }
SysvQueue queue_with_one(const Ground& ground) {
  auto queue = queue_of(ground);
  static_cast<void>(queue.send(7, kMessage, Deadline::immediate()));
  return queue;
}
std::string unless_messages(SysvQueue& queue, std::uint64_t count) {
  return unless(queue.facts().value().messages == count, "another number of messages");
}

std::vector<Operation> of_queue() {
  return {
      {"SysvQueueCreate",
       [](const Ground& ground) {
         return making<SysvQueue>([&] { return SysvQueue::create(ground.key(), {.mode = 0626}); },
                                  [](SysvQueue& queue) {
                                    return unless(queue.facts().value().access.mode == 0626,
                                                  "another mode");
                                  });
       }},
      {"SysvQueueOpenOrCreate",
       [](const Ground& ground) {
         return making<SysvQueue>([&] { return SysvQueue::open_or_create(ground.key()); });
       }},
      {"SysvQueueSend",
       [](const Ground& ground) {
         return with<SysvQueue>(
             queue_of(ground),
             [](SysvQueue& queue) { return queue.send(7, kMessage, Deadline::after(1s)); },
             [](SysvQueue& queue) { return unless_messages(queue, 1); });
       }},
      {"SysvQueueSendNever",
       [](const Ground& ground) {
         return with<SysvQueue>(
             queue_of(ground),
             [](SysvQueue& queue) { return queue.send(7, kMessage, Deadline::never()); },
             [](SysvQueue& queue) { return unless_messages(queue, 1); });
       }},
      {"SysvQueueReceive",
       [](const Ground& ground) {
         return with<SysvQueue>(
             queue_with_one(ground),
             [](SysvQueue& queue) {
               std::array<std::byte, 8> room{};
               return done(queue.receive(room, MessageFilter::exact(7), Deadline::never()));
             },
             [](SysvQueue& queue) { return unless_messages(queue, 0); });
       }},
      {"SysvQueueReceiveWaits",
       [](const Ground& ground) {
         return with<SysvQueue>(queue_of(ground), [](SysvQueue& queue) {
           std::array<std::byte, 8> room{};
           return until_deadline(queue.receive(room, MessageFilter::any(), Deadline::after(2ms)));
         });
       }},
  };
}

std::vector<Operation> of_queue_end() {
  return {
      {"SysvQueueRemove",
       [](const Ground& ground) {
         return with<SysvQueue>(queue_of(ground), [](SysvQueue& queue) { return queue.remove(); });
       },
       true},
      {"SysvQueueSetCapacity",
       [](const Ground& ground) {
         return with<SysvQueue>(
             queue_of(ground), [](SysvQueue& queue) { return queue.set_capacity(100); },
             [](SysvQueue& queue) {
               return unless(queue.facts().value().bytes_max == 100, "another capacity");
             });
       }},
  };
}

}  // namespace

std::vector<Operation> sysv_operations() {
  return joined<Operation>(
      {of_set_life(), of_set_use(), of_set_lock(), of_queue(), of_queue_end()});
}

}  // namespace facilities
