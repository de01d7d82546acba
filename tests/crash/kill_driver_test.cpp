// Goal: a participant killed at any instruction of any operation leaves nobody hung, nothing torn,
// no committed message lost or doubled, no frame held, no file behind.
// Method: the victim is stepped through its operation, instruction by instruction. EveryoneDies:
// after each step that changed the topic's shared bytes or names, copies of them as of that moment
// are recovered by newcomers and read by a late reader. TheVictimDies: fresh victims are killed
// where the bytes changed and on both sides of, and asleep inside, each system call; those that
// were there before go on. TheVictimPauses: at the same places it only stands still while others
// come, publish, take and go; then it goes on, and has missed nothing. With
// SIGNALBOX_EVERY_INSTRUCTION victims are killed at each instruction, beside a contender at full
// speed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "kill_scene.hpp"

namespace kill_driver {
namespace {

constexpr Operation operations[] = {
    {"OpenPublisher", Work::open_publisher, Carrier::frame, Company::survivors},
    {"OpenSubscriber", Work::open_subscriber, Carrier::slot, Company::survivors},
    {"OpenFirst", Work::open_publisher, Carrier::frame, Company::nobody},
    {"LendFrame", Work::lend, Carrier::frame, Company::survivors},
    {"LendAndGrow", Work::grow, Carrier::arena, Company::survivors},
    {"PublishInPlace", Work::publish, Carrier::slot, Company::survivors},
    {"PublishLong", Work::publish, Carrier::long_slot, Company::survivors},
    {"PublishFrame", Work::publish, Carrier::frame, Company::survivors},
    {"PublishInArena", Work::publish, Carrier::arena, Company::survivors},
    {"PublishWithoutRoom", Work::publish_without_room, Carrier::slot, Company::survivors},
    {"TakeInPlace", Work::take, Carrier::slot, Company::survivors},
    {"TakeLong", Work::take, Carrier::long_slot, Company::survivors},
    {"TakeFrame", Work::take, Carrier::frame, Company::survivors},
    {"TakeAndMap", Work::take_grown, Carrier::arena, Company::survivors},
    {"ReleaseFrame", Work::release, Carrier::frame, Company::survivors},
    {"WaitReady", Work::wait_ready, Carrier::slot, Company::survivors},
    {"WaitSleeping", Work::wait_sleeping, Carrier::slot, Company::survivors},
    {"ArmDescriptor", Work::arm_descriptor, Carrier::slot, Company::survivors},
    {"ClosePublisher", Work::close_publisher, Carrier::frame, Company::survivors},
    {"CloseGrownPublisher", Work::close_publisher, Carrier::arena, Company::survivors},
    {"CloseSubscriber", Work::close_subscriber, Carrier::slot, Company::survivors},
    {"CloseLastPublisher", Work::close_publisher, Carrier::slot, Company::nobody},
    {"CloseLastSubscriber", Work::close_subscriber, Carrier::slot, Company::nobody},
    {"RecoverAsSubscriber", Work::open_subscriber, Carrier::frame, Company::a_corpse},
    {"CloseLastGrownPublisher", Work::close_publisher, Carrier::arena, Company::nobody},
    {"RecoverGrown", Work::open_subscriber, Carrier::arena, Company::a_corpse},
    {"RecoverAsPublisher", Work::open_publisher, Carrier::slot, Company::a_corpse},
};

// A watchdog beyond those of the checks: a library that spins for ever is ended and counted.
constexpr unsigned kWatchdogSeconds = 120;
std::string watched;
int counts_file = -1;

void end_a_hang(int) {
  constexpr char kLine[] = "{\"hangs\": 1}\n";
  if (counts_file >= 0 && ::write(counts_file, kLine, sizeof(kLine) - 1) < 0) ::_exit(4);
  if (::write(STDERR_FILENO, "hangs: ", 7) < 0 ||
      ::write(STDERR_FILENO, watched.data(), watched.size()) < 0) {
    ::_exit(4);
  }
  ::_exit(3);
}

void watch(const std::string& where) {
  watched = where + "\n";
  ::alarm(kWatchdogSeconds);
}

// Calls that may sleep: the victim is also killed while it does.
bool may_sleep(std::uint64_t number) { return number == SYS_futex || number == SYS_poll; }

using Visit = std::function<void(const Point& point, bool changed)>;

// Steps a victim through its operation. `visit` sees each place where it can be killed.
void walk(Stepper& victim, const std::string& topic, const Visit& visit) {
  SharedFiles files(topic);
  files.names_changed();
  Point at{Point::Where::at_instruction, 0, 0, victim.instruction()};
  while (!::testing::Test::HasFailure()) {
    const bool calls = victim.is_before_system_call();
    if (calls) {
      visit({Point::Where::before_call, at.calls, at.steps, at.instruction}, false);
      if (may_sleep(victim.system_call_number())) {
        visit({Point::Where::inside_call, at.calls, at.steps, at.instruction}, false);
      }
    }
    if (victim.step() != Stepper::Stop::stepped) return;
    at.instruction = victim.instruction();
    at.steps = calls ? 0 : at.steps + 1;
    at.calls += calls ? 1 : 0;
    const bool names = calls && files.names_changed();
    const bool bytes = files.bytes_changed();
    visit(at, names || bytes);
  }
}

// Brings a victim to a point of its operation, as fast as that goes.
void run_to(Stepper& victim, const Point& point) {
  using Stop = Stepper::Stop;
  for (std::uint64_t i = 0; i < 2 * point.calls; ++i) {
    if (victim.run_to_system_call() != Stop::stepped) return;
  }
  if (point.where == Point::Where::at_instruction) {
    for (std::uint64_t i = 0; i < point.steps; ++i) {
      if (victim.step() != Stop::stepped) return;
    }
  } else if (victim.run_to_system_call() == Stop::stepped) {
    if (point.where == Point::Where::inside_call) victim.run_until_asleep();
  }
}

template <class T>
void everyone_dies(const Operation& operation) {
  Scene<T> scene(operation);
  const auto victim = scene.bring_victim();
  if (!victim) return;
  std::uint64_t copies = 0;
  Point last{};
  walk(*victim, scene.topic(), [&](const Point& point, bool changed) {
    if (point.where == Point::Where::at_instruction) ++scene.verdict.tally.kill_points;
    last = point;
    if (!changed) return;
    scene.verdict.at(text_of(operation, point));
    watch(scene.verdict.where());
    scene.check_copies();
    ++copies;
  });
  victim->kill();
  scene.verdict.at(text_of(operation, last) + ", the end");
  if (!::testing::Test::HasFailure()) scene.go_on(true);
  std::printf("%llu instructions, %llu copies recovered\n",
              static_cast<unsigned long long>(scene.verdict.tally.kill_points),
              static_cast<unsigned long long>(copies));
}

template <class T>
std::vector<Point> points_of(const Operation& operation, Scene<T>& scene, bool every) {
  std::vector<Point> points;
  const auto victim = scene.bring_victim();
  if (!victim) return points;
  walk(*victim, scene.topic(), [&](const Point& point, bool changed) {
    const bool beside_a_call = point.where != Point::Where::at_instruction || point.steps == 0;
    if (every || changed || beside_a_call) points.push_back(point);
  });
  victim->kill();
  scene.verdict.at(std::string(operation.name) + ", the end");
  scene.go_on(true);
  return points;
}

// Brings a fresh victim to each point and does there what is to be done.
template <class T, class Act>
void at_each(const std::vector<Point>& points, const Operation& operation, Scene<T>& scene,
             Act act) {
  EXPECT_FALSE(points.empty());
  for (const Point& point : points) {
    if (::testing::Test::HasFailure()) break;
    scene.verdict.at(text_of(operation, point));
    watch(scene.verdict.where());
    const auto victim = scene.bring_victim();
    if (!victim) break;
    run_to(*victim, point);
    act(*victim);
  }
}

template <class T>
void the_victim_dies(const Operation& operation) {
  const bool every = std::getenv("SIGNALBOX_EVERY_INSTRUCTION") != nullptr;
  Scene<T> scene(operation);
  const auto points = points_of(operation, scene, every);
  if (every) scene.begin_contention();
  bool newcomers_first = true;
  at_each(points, operation, scene, [&](Stepper& victim) {
    victim.kill();
    ++scene.verdict.tally.true_kills;
    scene.go_on(newcomers_first);
    newcomers_first = !newcomers_first;
  });
  std::printf("%llu true kills\n", static_cast<unsigned long long>(scene.verdict.tally.true_kills));
}

// Room for all that others publish while a reliable subscriber or its sample stands still. (So much
// that a frame which the victim kept would not be missed: TheVictimDies looks for that.)
template <class T>
signalbox::PublisherOptions with_room() {
  auto options = options_of<T>(4 * victim_depth);
  options.depth = 4 * victim_depth;
  return options;
}

template <class T>
void the_victim_pauses(const Operation& operation) {
  Scene<T> scene(operation, with_room<T>());
  at_each(points_of(operation, scene, false), operation, scene, [&](Stepper& victim) {
    scene.pause(victim);
    ++scene.verdict.tally.pauses;
    scene.go_on(false);
  });
  std::printf("%llu pauses\n", static_cast<unsigned long long>(scene.verdict.tally.pauses));
}

class KillDriver : public ::testing::TestWithParam<Operation> {
 protected:
  static void SetUpTestSuite() {
    if (const char* path = std::getenv("SBX_PROOF_COUNTS")) {
      counts_file = ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    }
    std::signal(SIGALRM, end_a_hang);
  }
  void TearDown() override { ::alarm(0); }
};

TEST_P(KillDriver, EveryoneDies) {
  with_message(GetParam().carrier, []<class T>(T) { everyone_dies<T>(GetParam()); });
}
TEST_P(KillDriver, TheVictimDies) {
  with_message(GetParam().carrier, []<class T>(T) { the_victim_dies<T>(GetParam()); });
}
TEST_P(KillDriver, TheVictimPauses) {
  with_message(GetParam().carrier, []<class T>(T) { the_victim_pauses<T>(GetParam()); });
}

INSTANTIATE_TEST_SUITE_P(At, KillDriver, ::testing::ValuesIn(operations),
                         [](const auto& which) { return std::string(which.param.name); });

}  // namespace
}  // namespace kill_driver
