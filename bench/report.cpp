#include "bench/report.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "bench/pair.hpp"

namespace bench {

namespace {

std::string first_line_of(const char* command) {
  std::FILE* pipe = ::popen(command, "r");
  if (pipe == nullptr) return "unknown";
  char text[256] = {};
  const bool got = std::fgets(text, sizeof(text), pipe) != nullptr;
  ::pclose(pipe);
  std::string line = got ? text : "unknown";
  while (!line.empty() && line.back() == '\n') line.pop_back();
  return line;
}

std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

double load_of_last_minute() {
  double load = 0;
  return ::getloadavg(&load, 1) == 1 ? load : -1;
}

}  // namespace

nlohmann::json machine() {
  utsname name{};
  ::uname(&name);
  const Cpus cpus = chosen_cpus();
  return {{"cpu", cpu_name()},
          {"cpus_online", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"cpus_used", {cpus.leader, cpus.follower}},
          {"load", load_of_last_minute()},
          {"kernel", name.release},
          {"commit", first_line_of("git rev-parse --short HEAD 2>/dev/null")},
          {"compiler", __VERSION__}};
}

std::string machine_line() {
  const auto where = machine();
  return fmt::format("{} · kernel {} · commit {} · CPUs {} and {} of {} · load {:.1f}",
                     where["cpu"].get<std::string>(), where["kernel"].get<std::string>(),
                     where["commit"].get<std::string>(), where["cpus_used"][0].get<int>(),
                     where["cpus_used"][1].get<int>(), where["cpus_online"].get<int>(),
                     where["load"].get<double>());
}

void add_like(const std::string& only, std::vector<Row> more, std::vector<Row>& rows) {
  std::erase_if(more, [&](const Row& row) { return !row.name.contains(only); });
  std::ranges::move(more, std::back_inserter(rows));
}

Row counted(std::string name, double count, double limit, double must, std::string limit_name) {
  const double ratio = limit == 0 ? count : count / limit;
  return {std::move(name), count, count, limit, limit, ratio, must, 1, std::move(limit_name)};
}

void require_writable(const std::string& path) {
  if (path.empty()) return;
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
  ::close(file);
}

void write_file(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream file(path);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

void print_table(const std::vector<Row>& rows, const Method& method) {
  std::size_t wide = 26;
  for (const Row& row : rows) wide = std::max(wide, row.name.size());
  fmt::print("{}\n", machine_line());
  fmt::print("{}\n\n", method.line);
  fmt::print("{:<{}} {:>17} {:>17}  {:<26} {:>6} {:>7}\n", "case", wide, "ours", "limit",
             "(limit is)", "ratio", "must");
  for (const Row& row : rows) {
    fmt::print("{:<{}} {:>8.0f} /{:>7.0f} {:>8.0f} /{:>7.0f}  {:<26} {:>6.2f} {:>7} {}\n", row.name,
               wide, row.ours_ns, row.ours_p99_ns, row.limit_ns, row.limit_p99_ns, row.limit_name,
               row.ratio, fmt::format("<= {:.2f}", row.must),
               row.ratio <= row.must ? "" : "  MISSED");
  }
}

void write_json(const std::vector<Row>& rows, const Method& method, const std::string& path) {
  nlohmann::json out{{"machine", machine()}, {"method", method.sentence}};
  for (const Row& row : rows) {
    out["rows"].push_back({{"case", row.name},
                           {"ours", {{"p50_ns", row.ours_ns}, {"p99_ns", row.ours_p99_ns}}},
                           {"limit", {{"p50_ns", row.limit_ns}, {"p99_ns", row.limit_p99_ns}}},
                           {"limit_is", row.limit_name},
                           {"ratio", row.ratio},
                           {"must", row.must},
                           {"windows", row.windows}});
  }
  write_file(path, out.dump(2) + "\n");
}

}  // namespace bench
