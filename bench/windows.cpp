#include "bench/windows.hpp"

#include <algorithm>
#include <cmath>

namespace bench {

namespace {

// A window of ours counts only while the machine kept still around it.
constexpr double kStill = 1.3;

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// limit, ours, limit, ours, ..., limit
std::vector<Window> schedule_of(const Case& one, std::uint64_t windows) {
  std::vector<Window> schedule;
  for (std::uint64_t i = 0; i < windows; ++i) {
    schedule.push_back({one.limit, one.rounds});
    schedule.push_back({one.ours, one.rounds});
  }
  schedule.push_back({one.limit, one.rounds});
  return schedule;
}

double ratio_of(const Case& one, const Timing& before, const Timing& ours, const Timing& after) {
  if (one.is_p99) return ours.p99_ns / ((before.p99_ns + after.p99_ns) / 2);
  return ours.p50_ns / ((before.p50_ns + after.p50_ns) / 2);
}

Row judge(const Case& one, const std::vector<Timing>& timings) {
  std::vector<double> ratios, ours, ours_p99, limit, limit_p99;
  const auto of_one = [&](const std::vector<double>& values) { return median(values) * one.share; };
  for (const bool only_still : {true, false}) {
    for (std::size_t i = 1; i + 1 < timings.size(); i += 2) {
      const double before = timings[i - 1].p50_ns;
      const double after = timings[i + 1].p50_ns;
      if (only_still && std::max(before, after) > kStill * std::min(before, after)) continue;
      ratios.push_back(ratio_of(one, timings[i - 1], timings[i], timings[i + 1]));
      ours.push_back(timings[i].p50_ns);
      ours_p99.push_back(timings[i].p99_ns);
      limit.push_back((before + after) / 2);
      limit_p99.push_back((timings[i - 1].p99_ns + timings[i + 1].p99_ns) / 2);
    }
    if (!ratios.empty()) break;  // a machine that never keeps still is judged by all its windows
  }
  return {one.name,       of_one(ours), of_one(ours_p99), of_one(limit), of_one(limit_p99),
          median(ratios), one.must,     ratios.size(),    one.limit_name};
}

}  // namespace

void keep_like(const std::string& only, std::vector<Case>& cases) {
  std::erase_if(cases, [&](const Case& one) { return !one.name.contains(only); });
}

std::vector<Row> play_cases(const std::vector<Exchange*>& exchanges, std::vector<Case> cases,
                            std::uint64_t windows, std::uint64_t rounds_max) {
  std::vector<Window> schedule;
  for (Case& one : cases) {
    one.rounds = std::min(one.rounds, rounds_max);
    const auto part = schedule_of(one, windows);
    schedule.insert(schedule.end(), part.begin(), part.end());
  }
  const auto timings = play(exchanges, schedule);
  std::vector<Row> rows;
  auto next = timings.begin();
  for (const Case& one : cases) {
    const auto end = next + static_cast<std::ptrdiff_t>(2 * windows + 1);
    rows.push_back(judge(one, {next, end}));
    next = end;
  }
  return rows;
}

}  // namespace bench
