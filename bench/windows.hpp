// windows.hpp: a case is ours beside its limit, in many short windows that take turns.
//
// A virtual CPU may move while a run goes on, and then a cache line costs up to eight times as
// much. So each window of ours lies between two of the limit, and counts only if those two agree.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/pair.hpp"
#include "bench/report.hpp"

namespace bench {

struct Case {
  std::string name;
  std::size_t ours, limit;  // which of the exchanges
  std::string limit_name;
  double must;
  std::uint64_t rounds;  // in one window: 3 to 40 ms
  double share = 1;      // of the timing is one message: a round of a stream has many
  bool is_p99 = false;   // the ratio is of the p99, not of the p50
};

// Leaves those whose name holds `only`: all, if it is empty.
void keep_like(const std::string& only, std::vector<Case>& cases);

// Plays every case in that many windows of ours, each of at most so many rounds, and answers a row
// for each case.
std::vector<Row> play_cases(const std::vector<Exchange*>& exchanges, std::vector<Case> cases,
                            std::uint64_t windows, std::uint64_t rounds_max);

}  // namespace bench
