// Goal: whoever is killed, holding a lock or waiting for one, the others go on; no more hold it at
// once than may, the next owner is told of the death once, and units come back once.
// Method: six processes take one lock without end, with deadlines that pass now and then; one of
// them, chosen at random, is killed after a random while and replaced. What each does is in shared
// memory, so the driver knows whether the dead one held it. The seed is printed and can be given by
// SIGNALBOX_SEED. Then nine threads of one process hold a hundred locks, and it is killed.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "../proof_counts.hpp"
#include "lock_crew.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/semaphore.hpp"
#include "sync/other_process.hpp"
#include "topic/scratch_domain.hpp"

namespace {

using lock_crew::Kind;
using proof::number_from_environment;
using signalbox::Deadline;
using namespace std::chrono_literals;

std::uint64_t seed_of_this_run() {
  return number_from_environment("SIGNALBOX_SEED", std::random_device{}());
}

class LockKill : public ::testing::TestWithParam<Kind> {
 public:
  ~LockKill() override {
    for (const pid_t pid : pids_) dismiss(pid);
  }

 protected:
  LockKill() : report_(*lock_crew::map_report()), seed_(seed_of_this_run()), random_(seed_) {
    for (std::size_t i = 0; i < lock_crew::workers; ++i) {
      pids_.push_back(lock_crew::start(GetParam(), i, random_(), report_));
    }
  }
  static void dismiss(pid_t pid) {
    if (pid <= 0) return;
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }

  static void pause_ns(long ns) {
    const timespec span{.tv_sec = 0, .tv_nsec = ns};
    ::nanosleep(&span, nullptr);
  }
  // A watchdog, not a limit on speed.
  static bool eventually(const std::function<bool()>& condition) {
    const Deadline deadline = Deadline::after(20s);
    while (!condition()) {
      if (deadline.passed()) return false;
      pause_ns(50'000);
    }
    return true;
  }

  bool everybody_goes_on(std::size_t except = lock_crew::workers) {
    std::vector<std::uint64_t> before;
    for (const auto& worker : report_.worker) before.push_back(worker.taken);
    for (std::size_t i = 0; i < before.size(); ++i) {
      if (i == except) continue;
      if (!eventually([&] { return report_.worker[i].taken > before[i]; })) {
        proof::count({{"hangs", 1}});
        ADD_FAILURE() << "worker " << i << " hangs, seed " << seed_;
        return false;
      }
    }
    return true;
  }

  // Answers whether it died having the lock.
  bool kill(std::size_t victim) {
    report_.worker[victim].dying = 1;
    dismiss(std::exchange(pids_[victim], 0));
    return report_.worker[victim].holding.exchange(0) != 0;
  }
  void replace(std::size_t victim) {
    ++report_.worker[victim].life;
    report_.worker[victim].dying = 0;
    pids_[victim] = lock_crew::start(GetParam(), victim, random_(), report_);
  }

  // How long after the kill somebody had the lock again.
  void note_silence(std::uint64_t before, std::int64_t since_ns) {
    if (!eventually([&] { return taken_by_all() > before; })) return;
    silences_.push_back(signalbox::monotonic_now_ns() - since_ns);
  }
  std::uint64_t taken_by_all() const {
    std::uint64_t sum = 0;
    for (const auto& worker : report_.worker) sum += worker.taken;
    return sum;
  }

  signalbox::ScratchDomain domain_;
  lock_crew::Report& report_;
  std::uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<pid_t> pids_;
  std::vector<std::int64_t> silences_;
};

TEST_P(LockKill, SurvivorsGoOn) {
  const std::uint64_t kills = number_from_environment("SIGNALBOX_KILLS", 200);
  const bool is_told = GetParam() == Kind::mutex || GetParam() == Kind::fair_mutex;
  std::printf("seed %llu, %llu kills\n", static_cast<unsigned long long>(seed_),
              static_cast<unsigned long long>(kills));
  ASSERT_TRUE(everybody_goes_on());
  std::uint64_t held = 0;
  std::uint64_t doubled = 0;
  for (std::uint64_t i = 0; i < kills && !HasFailure(); ++i) {
    pause_ns(static_cast<long>(random_() % 1'000'000));
    const std::size_t victim = random_() % pids_.size();
    const std::uint64_t told = report_.told;
    const bool was_held = kill(victim);
    held += was_held ? 1 : 0;
    note_silence(taken_by_all(), signalbox::monotonic_now_ns());
    ASSERT_TRUE(everybody_goes_on(victim));
    if (is_told) {
      EXPECT_GE(report_.told - told, was_held ? 1U : 0U) << "kill " << i << ", seed " << seed_;
      EXPECT_LE(report_.told - told, 1U) << "kill " << i << ", seed " << seed_;
      doubled += report_.told - told > 1 ? 1 : 0;
    }
    replace(victim);
  }
  // Before the last ones are dismissed, who do not say that they die.
  const std::uint64_t broken = report_.broken;
  EXPECT_EQ(broken, 0U) << "seed " << seed_;
  EXPECT_EQ(report_.errors, 0U) << "seed " << seed_;
  EXPECT_GT(held, 0U) << "nobody was killed holding it: the test tries nothing";
  for (pid_t& pid : pids_) dismiss(std::exchange(pid, 0));
  const std::string wrong = lock_crew::visit(GetParam());
  EXPECT_EQ(wrong, "") << "seed " << seed_;
  std::ranges::sort(silences_);
  const auto late = std::ranges::count_if(silences_, [](auto ns) { return ns > 100'000'000; });
  std::printf(
      "%llu of the killed held it; somebody had it again after %.2f ms (median), %.2f ms "
      "(longest), %lld times after more than 100 ms\n",
      static_cast<unsigned long long>(held),
      static_cast<double>(silences_[silences_.size() / 2]) / 1e6,
      static_cast<double>(silences_.back()) / 1e6, static_cast<long long>(late));
  proof::count({{"random_kills", kills},
                {"torn", broken},
                {"doubled", doubled},
                {"lost", wrong.empty() ? 0U : 1U}});
}

INSTANTIATE_TEST_SUITE_P(Kinds, LockKill,
                         ::testing::Values(Kind::mutex, Kind::fair_mutex, Kind::semaphore,
                                           Kind::fair_semaphore, Kind::read_write),
                         [](const auto& which) { return lock_crew::name_of(which.param); });

constexpr int kLocks = 100;
constexpr int kThreads = 9;

std::string name_of_lock(int i) { return "many/" + std::to_string(i); }

// Nine threads hold a hundred locks and, of one semaphore, a hundred units.
void hold_many(const signalbox::OtherProcess::Here& here) {
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  std::atomic<int> ready{0};
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<signalbox::Mutex> locks;
      std::vector<signalbox::MutexGuard> guards;
      auto semaphore = signalbox::Semaphore::open("many/units", {.units_max = kLocks}).value();
      std::vector<signalbox::Permit> permits;
      for (int i = t; i < kLocks; i += kThreads) {
        locks.push_back(signalbox::Mutex::open(name_of_lock(i)).value());
        guards.push_back(std::move(locks.back().lock(Deadline::after(20s)).value()).regardless());
        permits.push_back(semaphore.acquire(Deadline::after(20s)).value());
      }
      if (++ready == kThreads) here.say('h');
      for (;;) ::pause();
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(LockKillMany, AHundredLocksOfNineThreadsComeBackOnce) {
  const signalbox::ScratchDomain domain;
  const std::uint64_t rounds = number_from_environment("SIGNALBOX_KILLS", 10) / 10 + 1;
  std::vector<signalbox::Mutex> locks;
  locks.reserve(kLocks);
  for (int i = 0; i < kLocks; ++i) {
    locks.push_back(signalbox::Mutex::open(name_of_lock(i)).value());
  }
  auto semaphore = signalbox::Semaphore::open("many/units", {.units_max = kLocks}).value();
  std::int64_t longest_ns = 0;
  for (std::uint64_t round = 0; round < rounds && !::testing::Test::HasFailure(); ++round) {
    signalbox::OtherProcess holder(hold_many);
    ASSERT_EQ(holder.hear(), 'h');
    EXPECT_EQ(semaphore.value(), 0U);
    holder.kill();
    holder.await_death();
    const std::int64_t since = signalbox::monotonic_now_ns();
    int told = 0;
    for (auto& lock : locks) {
      auto held = lock.lock(Deadline::after(20s));
      ASSERT_TRUE(held) << held.error().text;
      told += held->owner_died() ? 1 : 0;
      static_cast<void>(std::move(*held).regardless());
    }
    std::vector<signalbox::Permit> permits;
    permits.reserve(kLocks);
    for (int i = 0; i < kLocks; ++i) {
      permits.push_back(semaphore.acquire(Deadline::after(20s)).value());
    }
    longest_ns = std::max(longest_ns, signalbox::monotonic_now_ns() - since);
    EXPECT_EQ(told, kLocks);
    EXPECT_FALSE(semaphore.try_acquire()) << "a unit came back twice";
    for (auto& lock : locks) {
      auto held = lock.try_lock();
      ASSERT_TRUE(held) << held.error().text;
      EXPECT_FALSE(held->owner_died()) << "told twice";
      static_cast<void>(std::move(*held).regardless());
    }
  }
  std::printf("%llu rounds, all had again after at most %.2f ms\n",
              static_cast<unsigned long long>(rounds), static_cast<double>(longest_ns) / 1e6);
  proof::count({{"random_kills", rounds}});
}

}  // namespace
