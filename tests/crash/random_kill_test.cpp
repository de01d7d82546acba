// Goal: kill -9 of any participant at any moment leaves nobody hung, nothing torn, no committed
// message lost to a reliable subscriber, no frame leaked and no file behind.
// Method: two publishers and three subscribers at full speed; one of them, chosen at random, is
// killed after a random few milliseconds and replaced. What each did is kept in shared memory. The
// seed is printed and can be given by SIGNALBOX_SEED.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "../proof_counts.hpp"
#include "crew.hpp"
#include "signalbox/deadline.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using signalbox::Deadline;
using namespace std::chrono_literals;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

struct Worker {
  crew::Duty duty;
  std::uint64_t spawn;
  pid_t pid;
};

class RandomKill : public ::testing::TestWithParam<crew::Topic> {
 public:
  RandomKill()
      : report_(*crew::map_report()),
        seed_(number_from_environment("SIGNALBOX_SEED", std::random_device{}())),
        random_(seed_) {
    for (const crew::Duty duty :
         {crew::Duty::publish, crew::Duty::publish, crew::Duty::take_reliably,
          crew::Duty::take_and_hold, crew::Duty::take_from_descriptor}) {
      crew_.push_back({duty, 0, 0});
      employ(crew_.back());
    }
  }
  ~RandomKill() override {
    for (const Worker& worker : crew_) dismiss(worker);
  }

 protected:
  void employ(Worker& worker) {
    if (worker.duty == crew::Duty::take_reliably) {
      // What its predecessor received says nothing about what this one is owed.
      for (auto& received : report_.received) received = 0;
    }
    worker.spawn = spawns_++;
    worker.pid = crew::start(worker.duty, worker.spawn, GetParam(), report_);
  }
  static void dismiss(const Worker& worker) {
    ::kill(worker.pid, SIGKILL);
    ::waitpid(worker.pid, nullptr, 0);
  }

  std::uint64_t progress_of(const Worker& worker) const {
    return worker.duty == crew::Duty::publish ? report_.published[worker.spawn].load()
                                              : report_.taken[worker.spawn].load();
  }

  // A watchdog, not a limit on speed: the condition must come true some time.
  static bool eventually(const std::function<bool()>& condition) {
    const Deadline deadline = Deadline::after(20s);
    while (!condition()) {
      if (deadline.passed()) return false;
      pause_ns(200'000);
    }
    return true;
  }
  // The random moment of the kill, and the driver's rest between two looks.
  static void pause_ns(long ns) {
    const timespec span{.tv_sec = 0, .tv_nsec = ns};
    ::nanosleep(&span, nullptr);
  }

  bool everybody_goes_on() {
    std::vector<std::uint64_t> before;
    before.reserve(crew_.size());
    for (const Worker& worker : crew_) before.push_back(progress_of(worker));
    for (std::size_t i = 0; i < crew_.size(); ++i) {
      if (!eventually([&] { return progress_of(crew_[i]) > before[i]; })) {
        proof::count({{"hangs", 1}});
        ADD_FAILURE() << "worker " << i << " (pid " << crew_[i].pid << ") hangs, seed " << seed_;
        return false;
      }
    }
    return true;
  }

  const Worker& reliable() const { return crew_[2]; }

  signalbox::ScratchDomain domain_;  // first in, last out: checked when everybody is gone
  crew::Report& report_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<Worker> crew_;
  std::uint64_t spawns_ = 0;
};

TEST_P(RandomKill, SurvivorsGoOnAndLoseNothing) {
  // A turn of the hardened tier takes longer, and what differs is how one comes and goes.
  const bool is_plain = GetParam().tier == signalbox::Tier::plain;
  const std::uint64_t kills = number_from_environment("SIGNALBOX_KILLS", is_plain ? 1000 : 400);
  ASSERT_LT(kills + 10, crew::spawns_max);
  std::printf("seed %llu, %llu kills\n", static_cast<unsigned long long>(seed_),
              static_cast<unsigned long long>(kills));
  ASSERT_TRUE(everybody_goes_on());
  for (std::uint64_t i = 0; i < kills && !HasFailure(); ++i) {
    Worker& victim = crew_[random_() % crew_.size()];
    const bool orphaned = victim.duty == crew::Duty::publish;
    // Has the reliable subscriber met this publisher at all? Only then is it owed everything.
    const bool met = report_.received[victim.spawn].load() != 0;
    pause_ns(static_cast<long>(random_() % 3'000'000));
    dismiss(victim);
    if (orphaned && met) {
      const std::uint64_t committed = report_.published[victim.spawn];
      EXPECT_TRUE(eventually([&] { return report_.received[victim.spawn] >= committed; }))
          << "of " << committed << " committed messages only " << report_.received[victim.spawn]
          << " arrived; kill " << i << ", seed " << seed_;
      if (HasFailure()) proof::count({{"lost", committed - report_.received[victim.spawn]}});
    }
    employ(victim);
    if (i % 10 == 0) everybody_goes_on();
  }
  EXPECT_TRUE(everybody_goes_on());
  EXPECT_EQ(report_.torn, 0U);
  EXPECT_EQ(report_.disordered, 0U);
  EXPECT_EQ(report_.lost, 0U);
  EXPECT_EQ(report_.errors, 0U);
  std::uint64_t messages = 0;
  for (const auto& published : report_.published) messages += published;
  proof::count({{"random_kills", kills},
                {"messages", messages},
                {"torn", report_.torn},
                {"doubled", report_.disordered},
                {"lost", report_.lost}});
  for (const Worker& worker : crew_) dismiss(worker);
  crew_.clear();
  EXPECT_TRUE(crew::visit(GetParam())) << "the next to come finds a usable topic";
  // ScratchDomain checks that the visitor left nothing behind.
}

// Goal: no frame is lost to a subscriber that dies holding it.
// Method: a publisher with no frame to spare; a subscriber takes and holds four and is killed; then
// many times more frames must be lent than there are.
class KilledHolder : public ::testing::TestWithParam<signalbox::Tier> {};

TEST_P(KilledHolder, GivesItsFramesBack) {
  const signalbox::ScratchDomain domain;
  crew::Report& report = *crew::map_report();
  {
    crew::FrameSource source(1, GetParam());  // six frames; a holder of four stops the publisher
    for (std::uint64_t round = 0; round < 100; ++round) {
      const pid_t holder =
          crew::start(crew::Duty::take_and_hold, round, {true, GetParam()}, report);
      const Deadline deadline = Deadline::after(20s);
      while (report.taken[round] < 4 && !deadline.passed()) static_cast<void>(source.publish());
      ASSERT_GE(report.taken[round], 4U) << "the holder took nothing, round " << round;
      ::kill(holder, SIGKILL);
      ::waitpid(holder, nullptr, 0);
      for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(source.publish()) << "frames are still held by the dead, round " << round;
      }
    }
  }
  EXPECT_EQ(report.torn, 0U);
  proof::count({{"random_kills", 100}, {"torn", report.torn}});
}

using signalbox::Tier;

std::string name_of(Tier tier) { return tier == Tier::plain ? "Plain" : "Hardened"; }

INSTANTIATE_TEST_SUITE_P(Messages, RandomKill,
                         ::testing::Values(crew::Topic{false}, crew::Topic{true},
                                           crew::Topic{false, Tier::hardened},
                                           crew::Topic{true, Tier::hardened}),
                         [](const auto& which) {
                           return (which.param.has_frames ? "Frames" : "InPlace") +
                                  name_of(which.param.tier);
                         });
INSTANTIATE_TEST_SUITE_P(Frames, KilledHolder, ::testing::Values(Tier::plain, Tier::hardened),
                         [](const auto& which) { return name_of(which.param); });

}  // namespace
