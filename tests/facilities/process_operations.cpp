#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>

#include "attempt.hpp"
#include "signalbox/os/child.hpp"
#include "signalbox/os/pidfd.hpp"

namespace facilities {

namespace {

using namespace std::chrono_literals;
using namespace signalbox::os;
using signalbox::Deadline;

const std::vector<std::string> kTrue{"/bin/true"};
const std::vector<std::string> kSleep{"/bin/sleep", "1000"};

// Killed and reaped at the end, so that no test leaves one behind.
struct Sleeper {
  Sleeper() : child(Child::spawn(kSleep).value()) {}
  Sleeper(Sleeper&&) = default;
  ~Sleeper() {
    if (child.pid() == 0) return;
    static_cast<void>(child.signal(SIGKILL));
    static_cast<void>(child.wait(Deadline::never()));
  }
  Child child;
};

std::string unless_it_ends_well(Child& child) {
  auto end = child.wait(Deadline::after(20s));
  return unless(end && !end->by_signal && end->status == 0, "it did not end as it should");
}

}  // namespace

std::vector<Operation> process_operations() {
  return {
      {"ChildSpawn",
       [](const Ground&) {
         return making<Child>([] { return Child::spawn(kTrue); }, unless_it_ends_well);
       }},
      {"ChildSpawnWithStreams",
       [](const Ground&) {
         return making<Child>(
             [] {
               SpawnOptions options;
               options.input = ChildStream::null();
               options.output = ChildStream::give(Fd(::dup(1)));
               options.group = SpawnOptions::Group::own;
               return Child::spawn(kTrue, std::move(options));
             },
             unless_it_ends_well);
       }},
      {"ChildWatch",
       [](const Ground&) {
         auto sleeper = std::make_shared<Sleeper>();
         return making<Child>(
             [sleeper] { return Child::watch(static_cast<int>(sleeper->child.pid())); });
       }},
      {"ChildTake",
       [](const Ground&) {
         auto child = std::make_shared<Child>(Child::spawn(kTrue).value());
         static_cast<void>(child->process().wait_until_ended(Deadline::after(20s)));
         return Attempt{[child] {
           auto end = child->take();
           if (end && !*end) std::abort();
           return done(std::move(end));
         }};
       }},
      {"ChildWaits",
       [](const Ground&) {
         return with<Sleeper>(Sleeper(), [](Sleeper& sleeper) {
           return until_deadline(sleeper.child.wait(Deadline::after(2ms)));
         });
       }},
      {"ChildTerminate",
       [](const Ground&) {
         return with<Sleeper>(Sleeper(), [](Sleeper& sleeper) {
           return done(sleeper.child.terminate(Deadline::after(10s)));
         });
       }},
      {"PidfdSignal",
       [](const Ground&) {
         return with<Sleeper>(
             Sleeper(), [](Sleeper& sleeper) { return sleeper.child.process().send_signal(0); });
       }},
  };
}

}  // namespace facilities
