#include "bench/peers/bout.hpp"

#include <fmt/core.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <functional>
#include <vector>

#include "bench/instructions.hpp"
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
      return "6.2 MB frame";
    default:
      return fmt::format("publish to {}", idle_subscribers(work));
  }
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

// What is measured in a process of its own: so many figures, given a word for names.
struct Part {
  std::size_t count;
  std::function<std::vector<Timing>(const std::string& tag)> measure;
};

[[noreturn]] void measure_into(int pipe, const std::string& peer, const Part& part,
                               const std::string& tag) {
  try {
    const auto timings = part.measure(tag);
    const auto bytes = timings.size() * sizeof(Timing);
    const bool told = ::write(pipe, timings.data(), bytes) == static_cast<ssize_t>(bytes);
    std::exit(told ? 0 : 1);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s: %s\n", peer.c_str(), error.what());
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
      std::filesystem::remove_all(entry.path(), ignored);
    }
  }
}

Played measure_apart(const std::string& peer, const Part& part) {
  static int count = 0;
  const std::string tag = fmt::format("signalbox-peers-{}-{}", ::getpid(), ++count);
  std::fflush(nullptr);
  int ends[2];
  if (::pipe(ends) != 0) return {{}, "failed: no pipe"};
  const pid_t child = ::fork();
  if (child == 0) {
    ::setpgid(0, 0);
    ::close(ends[0]);
    measure_into(ends[1], peer, part, tag);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return {{}, "failed: cannot fork"};
  }
  bool hangs = false;
  Played played{read_all(ends[0], part.count, hangs), {}};
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

Part windows_of(const Peer& peer, Work work, const std::vector<Window>& schedule) {
  return {schedule.size(), [=](const std::string& tag) {
            const auto ours = our_exchange(work, tag);
            const auto theirs = exchange_over(peer, work, tag);
            return play({ours.get(), theirs.get()}, schedule);
          }};
}

// The instructions of one publish, in the thread that calls it.
Part instructions_of(const Peer& peer, Work work) {
  return {2, [=](const std::string& tag) {
            std::vector<Timing> counts;
            for (const Peer& one : {Peer{"Signalbox", topic_link}, peer}) {
              const Steps steps =
                  publish_steps(one, {work, tag + (counts.empty() ? "-ours" : "-there")});
              const auto count = static_cast<double>(steps.instructions);
              counts.push_back({count, count});
            }
            return counts;
          }};
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// Why there is no row; empty if there is to be one.
std::string missing(const Peer& peer, Work work) {
  if (peer.link == nullptr) return peer.absent;
  const std::string reason = peer.cannot({work, {}});
  return reason.empty() ? reason : "not measured: " + reason;
}

// The timings are halves of rounds, which is one message of a round trip. A round of a stream or of
// publishing is one way already, and many messages.
double messages_share(Work work) {
  if (work == Work::stream) return 2.0 / stream_messages;
  return idle_subscribers(work) > 0 ? 2.0 / published_to_idle : 1;
}

std::uint64_t rounds_for(const Timing& timing) {
  return static_cast<std::uint64_t>(std::clamp(kWindowNs / (2 * timing.p50_ns), 3.0, 20'000.0));
}

}  // namespace

Comparison fight(const Peer& peer, Work work, std::size_t windows) {
  Comparison row{name_of(work), peer.name, missing(peer, work)};
  if (!row.reason.empty()) return row;
  // A short bout says whether it runs at all, and how many rounds make a window.
  Played played = measure_apart(peer.name, windows_of(peer, work, schedule_of(2, 20, 20)));
  if (played.reason.empty()) {
    const auto ours = rounds_for(played.timings[2]);
    const auto schedule = schedule_of(windows, ours, rounds_for(played.timings[1]));
    played = measure_apart(peer.name, windows_of(peer, work, schedule));
  }
  row.reason = played.reason;
  if (!row.reason.empty()) return row;
  const double share = messages_share(work);
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
  row.peer_p50 = median(p50);
  row.peer_p99 = median(p99);
  row.ours_p50 = median(ours_p50);
  row.ours_p99 = median(ours_p99);
  row.ratio = median(ratio);
  row.windows = ratio.size();
  return row;
}

Comparison count(const Peer& peer, Work work) {
  Comparison row{name_of(work), peer.name, missing(peer, work)};
  row.unit = "instructions";
  if (!row.reason.empty()) return row;
  const Played played = measure_apart(peer.name, instructions_of(peer, work));
  row.reason = played.reason;
  if (!row.reason.empty()) return row;
  row.ours_p50 = row.ours_p99 = played.timings[0].p50_ns;
  row.peer_p50 = row.peer_p99 = played.timings[1].p50_ns;
  row.ratio = row.peer_p50 / row.ours_p50;
  row.windows = 1;
  return row;
}

}  // namespace bench
