// bench_core: how close topics come to what the machine itself needs. Rows: README.md here.
#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdlib>

#include "bench/counted_rows.hpp"
#include "bench/exchange.hpp"
#include "bench/pair.hpp"
#include "bench/report.hpp"
#include "bench/scratch_domain.hpp"
#include "bench/windows.hpp"

namespace bench {
namespace {

// Which exchange is where in the list that is played.
enum Index : std::size_t {
  line,
  lines_256,
  lines_1024,
  lines_4096,
  lines_16384,
  futex,
  semaphore,
  eventfd,
  pipe,
  event_loop,
  slot_ring,
  bare_files,
  spinning,
  spinning_writable,
  of_256,
  of_256_writable,
  of_1024,
  of_4096,
  of_16384,
  blocking,
  adaptive,
  in_event_loop,
  stream,
  batches,
  frames,
  open_close,
  to_one,
  to_many,
};

// A round of a stream is one way already, and the timings are halves of rounds.
constexpr double kOfAStream = 2.0 / stream_messages;
constexpr double kOfAPublish = 2.0 / published_a_round;

std::vector<Case> cases() {
  return {
      {"48 B, spinning", spinning, line, "raw cache line", 1.1, 20'000},
      {"48 B, spinning, p99", spinning, line, "its p99", 1.3, 20'000, 1, true},
      {"48 B, spinning, writable ring", spinning_writable, line, "raw cache line", 1.1, 20'000},
      {"256 B, spinning", of_256, lines_256, "raw lines, 1 + 4", 1.2, 10'000},
      {"256 B, spinning, writable ring", of_256_writable, lines_256, "raw lines, 1 + 4", 1.2,
       10'000},
      {"1 KiB, spinning", of_1024, lines_1024, "raw lines, 1 + 16", 1.2, 6'000},
      {"4 KiB, spinning", of_4096, lines_4096, "raw lines, 1 + 64", 1.2, 3'000},
      {"16 KiB, spinning", of_16384, lines_16384, "raw lines, 1 + 256", 1.2, 1'000},
      {"48 B, blocking", blocking, futex, "raw futex", 1.1, 300},
      {"48 B, blocking", blocking, semaphore, "sem_t", 1.0, 300},
      {"48 B, blocking", blocking, eventfd, "eventfd", 1.0, 300},
      {"48 B, blocking", blocking, pipe, "pipe", 1.0, 300},
      {"48 B, blocking, adaptive", adaptive, futex, "raw futex", 1.1, 300},
      {"48 B, event loop", in_event_loop, event_loop, "eventfd and epoll", 1.15, 300},
      {"48 B, stream", stream, slot_ring, "raw slot ring", 1 / 0.75, 30, kOfAStream},
      {"48 B, stream of batches", batches, slot_ring, "raw slot ring", 1.0, 30, kOfAStream},
      {"6.2 MB frame, untouched", frames, spinning, "our 48 B message", 2.0, 10'000},
      {"publish to 256", to_many, to_one, "to one subscriber", 1.1, 300, kOfAPublish},
      {"open and close", open_close, bare_files, "its bare system calls", 2.0, 100, 2},
  };
}

// Every exchange, in the order of Index.
std::vector<std::unique_ptr<Exchange>> all_exchanges() {
  std::vector<std::unique_ptr<Exchange>> made;
  for (auto* make : {raw_cache_line,  raw_lines_256,
                     raw_lines_1024,  raw_lines_4096,
                     raw_lines_16384, raw_futex,
                     raw_semaphore,   raw_eventfd,
                     raw_pipe,        raw_event_loop,
                     raw_slot_ring,   raw_open_close,
                     topic_spinning,  topic_spinning_writable,
                     topic_256,       topic_256_writable,
                     topic_1024,      topic_4096,
                     topic_16384,     topic_blocking,
                     topic_adaptive,  topic_event_loop,
                     topic_stream,    topic_stream_batch,
                     topic_frames,    topic_open_close,
                     publish_to_one,  publish_to_many}) {
    made.push_back(make());
  }
  return made;
}

int run(bool quick, bool smoke, const std::string& only, const std::string& json) {
  require_writable(json);
  std::vector<Case> chosen = cases();
  keep_like(only, chosen);
  std::vector<Row> rows;
  add_like(only, publish_rows(smoke), rows);
  add_like(only, idle_rows(smoke ? 0.2 : quick ? 2 : 5), rows);
  if (rows.empty() && chosen.empty()) {
    throw std::runtime_error("no row's name holds \"" + only + "\"");
  }
  const auto made = all_exchanges();
  std::vector<Exchange*> exchanges;
  exchanges.reserve(made.size());
  for (const auto& one : made) exchanges.push_back(one.get());
  const std::uint64_t windows = smoke ? 1 : quick ? 40 : 300;
  add_like(only, play_cases(exchanges, chosen, windows, smoke ? 100 : UINT64_MAX), rows);
  const Method method{
      "one way, ns a message, p50 / p99; ratio = median over windows of ours / limit",
      "two processes pinned to two CPUs, payload written and read, windows of ours between two "
      "windows of the limit"};
  print_table(rows, method);
  if (!json.empty()) write_json(rows, method, json);
  return 0;
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  CLI::App app("Topics against the raw limits of this machine, side by side in one run.");
  bool quick = false;
  bool smoke = false;
  std::string only;
  std::string json;
  app.add_flag("--quick", quick, "fewer windows: under 90 s");
  app.add_flag("--smoke", smoke, "one tiny window a case: does it run?");
  app.add_option("--only", only, "only the rows whose name holds this");
  app.add_option("--json", json, "also write the rows to this file");
  CLI11_PARSE(app, argc, argv);
  return bench::in_scratch_domain(
      [&](const std::string&) { return bench::run(quick, smoke, only, json); });
}
