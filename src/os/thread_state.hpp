// thread_state.hpp: for tests: what the kernel says a thread is at.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <sys/types.h>

#include <fstream>
#include <string>

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

}  // namespace signalbox::os::test
