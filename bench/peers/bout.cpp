#include "bench/peers/bout.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <vector>

#include "bench/pair.hpp"

namespace bench {

namespace {

// A watchdog against peers that hang, no test of speed.
constexpr int kHangMs = 20'000;
// A window is about so long, and has at least a few rounds of the slowest.
constexpr double kWindowNs = 8e6;

std::string name_of(Work work) {
  switch (work) {
    case Work::spinning:
      return "48 B, spinning";
    case Work::blocking:
      return "48 B, blocking";
    case Work::stream:
      return "48 B, stream";
    case Work::frame:
      break;
  }
  return "6.2 MB frame";
}

// ours, peer, ours, peer, ..., ours
std::vector<Window> schedule_of(std::size_t windows, std::uint64_t ours, std::uint64_t peer) {
  std::vector<Window> schedule{{0, ours}};
  for (std::size_t i = 0; i < windows; ++i) {
    schedule.push_back({1, peer});
    schedule.push_back({0, ours});
  }
  return schedule;
}

struct Played {
  std::vector<Timing> timings;
  std::string reason;
};

[[noreturn]] void play_into(int pipe, const Peer& peer, Work work, const std::string& tag,
                            const std::vector<Window>& schedule) {
  try {
    const auto ours = our_exchange(work);
    const auto theirs = exchange_over(peer, work, tag);
    const auto timings = play({ours.get(), theirs.get()}, schedule);
    const auto bytes = timings.size() * sizeof(Timing);
    const bool told = ::write(pipe, timings.data(), bytes) == static_cast<ssize_t>(bytes);
    std::exit(told ? 0 : 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s: %s\n", peer.name.c_str(), error.what());
    std::exit(1);
  }
}

// Reads until the end of the pipe or the watchdog; a dead leader ends the pipe by itself once its
// follower is gone too.
std::vector<Timing> read_all(int pipe, std::size_t count, bool& hangs) {
  std::vector<Timing> timings(count);
  auto* to = reinterpret_cast<char*>(timings.data());
  std::size_t left = count * sizeof(Timing);
  while (left > 0) {
    pollfd ready{pipe, POLLIN, 0};
    hangs = ::poll(&ready, 1, kHangMs) == 0;
    const ssize_t got = hangs ? 0 : ::read(pipe, to, left);
    if (got <= 0) return {};
    to += got;
    left -= static_cast<std::size_t>(got);
  }
  return timings;
}

void remove_leftovers(const std::string& tag) {
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    std::error_code ignored;
    if (entry.path().filename().string().starts_with(tag)) {
      std::filesystem::remove(entry.path(), ignored);
    }
  }
}

Played play_apart(const Peer& peer, Work work, const std::vector<Window>& schedule) {
  static int count = 0;
  const std::string tag = fmt::format("signalbox-peers-{}-{}", ::getpid(), ++count);
  std::fflush(nullptr);
  int ends[2];
  if (::pipe(ends) != 0) return {{}, "failed: no pipe"};
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::close(ends[0]);
    play_into(ends[1], peer, work, tag, schedule);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return {{}, "failed: cannot fork"};
  }
  bool hangs = false;
  Played played{read_all(ends[0], schedule.size(), hangs), {}};
  ::close(ends[0]);
  if (played.timings.empty()) {
    played.reason = hangs ? fmt::format("hung: stopped after {} s", kHangMs / 1000)
                          : "failed: a process of it died, see above";
  }
  // What had to be told has been told; a peer may take its time to leave, but not for ever.
  ::kill(-child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  remove_leftovers(tag);
  return played;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

std::uint64_t rounds_for(const Timing& timing) {
  return static_cast<std::uint64_t>(std::clamp(kWindowNs / (2 * timing.p50_ns), 3.0, 20'000.0));
}

}  // namespace

Comparison fight(const Peer& peer, Work work, std::size_t windows) {
  Comparison row{name_of(work), peer.name, {}};
  if (peer.link == nullptr) {
    row.reason = "not installed";
    return row;
  }
  if (!peer.link({work, "none"})) {
    row.reason = "not measured: its own threads need the CPU that spinning takes";
    return row;
  }
  // A short bout says whether it runs at all, and how many rounds make a window.
  Played played = play_apart(peer, work, schedule_of(2, 20, 20));
  if (played.reason.empty()) {
    const auto ours = rounds_for(played.timings[2]);
    played = play_apart(peer, work, schedule_of(windows, ours, rounds_for(played.timings[1])));
  }
  row.reason = played.reason;
  if (!row.reason.empty()) return row;
  // A round of a stream is one way already, and the timings are halves of rounds.
  const double share = work == Work::stream ? 2.0 / stream_messages : 1;
  std::vector<double> p50, p99, ours_p50, ours_p99, ratio;
  for (std::size_t i = 1; i + 1 < played.timings.size(); i += 2) {
    const Timing& before = played.timings[i - 1];
    const Timing& after = played.timings[i + 1];
    p50.push_back(played.timings[i].p50_ns * share);
    p99.push_back(played.timings[i].p99_ns * share);
    ours_p50.push_back((before.p50_ns + after.p50_ns) / 2 * share);
    ours_p99.push_back((before.p99_ns + after.p99_ns) / 2 * share);
    ratio.push_back(p50.back() / ours_p50.back());
  }
  row.p50_ns = median(p50);
  row.p99_ns = median(p99);
  row.ours_p50_ns = median(ours_p50);
  row.ours_p99_ns = median(ours_p99);
  row.ratio = median(ratio);
  row.windows = ratio.size();
  return row;
}

}  // namespace bench
