// bench_kernel: what the wrappers of kernel facilities cost beside the bare calls. Rows: README.md.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <stdexcept>

#include "bench/lock_rows.hpp"
#include "bench/report.hpp"
#include "bench/scratch_domain.hpp"
#include "bench/wrapped_rows.hpp"

namespace bench {
namespace {

enum class Length { smoke, quick, whole };

void add_own_locks(const std::string& only, Length length, std::vector<Row>& rows) {
  const std::uint64_t windows = length == Length::smoke ? 1 : length == Length::quick ? 40 : 200;
  const double seconds = length == Length::smoke ? 0.2 : length == Length::quick ? 2 : 5;
  add_like(only, idle_lock_rows(seconds), rows);
  add_like(only, lock_rows(only, windows, length == Length::smoke ? 5 : UINT64_MAX), rows);
}

int run(Length length, const std::string& only, const std::string& json) {
  require_writable(json);
  std::vector<Row> rows = wrapped_rows(only);
  add_own_locks(only, length, rows);
  if (rows.empty()) throw std::runtime_error("no row's name holds \"" + only + "\"");
  const Method method{
      "instructions of one operation in user space; of locks ns a turn or hand-over, p50 / p99",
      "instructions in user space of one operation, counted by single steps (PTRACE_SINGLESTEP) of "
      "a run of 12, without those of the loop; locks are timed, windows of ours between two "
      "windows of the limit"};
  print_table(rows, method);
  if (!json.empty()) write_json(rows, method, json);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app("Wrappers of kernel facilities beside the bare calls, side by side in one run.");
  bool quick = false;
  bool smoke = false;
  std::string only;
  std::string json;
  app.add_flag("--quick", quick, "fewer windows: under a minute");
  app.add_flag("--smoke", smoke, "one tiny window a row: does it run?");
  app.add_option("--only", only, "only the rows whose name holds this");
  app.add_option("--json", json, "also write the rows to this file");
  CLI11_PARSE(app, argc, argv);
  using Length = bench::Length;
  const Length length = smoke ? Length::smoke : quick ? Length::quick : Length::whole;
  return bench::in_scratch_domain(
      [&](const std::string&) { return bench::run(length, only, json); });
}
