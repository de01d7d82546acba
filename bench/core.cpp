// bench_core: how close topics come to what the machine itself needs. Rows: README.md here.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "bench/exchange.hpp"
#include "bench/pair.hpp"
#include "bench/report.hpp"

namespace bench {
namespace {

struct Case {
  std::string name;
  std::size_t ours, limit;  // indices into the exchanges
  std::string limit_name;
  double must;
  std::uint64_t rounds;  // in one window: 3 to 40 ms
};

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

Row judge(const Case& one, const std::vector<Timing>& timings) {
  std::vector<double> ratios, ours, ours_p99, limit, limit_p99;
  for (const bool only_still : {true, false}) {
    for (std::size_t i = 1; i + 1 < timings.size(); i += 2) {
      const double before = timings[i - 1].p50_ns;
      const double after = timings[i + 1].p50_ns;
      if (only_still && std::max(before, after) > kStill * std::min(before, after)) continue;
      ratios.push_back(timings[i].p50_ns / ((before + after) / 2));
      ours.push_back(timings[i].p50_ns);
      ours_p99.push_back(timings[i].p99_ns);
      limit.push_back((before + after) / 2);
      limit_p99.push_back((timings[i - 1].p99_ns + timings[i + 1].p99_ns) / 2);
    }
    if (!ratios.empty()) break;  // a machine that never keeps still is judged by all its windows
  }
  return {one.name,       median(ours), median(ours_p99), median(limit), median(limit_p99),
          median(ratios), one.must,     ratios.size(),    one.limit_name};
}

int run(bool quick, bool smoke, const std::string& json) {
  const auto line = raw_cache_line();
  const auto futex = raw_futex();
  const auto spinning = topic_spinning();
  const auto blocking = topic_blocking();
  const auto frames = topic_frames();
  const std::vector<Exchange*> exchanges{line.get(), futex.get(), spinning.get(), blocking.get(),
                                         frames.get()};
  const std::vector<Case> cases{
      {"48 B, spinning", 2, 0, "raw cache line", 1.5, 20'000},
      {"48 B, blocking", 3, 1, "raw futex", 1.3, 300},
      {"6.2 MB frame, untouched", 4, 2, "our 48 B message", 3.0, 10'000},
  };
  const std::uint64_t windows = smoke ? 1 : quick ? 60 : 400;
  std::vector<Window> schedule;
  for (Case one : cases) {
    if (smoke) one.rounds = 100;
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
  print_table(rows);
  if (!json.empty()) write_json(rows, json);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app("Topics against the raw limits of this machine, side by side in one run.");
  bool quick = false;
  bool smoke = false;
  std::string json;
  app.add_flag("--quick", quick, "fewer windows: under 90 s");
  app.add_flag("--smoke", smoke, "one tiny window a case: does it run?");
  app.add_option("--json", json, "also write the rows to this file");
  CLI11_PARSE(app, argc, argv);
  // A domain of our own, so that a benchmark never meets a real system's topics.
  char root[] = "/dev/shm/signalbox-bench-XXXXXX";
  if (::mkdtemp(root) == nullptr) {
    std::perror("bench: cannot make a directory in /dev/shm");
    return 1;
  }
  ::setenv("SIGNALBOX_DIR", root, 1);
  int code = 1;
  try {
    code = bench::run(quick, smoke, json);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
  }
  std::filesystem::remove_all(root);
  return code;
}
