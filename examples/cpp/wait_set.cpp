// One sleep for everything: two topics, a timer and the signals that end the program.
// Here the program is its own publisher: the timer sends, both topics answer, SIGTERM ends it.
#include <csignal>
#include <cstdio>

#include "pose.hpp"
#include "signalbox/os/signals.hpp"
#include "signalbox/os/timer.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"

using namespace std::chrono_literals;
namespace sbx = signalbox;

enum Source : sbx::WaitSet::Key { left, right, clock_tick, quit };

int main() {
  auto signals = sbx::os::Signals::block({SIGINT, SIGTERM}).value();
  auto timer = sbx::os::Timer::every(10ms).value();
  auto out = sbx::Publisher<Pose>::open("arm/left").value();
  auto other_out = sbx::Publisher<Pose>::open("arm/right").value();
  auto in = sbx::Subscriber<Pose>::open("arm/left").value();
  auto other_in = sbx::Subscriber<Pose>::open("arm/right").value();

  auto set = sbx::WaitSet::create(4).value();
  const sbx::Watch watches[] = {
      set.watch(signals.waitable(), quit).value(),
      set.watch(timer.waitable(), clock_tick).value(),
      set.watch(in.waitable(), left).value(),
      // Also tells when no message came for a whole second.
      set.watch_every(other_in.waitable(), right, 1s).value(),
  };

  for (;;) {
    // Each source is reported until it is drained, so handle as much of it as you like.
    const auto ready = set.wait(sbx::Deadline::never()).value();
    for (const auto [source, events] : ready) {
      if (source == quit) return std::puts("good bye"), 0;
      if (any_of(events, sbx::Events::deadline_missed)) std::puts("right is late");
      if (source == clock_tick && timer.take() != 0) {
        static_cast<void>(out.send(Pose{}));
        static_cast<void>(other_out.send(Pose{}));
      }
      if (source == left && in.take()) std::puts("left moved");
      if (source == right && other_in.take()) {
        std::puts("right moved");
        std::raise(SIGTERM);  // blocked: it becomes a source like any other
      }
    }
  }
}
