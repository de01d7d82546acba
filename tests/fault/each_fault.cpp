#include "each_fault.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "../proof_counts.hpp"

namespace kernel_boundary {

namespace {

constexpr int runs_max = 21;  // of one fault, until it is reached

struct Tally {
  std::uint64_t injected = 0;
  std::uint64_t refused = 0;
  std::uint64_t unreached = 0;
};

void let_fail(const Trial& trial, const Call& call, const Fault& fault, Tally& tally) {
  const testing::ScopedTrace trace(__FILE__, __LINE__,
                                   name_of(call) + " behind " + std::to_string(fault.before) +
                                       " of its kind answers " + strerror(fault.error) +
                                       (fault.lasting ? " from then on" : ""));
  Traced traced;
  // A wait that ends a moment earlier than the first one makes a call less.
  for (int run = 0; run < runs_max && traced.injected == 0; ++run) {
    if (run > 0 && testing::Test::HasFailure()) break;
    traced = trial.play(fault);
  }
  tally.injected += traced.injected;
  tally.unreached += traced.injected == 0 ? 1 : 0;
  tally.refused += trial.was_refused() ? 1 : 0;
}

}  // namespace

void let_each_call_fail(const Trial& trial) {
  const Traced all = trial.play(std::nullopt);
  ASSERT_FALSE(testing::Test::HasFailure());
  Tally tally;
  std::map<std::uint64_t, std::size_t> seen;
  for (const Call& call : all.calls) {
    const std::size_t before = seen[call.number]++;
    for (const int error : plausible_errors(call)) {
      for (const bool lasting : {false, true}) {
        if (lasting && (!proof::long_form() || error == EINTR || error == EAGAIN)) continue;
        let_fail(trial, call, {call.number, before, error, lasting}, tally);
      }
    }
  }
  EXPECT_TRUE(tally.injected > 0 || all.calls.empty()) << "nothing could fail";
  EXPECT_LE(tally.unreached * trial.reached_for_each_unreached, tally.injected)
      << "the operation is not the same from run to run";
  std::printf("%zu calls, %llu faults, %llu named errors\n", all.calls.size(),
              static_cast<unsigned long long>(tally.injected),
              static_cast<unsigned long long>(tally.refused));
  proof::count(
      {{"injected_calls", tally.injected}, {"leaked", testing::Test::HasFailure() ? 1U : 0U}});
}

}  // namespace kernel_boundary
