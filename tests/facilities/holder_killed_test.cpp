// Goal: a process that holds kernel locks is killed at any moment, and all goes on. Whoever waits
// gets the lock; nobody gets it beside a holder who lives; the next owner of a robust mutex learns
// of the death exactly once; units that were taken with undo come back exactly once.
// Method: a victim takes and gives one lock as fast as it can beside two survivors, and is killed
// at a random moment, again and again. Who is inside leaves its pid in shared memory, so it is
// known afterwards whether the victim held the lock. Other victims hold up to 100 locks with 9
// threads, or some of five units. SIGNALBOX_KILLS is how many victims die for each kind.
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>
#include <thread>

#include "../proof_counts.hpp"
#include "lock_kinds.hpp"
#include "os/test_process.hpp"

namespace {

using namespace std::chrono_literals;
using namespace signalbox::os;
using facilities::Arena;
using facilities::KernelLock;
using facilities::LockKindOfKernel;
using facilities::locks_max;
using facilities::Site;
using facilities::Taken;
using signalbox::Deadline;

// Watchdogs against hangs; what is measured is printed and not judged.
constexpr auto kHang = 60s;

std::uint64_t seed() {
  static const std::uint64_t chosen =
      proof::number_from_environment("SIGNALBOX_SEED", std::random_device{}());
  return chosen;
}

bool eventually(const std::function<bool()>& is_so) {
  for (const Deadline watchdog = Deadline::after(kHang); !is_so(); ::sched_yield()) {
    if (watchdog.passed()) return false;
  }
  return true;
}

void spin(std::uint64_t turns) {
  for (; turns > 0; --turns) asm volatile("");
}

// One lap through the critical section of lock 0.
void enter_and_leave(Arena& arena, KernelLock& lock, bool tells, pid_t me, Deadline deadline,
                     const std::function<void()>& inside = {}) {
  const Taken taken = lock.take(deadline);
  if (taken == Taken::not_taken) {
    ++arena.errors;
    return;
  }
  const pid_t before = arena.inside[0].exchange(me);
  if (before != 0 && before != arena.killing) ++arena.intruders;
  if (before != 0) {
    ++arena.marks;
    if (tells && taken != Taken::owner_died) ++arena.errors;
  }
  if (taken == Taken::owner_died) ++arena.told;
  if (inside) inside();
  if (arena.inside[0].exchange(0) != me) ++arena.intruders;
  if (!lock.give()) ++arena.errors;
}

void survive(const Site& site, const LockKindOfKernel& kind, unsigned which) {
  Arena& arena = site.arena();
  const auto lock = kind.open(site, 0);
  const pid_t me = ::getpid();
  // One sleeps in the kernel, where the other may look again and again.
  while (!arena.stop) {
    const Deadline deadline = which == 0 ? Deadline::never() : Deadline::after(kHang);
    enter_and_leave(arena, *lock, kind.tells_of_death, me, deadline);
    ++arena.progress[which];
    ::sched_yield();
  }
}

// It dies inside, outside or on the way; one that stays dies inside, while both survivors wait.
void be_killed(const Site& site, const LockKindOfKernel& kind, bool stays) {
  const auto lock = kind.victims_open()(site, 0);
  const pid_t me = ::getpid();
  for (;;) {
    enter_and_leave(site.arena(), *lock, kind.tells_of_death, me, Deadline::never(), [&] {
      ++site.arena().held;
      while (stays) ::pause();
      spin(20'000);
    });
  }
}

class HolderKilled : public testing::TestWithParam<LockKindOfKernel> {
 protected:
  std::mt19937_64 random{seed()};
  std::uint64_t below(std::uint64_t end) {
    return std::uniform_int_distribution<std::uint64_t>(0, end - 1)(random);
  }
};

struct Lateness {
  std::uint64_t above_100_ms = 0;
  std::int64_t most_ns = 0;
  void note(std::int64_t ns) {
    above_100_ms += ns > 100'000'000 ? 1 : 0;
    most_ns = std::max(most_ns, ns);
  }
};

TEST_P(HolderKilled, SurvivorsGoOn) {
  const LockKindOfKernel& kind = GetParam();
  const Site site;
  Arena& arena = site.arena();
  test::Forked first([&] {
    survive(site, kind, 0);
    return 0;
  });
  test::Forked second([&] {
    survive(site, kind, 1);
    return 0;
  });
  const std::uint64_t kills = proof::number_from_environment("SIGNALBOX_KILLS", 200);
  std::uint64_t held = 0;
  std::uint64_t told = 0;
  Lateness lateness;
  for (std::uint64_t round = 0; round < kills; ++round) {
    arena.marks = arena.told = 0;
    arena.held = 0;
    const bool stays = below(3) == 0;
    test::Forked victim([&] {
      be_killed(site, kind, stays);
      return 0;
    });
    arena.killing = victim.pid();
    const std::uint64_t laps = stays ? 1 : below(4);
    ASSERT_TRUE(eventually([&] { return arena.held >= laps; })) << "seed " << seed();
    spin(below(50'000));
    victim.kill();
    victim.wait();
    const std::int64_t died = signalbox::monotonic_now_ns();
    const std::array before{arena.progress[0].load(), arena.progress[1].load()};
    // Two laps each, because one may have begun before the death.
    const bool go_on = eventually(
        [&] { return arena.progress[0] > before[0] + 1 && arena.progress[1] > before[1] + 1; });
    if (!go_on) proof::count({{"hangs", 1}});
    ASSERT_TRUE(go_on) << "after kill " << round << ", seed " << seed();
    lateness.note(signalbox::monotonic_now_ns() - died);
    ASSERT_LE(arena.told, 1U) << "learned more than once, seed " << seed();
    ASSERT_LE(arena.marks, 1U) << "seed " << seed();
    if (kind.tells_of_death && arena.marks == 1) {
      ASSERT_EQ(arena.told, 1U) << "nobody learned of it, seed " << seed();
    }
    ASSERT_EQ(arena.errors, 0U) << "seed " << seed();
    ASSERT_EQ(arena.intruders, 0U) << "two held the lock, seed " << seed();
    held += arena.marks;
    told += arena.told;
  }
  arena.stop = true;
  std::printf(
      "%llu kills, %llu while it held, %llu told; %llu times later than 100 ms, at most "
      "%lld ms; seed %llu\n",
      static_cast<unsigned long long>(kills), static_cast<unsigned long long>(held),
      static_cast<unsigned long long>(told), static_cast<unsigned long long>(lateness.above_100_ms),
      static_cast<long long>(lateness.most_ns / 1'000'000),
      static_cast<unsigned long long>(seed()));
  EXPECT_GT(held, 0U) << "no victim ever held it";
  proof::count({{"random_kills", kills}});
}

// ---- many locks and threads ---------------------------------------------------------------------

constexpr unsigned kThreads = 9;

void hold_all(const Site& site, const LockKindOfKernel& kind) {
  Arena& arena = site.arena();
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (unsigned which = 0; which < kThreads; ++which) {
    threads.emplace_back([&, which] {
      std::vector<std::unique_ptr<KernelLock>> locks;
      for (unsigned i = which; i < locks_max; i += kThreads) {
        locks.push_back(kind.victims_open()(site, i));
        if (locks.back()->take(Deadline::never()) != Taken::free) ++arena.errors;
        arena.inside[i] = ::getpid();
        ++arena.held;
      }
      for (;;) ::pause();
    });
  }
}

TEST_P(HolderKilled, OfAHundredLocksAndNineThreads) {
  const LockKindOfKernel& kind = GetParam();
  const Site site;
  Arena& arena = site.arena();
  std::vector<std::unique_ptr<KernelLock>> ours;
  ours.reserve(locks_max);
  for (unsigned i = 0; i < locks_max; ++i) ours.push_back(kind.open(site, i));
  const std::uint64_t kills =
      std::max<std::uint64_t>(1, proof::number_from_environment("SIGNALBOX_KILLS", 200) / 10);
  std::uint64_t freed = 0;
  for (std::uint64_t round = 0; round < kills; ++round) {
    arena.held = 0;
    for (auto& mark : arena.inside) mark = 0;
    test::Forked victim([&] {
      hold_all(site, kind);
      return 0;
    });
    // Half of them hold all, the others some.
    const std::uint64_t wanted = below(2) == 0 ? locks_max : below(locks_max + 1);
    ASSERT_TRUE(eventually([&] { return arena.held >= wanted; })) << "seed " << seed();
    victim.kill();
    victim.wait();
    for (unsigned i = 0; i < locks_max; ++i) {
      const Taken taken = ours[i]->take(Deadline::after(kHang));
      ASSERT_NE(taken, Taken::not_taken) << "lock " << i << " is not free, seed " << seed();
      const bool was_held = arena.inside[i] != 0;
      if (was_held && kind.tells_of_death) {
        ASSERT_EQ(taken, Taken::owner_died) << "lock " << i << ", seed " << seed();
      }
      freed += was_held ? 1 : 0;
      ASSERT_TRUE(ours[i]->give());
      ASSERT_EQ(ours[i]->take(Deadline::after(kHang)), Taken::free) << "told twice: " << i;
      ASSERT_TRUE(ours[i]->give());
    }
    ASSERT_EQ(arena.errors, 0U) << "seed " << seed();
  }
  std::printf("%llu kills freed %llu locks; seed %llu\n", static_cast<unsigned long long>(kills),
              static_cast<unsigned long long>(freed), static_cast<unsigned long long>(seed()));
  EXPECT_GT(freed, 0U);
  proof::count({{"random_kills", kills}});
}

INSTANTIATE_TEST_SUITE_P(Kernel, HolderKilled, testing::ValuesIn(facilities::lock_kinds()),
                         [](const auto& which) { return std::string(which.param.name); });

// ---- units --------------------------------------------------------------------------------------

constexpr std::uint16_t kUnits = 5;

void take_and_give_units(const Site& site, std::uint64_t with_seed) {
  auto set = SemaphoreSet::attach(site.set.id()).value();
  std::mt19937_64 random(with_seed);
  for (std::int16_t mine = 0;; ++site.arena().held) {
    // How many it shall hold next; above zero it takes so many more.
    const auto change = static_cast<std::int16_t>(random() % (kUnits + 1)) - mine;
    if (change == 0) continue;
    const SemOp op{.index = 0, .delta = static_cast<std::int16_t>(-change), .undo = true};
    if (!set.apply({op}, Deadline::never())) ++site.arena().errors;
    mine = static_cast<std::int16_t>(mine + change);
  }
}

TEST(Units, ComeBackExactlyOnce) {
  Site site;
  Arena& arena = site.arena();
  ASSERT_TRUE(site.set.set_value(0, kUnits));
  std::mt19937_64 random(seed());
  const std::uint64_t kills = proof::number_from_environment("SIGNALBOX_KILLS", 200);
  std::uint64_t out = 0;
  for (std::uint64_t round = 0; round < kills; ++round) {
    arena.held = 0;
    const std::uint64_t with_seed = random();
    test::Forked victim([&] {
      take_and_give_units(site, with_seed);
      return 0;
    });
    const std::uint64_t laps = random() % 50;
    ASSERT_TRUE(eventually([&] { return arena.held >= laps; })) << "seed " << seed();
    victim.kill(SIGSTOP);
    out += site.set.value(0).value() < kUnits ? 1 : 0;
    victim.kill();
    victim.wait();
    const std::uint16_t units = site.set.value(0).value();
    if (units < kUnits) proof::count({{"lost", kUnits - units}});
    if (units > kUnits) proof::count({{"doubled", units - kUnits}});
    ASSERT_EQ(units, kUnits) << "after kill " << round << ", seed " << seed();
    ASSERT_TRUE(site.set.try_apply({take(0, kUnits)}).value());
    ASSERT_TRUE(site.set.try_apply({give(0, kUnits)}).value());
    ASSERT_EQ(arena.errors, 0U);
  }
  std::printf("%llu kills, %llu with units taken; seed %llu\n",
              static_cast<unsigned long long>(kills), static_cast<unsigned long long>(out),
              static_cast<unsigned long long>(seed()));
  EXPECT_GT(out, 0U);
  proof::count({{"random_kills", kills}});
}

}  // namespace
