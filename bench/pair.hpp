// pair.hpp: two processes on two CPUs that play exchanges against each other, window by window.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "bench/exchange.hpp"

namespace bench {

struct Window {
  std::size_t exchange;  // which of the exchanges
  std::uint64_t rounds;
};

// One-way times of one window: half of each round trip.
struct Timing {
  double p50_ns = 0;
  double p99_ns = 0;
};

// Plays so many rounds as the leader; `round` is the number of the last one, before and after.
Timing lead(Exchange& exchange, std::uint64_t rounds, std::uint64_t& round);

// Puts this process on one CPU. Throws if it may not run there.
void pin_to(int cpu);

// Plays the windows in order, the follower in a forked process on the second CPU, and answers the
// leader's timings, one for each window. Throws if the follower dies.
std::vector<Timing> play(const std::vector<Exchange*>& exchanges,
                         const std::vector<Window>& windows);

// The two CPUs used; the same one twice on a machine that has only one.
struct Cpus {
  int leader;
  int follower;
};
Cpus chosen_cpus();

}  // namespace bench
