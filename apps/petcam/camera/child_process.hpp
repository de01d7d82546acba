// child_process.hpp: another program, its output and its errors as descriptors to poll.
//
//   Threads  one thread; the child is killed when the thread that started it ends
//   Crash    the kernel kills the child when this process dies, however it dies
//   Fork     the child gets nothing but its three standard descriptors
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <vector>

#include "file_descriptor.hpp"

namespace petcam {

class ChildProcess {
 public:
  // Starts argv[0], found along PATH, in a process group of its own with nothing to read. The error
  // is the system's word for why not; "No such file or directory" when it is not installed.
  static std::expected<ChildProcess, std::string> start(const std::vector<std::string>& argv);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  // Kills the child and everything it started in its group, and waits: nothing is left behind.
  ~ChildProcess() { stop(); }

  pid_t pid() const { return pid_; }
  // Both are non-blocking.
  int output() const { return output_.number(); }
  int errors() const { return errors_.number(); }

 private:
  ChildProcess(pid_t pid, Fd output, Fd errors);
  void stop() noexcept;

  pid_t pid_ = 0;
  Fd output_;
  Fd errors_;
};

}  // namespace petcam
