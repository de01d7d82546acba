// Goal: our wrappers do what the bare kernel does, also in the ten thousandth sequence of calls
// that nobody thought of. Method: four processes act on a bare object, four on ours, in lock step:
// random operations, signals and kills. After each step the answers (values and errno), who sleeps,
// and what the objects show of themselves are compared. A sequence that differs is shrunk and
// printed as a scenario row.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <ostream>
#include <random>

#include "../proof_counts.hpp"
#include "../scenarios/leftovers.hpp"
#include "family.hpp"
#include "lock_step.hpp"

namespace signalbox::differential {

namespace {

constexpr std::size_t steps_in_sequence = 200;

struct Share {
  Family family;
  std::uint64_t percent;  // of all sequences
};

std::ostream& operator<<(std::ostream& out, const Share& share) { return out << share.family.name; }

class Differential : public ::testing::TestWithParam<Share> {};

// SBX_SEED and SBX_SEQUENCES=1 repeat one sequence. Each has a seed of its own, from the first on.
TEST_P(Differential, BareAndOursStayTheSame) {
  const Share& share = GetParam();
  const std::uint64_t all = proof::number_from_environment("SBX_SEQUENCES", 10'000);
  const std::uint64_t sequences = std::max<std::uint64_t>(1, all * share.percent / 100);
  const std::uint64_t first = proof::number_from_environment("SBX_SEED", std::random_device{}());
  LockStep pair(share.family, std::chrono::seconds(60));
  for (std::uint64_t seed = first; seed < first + sequences; ++seed) {
    const auto steps = random_steps(share.family, seed, steps_in_sequence);
    auto difference = pair.run(steps);
    if (!difference) continue;
    proof::count({{"hangs", difference->hangs ? 1 : 0}});
    const auto [fewer, smallest] = shrunk(share.family, steps, *difference);
    FAIL() << "SBX_SEED=" << seed << ", step " << difference->step << ": " << difference->what
           << "\n"
           << fewer.size() << " steps show it:\n"
           << smallest.row;
  }
  const Efforts& efforts = pair.efforts();
  proof::count({{"tries", efforts.steps}, {"random_kills", efforts.kills}});
  std::cout << share.family.name << ": " << sequences << " sequences from SBX_SEED=" << first
            << ", " << efforts.steps << " steps, " << efforts.sleeps << " sleeps, "
            << efforts.signals << " signals, " << efforts.kills << " kills\n";
}

std::vector<Share> shares() {
  return {{semaphore_sets(), 40},
          {sysv_queues(), 20},
          {posix_queues(), 20},
          {posix_semaphores(), 10},
          {own_semaphores(), 10}};
}

INSTANTIATE_TEST_SUITE_P(All, Differential, ::testing::ValuesIn(shares()),
                         [](const auto& tested) { return tested.param.family.name; });

}  // namespace

}  // namespace signalbox::differential

int main(int count, char** arguments) {
  ::testing::InitGoogleTest(&count, arguments);
  signalbox::scenarios::enter_own_ipc_name_space();
  return RUN_ALL_TESTS();
}
