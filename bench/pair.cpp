#include "bench/pair.hpp"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <stdexcept>

#include "bench/fork_child.hpp"

namespace bench {

namespace {

double now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

#if defined(__x86_64__)
std::uint64_t ticks() { return __builtin_ia32_rdtsc(); }
#else
std::uint64_t ticks() { return static_cast<std::uint64_t>(now_ns()); }
#endif

// Nanoseconds in one tick, over 20 ms of busy waiting.
double tick_ns() {
  static const double value = [] {
    const double start_ns = now_ns();
    const std::uint64_t start = ticks();
    while (now_ns() - start_ns < 20e6) {
    }
    const std::uint64_t end = ticks();
    return (now_ns() - start_ns) / static_cast<double>(end - start);
  }();
  return value;
}

Cpus first_two_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof(set), &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return {cpus.front(), cpus.size() > 1 ? cpus[1] : cpus.front()};
}

[[noreturn]] void follow(const std::vector<Exchange*>& exchanges,
                         const std::vector<Window>& windows, int cpu) {
  pin_to(cpu);
  for (Exchange* exchange : exchanges) exchange->open(Side::follower);
  std::vector<std::uint64_t> rounds(exchanges.size());
  for (const Window& window : windows) {
    for (std::uint64_t i = 0; i < window.rounds; ++i) {
      exchanges[window.exchange]->pong(++rounds[window.exchange]);
    }
  }
  std::exit(0);
}

}  // namespace

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) {
    throw std::runtime_error("cannot pin a process to CPU " + std::to_string(cpu));
  }
}

Timing lead(Exchange& exchange, std::uint64_t rounds, std::uint64_t& round) {
  std::vector<std::uint64_t> trips(rounds);
  for (std::uint64_t& trip : trips) {
    exchange.rest();
    const std::uint64_t start = ticks();
    exchange.ping(++round);
    trip = ticks() - start;
  }
  std::ranges::sort(trips);
  const auto one_way = [&](double share) {
    const auto index = static_cast<std::size_t>(share * static_cast<double>(trips.size() - 1));
    return static_cast<double>(trips[index]) * tick_ns() / 2;
  };
  return {one_way(0.50), one_way(0.99)};
}

Cpus chosen_cpus() {
  // Asked before anyone is pinned, remembered afterwards.
  static const Cpus chosen = first_two_cpus();
  return chosen;
}

std::vector<Timing> play(const std::vector<Exchange*>& exchanges,
                         const std::vector<Window>& windows) {
  static_cast<void>(tick_ns());
  const Cpus cpus = chosen_cpus();
  const pid_t follower = fork_child();
  if (follower < 0) throw std::runtime_error("cannot fork the second process");
  if (follower == 0) follow(exchanges, windows, cpus.follower);
  pin_to(cpus.leader);
  for (Exchange* exchange : exchanges) exchange->open(Side::leader);
  std::vector<std::uint64_t> rounds(exchanges.size());
  std::vector<Timing> timings;
  timings.reserve(windows.size());
  for (const Window& window : windows) {
    timings.push_back(lead(*exchanges[window.exchange], window.rounds, rounds[window.exchange]));
  }
  int status = 0;
  ::waitpid(follower, &status, 0);
  if (status != 0) throw std::runtime_error("the second process failed");
  return timings;
}

}  // namespace bench
