// Counts with PTRACE_SINGLESTEP between two breakpoints that the child meets.
#include "bench/instructions.hpp"

#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "bench/fork_child.hpp"

namespace bench {

namespace {

constexpr int kWarmUps = 64;

#if defined(__x86_64__)
void meet_breakpoint() { asm volatile("int3"); }
constexpr std::uint16_t kSyscall = 0x050f;
#endif

// What the work holds goes at the end, because some of it would outlive the process.
void run_between_breakpoints(const std::function<std::function<void()>()>& prepare) {
  const std::function<void()> work = prepare();
  const std::function<void()> nothing = [] {};
  for (const std::function<void()>* one : {&nothing, &work}) {
    for (int i = 0; i < kWarmUps; ++i) (*one)();
    meet_breakpoint();
    (*one)();
    meet_breakpoint();
  }
}

[[noreturn]] void be_stepped(const std::function<std::function<void()>()>& prepare) {
  ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  try {
    run_between_breakpoints(prepare);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    std::_Exit(1);
  }
  std::_Exit(0);
}

// Waits for the child's next stop; false once it has ended.
bool stopped(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return false;
  if (WSTOPSIG(status) != SIGTRAP) throw std::runtime_error("the traced child got a signal");
  return true;
}

bool at_breakpoint(pid_t child) {
  siginfo_t info{};
  ::ptrace(PTRACE_GETSIGINFO, child, nullptr, &info);
  return info.si_code == SI_KERNEL;
}

std::uint64_t place_of(pid_t child) {
  user_regs_struct registers{};
  ::ptrace(PTRACE_GETREGS, child, nullptr, &registers);
  return registers.rip;
}

bool is_system_call(pid_t child, std::uint64_t place) {
  const long word = ::ptrace(PTRACE_PEEKTEXT, child, place, nullptr);
  return static_cast<std::uint16_t>(word) == kSyscall;
}

Steps step_to_breakpoint(pid_t child) {
  Steps steps{};
  for (;;) {
    const std::uint64_t place = place_of(child);
    steps.system_calls += is_system_call(child, place) ? 1 : 0;
    ::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr);
    if (!stopped(child)) throw std::runtime_error("the traced child ended early");
    if (at_breakpoint(child)) return steps;
    ++steps.instructions;
  }
}

}  // namespace

Steps count_steps(const std::function<std::function<void()>()>& prepare) {
  const pid_t child = fork_child();
  if (child < 0) throw std::runtime_error("cannot fork a child to step through");
  if (child == 0) be_stepped(prepare);
  Steps counted[2];
  for (Steps& steps : counted) {
    if (!stopped(child)) throw std::runtime_error("the child to step through ended early");
    steps = step_to_breakpoint(child);
    ::ptrace(PTRACE_CONT, child, nullptr, nullptr);
  }
  ::waitpid(child, nullptr, 0);
  // What calling through std::function costs is not the work's.
  return {counted[1].instructions - counted[0].instructions,
          counted[1].system_calls - counted[0].system_calls};
}

}  // namespace bench
