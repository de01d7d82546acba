// POSIX semaphores by os::NamedSemaphore and os::PlacedSemaphore.
#include <sys/mman.h>

#include <cstddef>
#include <new>

#include "actor.hpp"
#include "ours.hpp"
#include "signalbox/os/posix_semaphore.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, os::NamedSemaphore> named;
std::map<std::string, os::PlacedSemaphore> placed;

os::PosixSemaphore& semaphore_of(const Words& words) {
  const auto found = placed.find(words[0]);
  if (found != placed.end()) return found->second;
  return named.at(words[0]);
}

std::string unnamed(const Words& words) {
  constexpr std::size_t size = 4096;
  void* const memory =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  auto room = os::PlacedSemaphore::Memory::in({static_cast<std::byte*>(memory), size});
  if (!room) return answer_of(room.error());
  return keep(placed, words[0],
              os::PlacedSemaphore::create(**room, static_cast<std::uint32_t>(words.number(1))));
}

}  // namespace

void offer_posix_semaphores(Actor& actor) {
  actor.offer("sem_create", [](const Words& words) {
    return keep(named, words[0],
                os::NamedSemaphore::create(words[1], static_cast<std::uint32_t>(words.number(2)),
                                           {.mode = mode_of(words, 3)}));
  });
  actor.offer("sem_open_or_create", [](const Words& words) {
    return keep(
        named, words[0],
        os::NamedSemaphore::open_or_create(words[1], static_cast<std::uint32_t>(words.number(2))));
  });
  actor.offer("sem_open", [](const Words& words) {
    return keep(named, words[0], os::NamedSemaphore::open(words[1]));
  });
  actor.offer("sem_unnamed", unnamed);
  actor.offer("sem_wait", [](const Words& words) {
    return answer_of(semaphore_of(words).wait(Deadline::never(), as_the_kernel));
  });
  actor.offer("sem_try", [](const Words& words) {
    return answer_or_would_block(semaphore_of(words).try_wait());
  });
  actor.offer("sem_timed", [](const Words& words) {
    return answer_of(semaphore_of(words).wait(deadline_of(words, 1), as_the_kernel));
  });
  actor.offer("sem_post", [](const Words& words) { return answer_of(semaphore_of(words).post()); });
  actor.offer("sem_value", [](const Words& words) {
    const auto value = semaphore_of(words).value();
    return value ? ok(*value) : answer_of(value.error());
  });
  actor.offer("sem_close",
              [](const Words& words) { return named.erase(words[0]) == 1 ? ok() : "EINVAL"; });
  actor.offer("sem_destroy",
              [](const Words& words) { return answer_of(placed.at(words[0]).destroy()); });
  actor.offer("sem_unlink",
              [](const Words& words) { return answer_of(os::NamedSemaphore::unlink(words[0])); });
}

}  // namespace signalbox::scenarios
