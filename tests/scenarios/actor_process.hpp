// actor_process.hpp: a process that plays in a scenario: it takes one operation a line on its
// standard input and answers one line for each.
//
//   Threads  one at a time
//   Crash    an actor whose engine dies reads the end of its input, or is ended by its own alarm
//   Fork     not used across one
//   Limits   none
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "signalbox/os/fd.hpp"

namespace signalbox::scenarios {

// What must not happen, with the text that says so; the engine turns it into a failed test.
struct Mismatch {
  std::string what;
};

class ActorProcess {
 public:
  // Starts a program. Throws Mismatch where it cannot.
  explicit ActorProcess(const std::vector<std::string>& command);
  // A process that an actor forked, behind its own socket.
  ActorProcess(os::Fd socket, pid_t pid);
  // Kills it and waits for its end.
  ~ActorProcess();
  ActorProcess(ActorProcess&& other) noexcept;
  ActorProcess& operator=(ActorProcess&& other) = delete;

  pid_t pid() const { return pid_; }
  void say(const std::string& line);
  // The next answer, or nothing if none came within that time. Throws where the actor is gone.
  std::optional<std::string> hear(std::chrono::milliseconds patience);

  // Whether it has taken what was said and sleeps now in the operation: a fact, from the kernel.
  bool is_asleep_in_operation() const;
  bool is_stopped() const;

  // SIGKILL, and returns when the process is gone with all that ends with it.
  void kill();
  // The end of its input, and returns its exit status; -1 where it is not our child.
  int leave(std::chrono::milliseconds patience);
  void signal(int number) const;

 private:
  int wait_for_end(std::chrono::milliseconds patience);
  void watch_end();

  os::Fd socket_;
  os::Fd end_;  // a pidfd
  pid_t pid_ = -1;
  std::string heard_;  // bytes of a line that is not complete
};

}  // namespace signalbox::scenarios
