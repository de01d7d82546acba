// The classic: a buffer of a few places in shared memory, several producers and consumers. One
// semaphore counts the empty places, one the full ones, and one lets one process at a time in.
#include <sched.h>

#include <cstdio>

#include "forked.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/posix_semaphore.hpp"

using namespace signalbox;
using Semaphore = os::PlacedSemaphore;
constexpr std::uint32_t places = 1000;

struct Shared {  // by all processes
  Semaphore::Memory empty, full, mutex;
  std::uint32_t numbers[places];
  unsigned long long put, taken, sum;  // how many so far, and of what was taken
};

struct Buffer {
  Shared& shared;
  Semaphore empty = Semaphore::create(shared.empty, places).value();
  Semaphore full = Semaphore::create(shared.full, 0).value();
  Semaphore mutex = Semaphore::create(shared.mutex, 1).value();

  void put(std::uint32_t number) {
    empty.wait(Deadline::never()).value();
    mutex.wait(Deadline::never()).value();
    shared.numbers[shared.put % places] = number;
    if (number % 1000 == 0) sched_yield();  // an invitation to others, which the mutex declines
    ++shared.put;
    mutex.post().value(), full.post().value();
  }
  std::uint32_t take() {
    full.wait(Deadline::never()).value();
    mutex.wait(Deadline::never()).value();
    const auto number = shared.numbers[shared.taken++ % places];
    shared.sum += number;
    return mutex.post().value(), empty.post().value(), number;
  }
};

int main() {
  const os::MapOptions writable{.access = os::Access::read_write};
  const auto memory = os::Mapping::anonymous(sizeof(Shared), writable).value();
  Buffer buffer{.shared = *memory.at<Shared>(0)};
  const auto consume = [&] {
    while (buffer.take() != 0) continue;
  };
  const auto produce = [&] {
    for (std::uint32_t number = 1; number <= 10'000; ++number) buffer.put(number);
  };
  os::Child consumers[] = {start(consume), start(consume)};
  os::Child producers[] = {start(produce), start(produce), start(produce)};
  if (!all_ended_well(producers)) return 1;
  buffer.put(0), buffer.put(0);  // each ends one consumer
  if (!all_ended_well(consumers)) return 1;
  std::printf("%llu taken, sum %llu\n", buffer.shared.taken - 2, buffer.shared.sum);
}
