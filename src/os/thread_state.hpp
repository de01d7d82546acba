// thread_state.hpp: for tests: what the kernel says a thread is at.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace signalbox::os::test {

// The letter behind the name in /proc/PID/task/TID/stat, see proc(5): R runs or would, S sleeps,
// T is stopped, Z is dead. 0 where the thread is gone.
inline char thread_state(const std::string& process, const std::string& thread) {
  std::string stat;
  std::getline(std::ifstream("/proc/" + process + "/task/" + thread + "/stat"), stat);
  const auto name_end = stat.rfind(')');
  return name_end == std::string::npos || name_end + 2 >= stat.size() ? '\0' : stat[name_end + 2];
}

// Of a process: its first thread.
inline char thread_state(pid_t process) {
  return thread_state(std::to_string(process), std::to_string(process));
}

// Of this one.
inline char own_thread_state(pid_t thread) { return thread_state("self", std::to_string(thread)); }

// How often a thread has gone to sleep; 0 where it is gone.
inline std::uint64_t sleeps_of(const std::filesystem::path& task) {
  constexpr std::string_view label = "voluntary_ctxt_switches:";
  std::ifstream status(task / "status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(label)) return std::strtoull(line.c_str() + label.size(), nullptr, 10);
  }
  return 0;
}

// How often all together have gone to sleep; nothing unless each is in this state.
inline std::optional<std::uint64_t> sleeps_if_every_thread_is(pid_t pid, char state) {
  std::error_code gone;
  std::optional<std::uint64_t> sleeps;
  const std::string process = std::to_string(pid);
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + process + "/task", gone)) {
    if (thread_state(process, task.path().filename()) != state) return std::nullopt;
    sleeps = sleeps.value_or(0) + sleeps_of(task);
  }
  return gone ? std::nullopt : sleeps;
}

// The threads are looked at one after the other, and one may hand on its work to another behind
// us: only two looks between which nobody slept show them at one time.
inline bool every_thread_is(pid_t pid, char state) {
  const auto sleeps = sleeps_if_every_thread_is(pid, state);
  return sleeps && sleeps == sleeps_if_every_thread_is(pid, state);
}

}  // namespace signalbox::os::test
