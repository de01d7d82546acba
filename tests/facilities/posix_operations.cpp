#include <sys/stat.h>

#include <array>
#include <chrono>
#include <csignal>

#include "attempt.hpp"
#include "joined.hpp"
#include "signalbox/os/posix_queue.hpp"
#include "signalbox/os/posix_semaphore.hpp"

namespace facilities {

namespace {

using namespace std::chrono_literals;
using namespace signalbox::os;
using signalbox::Deadline;

const PosixQueueOptions kTwoShort{.messages_max = 2, .message_bytes_max = 8, .mode = 0626};
constexpr std::array<std::byte, 3> kMessage{std::byte{1}, std::byte{2}, std::byte{3}};

PosixQueue queue_of(const Ground& ground, int messages) {
  auto queue = PosixQueue::create(ground.name(), kTwoShort).value();
  for (int i = 0; i < messages; ++i) static_cast<void>(queue.try_send(kMessage, 1));
  return queue;
}

std::string unless_messages(PosixQueue& queue, long count) {
  return unless(queue.facts().value().messages == count, "another number of messages");
}

Result<void> receive_one(PosixQueue& queue, Deadline deadline) {
  std::array<std::byte, 8> room{};
  return done(queue.receive(room, deadline));
}

std::vector<Operation> of_queue() {
  return {
      {"PosixQueueCreate",
       [](const Ground& ground) {
         return making<PosixQueue>([&] { return PosixQueue::create(ground.name(), kTwoShort); },
                                   [](PosixQueue& queue) {
                                     return unless(queue.facts().value().messages_max == 2,
                                                   "another size");
                                   },
                                   ground.name());
       }},
      {"PosixQueueOpen",
       [](const Ground& ground) {
         static_cast<void>(queue_of(ground, 0));
         return making<PosixQueue>([&] { return PosixQueue::open(ground.name()); }, {},
                                   ground.name());
       }},
      {"PosixQueueOpenOrCreate",
       [](const Ground& ground) {
         return making<PosixQueue>(
             [&] { return PosixQueue::open_or_create(ground.name(), kTwoShort); }, {},
             ground.name());
       }},
      {"PosixQueueUnlink",
       [](const Ground& ground) {
         static_cast<void>(queue_of(ground, 0));
         return Attempt{[&] { return PosixQueue::unlink(ground.name()); }, {}, ground.name()};
       },
       true},
      {"PosixQueueSend",
       [](const Ground& ground) {
         return with<PosixQueue>(
             queue_of(ground, 0),
             [](PosixQueue& queue) { return queue.send(kMessage, 3, Deadline::after(1s)); },
             [](PosixQueue& queue) { return unless_messages(queue, 1); });
       }},
      {"PosixQueueSendWaits",
       [](const Ground& ground) {
         return with<PosixQueue>(
             queue_of(ground, 2),
             [](PosixQueue& queue) {
               return until_deadline(queue.send(kMessage, 3, Deadline::after(2ms)));
             },
             [](PosixQueue& queue) { return unless_messages(queue, 2); });
       }},
      {"PosixQueueReceive",
       [](const Ground& ground) {
         return with<PosixQueue>(
             queue_of(ground, 1),
             [](PosixQueue& queue) { return receive_one(queue, Deadline::after(1s)); },
             [](PosixQueue& queue) { return unless_messages(queue, 0); });
       }},
  };
}

std::vector<Operation> of_waits_and_notices() {
  return {
      {"PosixQueueReceiveWaits",
       [](const Ground& ground) {
         return with<PosixQueue>(queue_of(ground, 0), [](PosixQueue& queue) {
           return until_deadline(receive_one(queue, Deadline::after(2ms)));
         });
       }},
      {"PosixQueueNotify",
       [](const Ground& ground) {
         return with<PosixQueue>(
             queue_of(ground, 0), [](PosixQueue& queue) { return queue.notify_once(SIGUSR2, 4); },
             [](PosixQueue& queue) {
               auto again = queue.notify_once(SIGUSR2, 4);
               return unless(!again && again.error().code == Errc::already_exists, "no notice");
             });
       }},
  };
}

std::vector<Operation> of_semaphore() {
  return {
      {"NamedSemaphoreCreate",
       [](const Ground& ground) {
         return making<NamedSemaphore>(
             [&] { return NamedSemaphore::create(ground.name(), 3, {.mode = 0626}); },
             [&](NamedSemaphore& semaphore) {
               if (semaphore.value().value() != 3) return std::string("another count");
               struct stat facts{};
               const std::string path = "/dev/shm/sem." + ground.name().substr(1);
               return unless(::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 0777U) == 0626,
                             "it has another mode than asked for");
             },
             ground.name());
       },
       false, true},
      {"NamedSemaphoreOpen",
       [](const Ground& ground) {
         static_cast<void>(NamedSemaphore::create(ground.name(), 3).value());
         return making<NamedSemaphore>([&] { return NamedSemaphore::open(ground.name()); }, {},
                                       ground.name());
       }},
      {"NamedSemaphoreUnlink",
       [](const Ground& ground) {
         static_cast<void>(NamedSemaphore::create(ground.name(), 3).value());
         return Attempt{[&] { return NamedSemaphore::unlink(ground.name()); }, {}, ground.name()};
       },
       true},
      {"NamedSemaphoreWaits",
       [](const Ground& ground) {
         return with<NamedSemaphore>(
             NamedSemaphore::create(ground.name(), 0).value(),
             [](NamedSemaphore& semaphore) {
               return until_deadline(semaphore.wait(Deadline::after(2ms)));
             },
             [](NamedSemaphore& semaphore) {
               return unless(semaphore.value().value() == 0, "another count");
             });
       }},
  };
}

}  // namespace

std::vector<Operation> posix_operations() {
  return joined<Operation>({of_queue(), of_waits_and_notices(), of_semaphore()});
}

}  // namespace facilities
