#include "bench/wrapped_rows.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>

#include "bench/instructions.hpp"
#include "bench/wrapped_call.hpp"

namespace bench {

namespace {

constexpr double kMost = 1.05;

// The fewest of a few runs: what comes late from the network, say, makes one wait now and then.
double instructions_of(const Prepared& work, int runs) {
  std::uint64_t fewest = UINT64_MAX;
  for (int i = 0; i < runs; ++i) fewest = std::min(fewest, count_steps(work).instructions);
  return static_cast<double>(fewest) / operations_a_run;
}

std::vector<WrappedCall> all_calls() {
  std::vector<WrappedCall> all;
  for (auto* calls : {stream_calls, queue_calls, lock_calls, event_calls, memory_calls}) {
    for (WrappedCall& one : calls()) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

std::vector<Row> wrapped_rows(const std::string& only) {
  // What the loop itself takes is nobody's.
  const double loop = instructions_of(many_of([] { return [] {}; }), 1);
  std::vector<Row> rows;
  for (const WrappedCall& one : all_calls()) {
    const std::string name = one.facility + ", instructions";
    if (!name.contains(only)) continue;
    try {
      rows.push_back(counted(name, instructions_of(one.ours, 2) - loop,
                             instructions_of(one.bare, 2) - loop, kMost, one.bare_name));
    } catch (const std::exception& error) {
      std::fprintf(stderr, "bench: %s is left out: %s\n", one.facility.c_str(), error.what());
    }
  }
  return rows;
}

}  // namespace bench
