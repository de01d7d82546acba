// stepper.hpp: a child process under ptrace that runs one instruction, or one system call, at a
// time and can be killed at any of them.
//
//   Threads  the thread that made it (ptrace's own rule)
//   Limits   x86-64: a system call is known by its two bytes
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>

namespace kill_driver {

class Stepper {
 public:
  enum class Stop {
    stepped,  // at the next instruction, or at the side of a system call that was asked for
    rested,   // it stopped itself
    ended     // it is dead
  };

  // Forks a child that runs `body`, which must not return; it stands still before its first step.
  explicit Stepper(const std::function<void()>& body);
  ~Stepper() { kill(); }
  Stepper(const Stepper&) = delete;
  Stepper& operator=(const Stepper&) = delete;

  // Runs at full speed until it stops itself.
  Stop run_to_rest();
  // Runs one instruction; a system call is one.
  Stop step();
  // Runs at full speed to the entry of the next system call, or from an entry to its return.
  Stop run_to_system_call();
  // Does the next instruction enter the kernel?
  bool is_before_system_call() const;
  // Which one, asked before it or at its entry.
  std::uint64_t system_call_number() const;
  std::uint64_t instruction() const;
  // From the entry of a system call: lets it go on until it sleeps or has come to its next stop.
  // What follows is kill() or run_to_rest(), and no signal to it in between.
  void run_until_asleep();

  // Runs untraced from here on; it can still be killed.
  void let_go();

  void kill();

 private:
  Stop resume(int request);

  pid_t pid_;
  bool is_on_its_way_ = false;  // to a stop that nobody has been told of yet
};

}  // namespace kill_driver
