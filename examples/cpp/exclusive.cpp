// The brackets of collision.cpp under a semaphore: they never nest. One process is killed between
// its brackets, and the others go on, because the kernel gives back what it had taken.
#include <unistd.h>

#include <csignal>

#include "brackets.hpp"
#include "forked.hpp"
#include "signalbox/os/semaphore_guard.hpp"

namespace os = signalbox::os;
using signalbox::Deadline;

enum : std::uint16_t { door, is_inside };  // the two counts of the set

int main() {
  Brackets brackets;
  const std::uint16_t initial[] = {1, 0};  // one may pass the door, and nobody is inside
  auto set = os::SemaphoreSet::create(os::SysvKey::private_key(), initial).value();

  auto victim = start([&] {
    const auto guard = os::SemaphoreGuard::enter(set, door, Deadline::never()).value();
    std::fputs("[killed ", stdout);
    set.apply({os::give(is_inside)}, Deadline::never()).value();
    for (;;) pause();
  });
  set.apply({os::take(is_inside)}, Deadline::never()).value();

  const auto visit_often = [&] {
    for (int round = 0; round < 20; ++round) {
      const auto guard = os::SemaphoreGuard::enter(set, door, Deadline::never()).value();
      brackets.write('[', ']');
    }
  };
  os::Child both[] = {start(visit_often), start(visit_often)};
  victim.signal(SIGKILL).value();
  static_cast<void>(victim.wait(Deadline::never()));
  const bool all_well = all_ended_well(both);
  std::puts("");
  static_cast<void>(set.remove());  // a set outlives those who use it
  return all_well ? 0 : 1;
}
