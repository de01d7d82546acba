// bench_bindings: what a program in Python or Go costs beyond one in C++. Rows: README.md here.
#include <fmt/core.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string_view>

#include "bench/echo_exchange.hpp"
#include "bench/follower.hpp"
#include "bench/pair.hpp"
#include "bench/report.hpp"
#include "bench/scratch_domain.hpp"

namespace bench {
namespace {

constexpr std::array kinds = {Echo::words, Echo::frame, Echo::blocked, Echo::parked, Echo::pipe};

struct Case {
  std::string name;
  std::string language;
  Echo which;
  std::optional<double> must_ns;  // none: it is not of ours
  std::uint64_t rounds;           // in one window: 3 to 40 ms
};

const std::vector<Case> cases = {
    {"Python take, 48 B structured", "python", Echo::words, 1000, 4000},
    {"Python take, 6.2 MB array", "python", Echo::frame, 2000, 2000},
    {"Go receive, spinning", "go", Echo::words, 200, 8000},
    {"Go receive, blocked", "go", Echo::blocked, 5000, 200},
    {"Go receive, parked", "go", Echo::parked, 5000, 200},
    {"Go pipe, parked", "go", Echo::pipe, std::nullopt, 200},
};

// The first rounds of a window find the follower still at its command; they are not timed.
constexpr std::uint64_t kUntimed = 20;

// A window counts only while the machine kept still around it.
constexpr double kStill = 1.3;

struct Result {
  double ours_ns, ours_p99_ns;
  double cpp_ns, cpp_p99_ns;
  double difference_ns;
  std::size_t windows;
};

double median(std::vector<double> values) {
  if (values.empty()) return std::nan("");
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// A follower of one language and the leader's ends of its exchanges.
class Partner {
 public:
  Partner(const std::string& language, const std::vector<std::string>& words)
      : follower_(words, chosen_cpus().follower) {
    for (const Echo which : kinds) {
      exchanges_.push_back(echo_exchange(which, language));
      exchanges_.back()->open(Side::leader);
    }
  }

  Timing play(Echo which, std::uint64_t rounds) {
    const auto index = static_cast<std::size_t>(which);
    follower_.follow(echo_names.at(index), kUntimed + rounds);
    lead(*exchanges_[index], kUntimed, rounds_.at(index));
    return lead(*exchanges_[index], rounds, rounds_.at(index));
  }

 private:
  Follower follower_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;
  std::array<std::uint64_t, kinds.size()> rounds_{};
};

// All that a round trip is longer with the binding at its one end is the binding's: its take, what
// the program does to read, and its send. None of it is laid to the way back, which is C++'s.
Result compare(const std::vector<Timing>& timings) {
  std::vector<double> ours, ours_p99, cpp, cpp_p99, differences;
  for (const bool only_still : {true, false}) {
    for (std::size_t i = 1; i + 1 < timings.size(); i += 2) {
      const Timing& before = timings[i - 1];
      const Timing& after = timings[i + 1];
      const auto [low, high] = std::minmax(before.p50_ns, after.p50_ns);
      if (only_still && high > kStill * low) continue;
      cpp.push_back((before.p50_ns + after.p50_ns) / 2);
      cpp_p99.push_back((before.p99_ns + after.p99_ns) / 2);
      ours.push_back(2 * timings[i].p50_ns - cpp.back());
      ours_p99.push_back(2 * timings[i].p99_ns - cpp.back());
      differences.push_back(ours.back() - cpp.back());
    }
    if (!ours.empty()) break;  // a machine that never keeps still is judged by all its windows
  }
  const std::size_t windows = ours.size();
  return {median(ours),    median(ours_p99),    median(cpp),
          median(cpp_p99), median(differences), windows};
}

// C++, the binding, C++, the binding, ..., C++
Result measure(const Case& one, Partner& cpp, Partner& ours, std::uint64_t windows) {
  std::vector<Timing> timings{cpp.play(one.which, one.rounds)};
  for (std::uint64_t i = 0; i < windows; ++i) {
    timings.push_back(ours.play(one.which, one.rounds));
    timings.push_back(cpp.play(one.which, one.rounds));
  }
  return compare(timings);
}

void print(const Case& one, const Result& row) {
  const bool missed = one.must_ns && !(row.difference_ns <= *one.must_ns);
  fmt::print("{:<30} {:>9.0f} /{:>8.0f} {:>9.0f} /{:>8.0f} {:>11.0f} {:>9} {}\n", one.name,
             row.ours_ns, row.ours_p99_ns, row.cpp_ns, row.cpp_p99_ns, row.difference_ns,
             one.must_ns ? fmt::format("<= {:.0f}", *one.must_ns) : "-", missed ? "  MISSED" : "");
  std::fflush(stdout);
}

nlohmann::json as_json(const Case& one, const Result& row) {
  nlohmann::json out{{"case", one.name},
                     {"ours", {{"p50_ns", row.ours_ns}, {"p99_ns", row.ours_p99_ns}}},
                     {"cpp", {{"p50_ns", row.cpp_ns}, {"p99_ns", row.cpp_p99_ns}}},
                     {"difference_ns", row.difference_ns},
                     {"windows", row.windows}};
  if (one.must_ns) out["must_ns"] = *one.must_ns;
  return out;
}

extern "C" void give_up(int /*signal*/) {
  constexpr std::string_view text = "bench: a follower has ended before its time; see above\n";
  static_cast<void>(::write(STDERR_FILENO, text.data(), text.size()) == 0);
  ::_exit(1);
}

void run(const std::map<std::string, std::vector<std::string>>& programs, bool quick,
         const std::string& json) {
  std::map<std::string, std::unique_ptr<Partner>> partners;
  for (const auto& [language, words] : programs) {
    partners[language] = std::make_unique<Partner>(language, words);
  }
  pin_to(chosen_cpus().leader);
  fmt::print("{}\n", machine_line());
  fmt::print("one way, ns a message, p50 / p99; the difference is the median over windows\n\n");
  fmt::print("{:<30} {:>19} {:>19} {:>11} {:>9}\n", "case", "ours", "C++", "difference", "must");
  nlohmann::json out{
      {"machine", machine()},
      {"method",
       "a C++ leader and a follower pinned to two CPUs, payload written and read, windows of ours "
       "between two of a C++ follower; one way is half a C++ round trip, and all that a round trip "
       "with ours is longer is laid to the way to ours"}};
  // From here on no child is to end: whoever does leaves us spinning for its answer.
  std::signal(SIGCHLD, give_up);
  for (const Case& one : cases) {
    const Result row =
        measure(one, *partners.at("cpp"), *partners.at(one.language), quick ? 40 : 300);
    print(one, row);
    out["rows"].push_back(as_json(one, row));
  }
  std::signal(SIGCHLD, SIG_DFL);
  write_file(json, out.dump(2) + "\n");
}

// The follower in C++.
void follow() {
  std::map<std::string, std::unique_ptr<Exchange>> exchanges;
  for (const Echo which : kinds) {
    auto& exchange = exchanges[echo_names.at(static_cast<std::size_t>(which))];
    exchange = echo_exchange(which, "cpp");
    exchange->open(Side::follower);
  }
  std::cout << "ready\n" << std::flush;
  std::map<std::string, std::uint64_t> last;
  std::string name;
  for (std::uint64_t rounds = 0; std::cin >> name >> rounds;) {
    for (; rounds > 0; --rounds) exchanges.at(name)->pong(++last[name]);
  }
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

int lead_all(const std::string& self, const std::string& python, const std::string& go, bool quick,
             const std::string& json) {
  return in_scratch_domain([&](const std::string&) {
    require_writable(json);
    // A follower that ended is an error of write(), with its reason on the terminal.
    std::signal(SIGPIPE, SIG_IGN);
    run({{"cpp", {self, "--follow"}}, {"python", words_of(python)}, {"go", words_of(go)}}, quick,
        json);
    return 0;
  });
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app("Programs in Python and Go beside the same in C++, side by side in one run.");
  bool quick = false;
  bool follows = false;
  std::string json;
  std::string python;
  std::string go;
  app.add_flag("--quick", quick, "fewer windows: under 30 s");
  app.add_flag("--follow", follows, "be the follower in C++, as this program starts it");
  app.add_option("--json", json, "also write the rows to this file");
  app.add_option("--python", python, "the follower in Python: its words, apart by blanks");
  app.add_option("--go", go, "the follower in Go");
  CLI11_PARSE(app, argc, argv);
  if (!follows) return bench::lead_all("/proc/self/exe", python, go, quick, json);
  try {
    bench::follow();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: the follower in C++: %s\n", error.what());
    return 1;
  }
  return 0;
}
