#include "stepper.hpp"

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "os/thread_state.hpp"

namespace kill_driver {

namespace {

// With PTRACE_O_TRACESYSGOOD: a stop at a system call, unlike one after a single step.
constexpr int kSystemCallStop = SIGTRAP | 0x80;

std::uint64_t register_of(pid_t pid, std::size_t offset) {
  errno = 0;
  const long value = ::ptrace(PTRACE_PEEKUSER, pid, offset, nullptr);
  return static_cast<std::uint64_t>(value);
}

}  // namespace

Stepper::Stepper(const std::function<void()>& body) : pid_(::fork()) {
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) std::_Exit(1);
    ::kill(::getpid(), SIGSTOP);
    body();
    std::_Exit(1);
  }
  int status = 0;
  if (pid_ < 0 || ::waitpid(pid_, &status, 0) != pid_ || !WIFSTOPPED(status)) {
    std::perror("cannot trace a child");
    std::abort();
  }
  ::ptrace(PTRACE_SETOPTIONS, pid_, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
}

Stepper::Stop Stepper::resume(int request) {
  int signal = 0;
  for (;;) {
    if (!std::exchange(is_on_its_way_, false) &&
        ::ptrace(static_cast<__ptrace_request>(request), pid_, nullptr, signal) != 0) {
      return Stop::ended;
    }
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) return Stop::ended;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      pid_ = -1;
      return Stop::ended;
    }
    signal = WSTOPSIG(status);
    if (signal == SIGSTOP) return Stop::rested;
    if (signal == SIGTRAP || signal == kSystemCallStop) return Stop::stepped;
    // Any other signal is the victim's own affair, such as the one that ends it after a crash.
  }
}

Stepper::Stop Stepper::run_to_rest() {
  // The end of the system call that it was asleep in is no rest.
  if (is_on_its_way_ && resume(PTRACE_CONT) != Stop::stepped) return Stop::ended;
  return resume(PTRACE_CONT);
}
Stepper::Stop Stepper::step() { return resume(PTRACE_SINGLESTEP); }
Stepper::Stop Stepper::run_to_system_call() { return resume(PTRACE_SYSCALL); }

std::uint64_t Stepper::instruction() const {
  return register_of(pid_, offsetof(user_regs_struct, rip));
}

std::uint64_t Stepper::system_call_number() const {
  // At the entry the kernel has moved the number away from rax.
  const std::uint64_t saved = register_of(pid_, offsetof(user_regs_struct, orig_rax));
  return is_before_system_call() ? register_of(pid_, offsetof(user_regs_struct, rax)) : saved;
}

bool Stepper::is_before_system_call() const {
  unsigned char code[2] = {};
  iovec here{.iov_base = code, .iov_len = sizeof(code)};
  iovec there{.iov_base = reinterpret_cast<void*>(instruction()), .iov_len = sizeof(code)};
  if (::process_vm_readv(pid_, &here, 1, &there, 1, 0) != sizeof(code)) return false;
  return code[0] == 0x0f && code[1] == 0x05;
}

void Stepper::run_until_asleep() {
  if (::ptrace(PTRACE_SYSCALL, pid_, nullptr, 0) != 0) return;
  is_on_its_way_ = true;
  const timespec pause{.tv_sec = 0, .tv_nsec = 50'000};
  for (char state = 'R'; state == 'R'; state = signalbox::os::test::thread_state(pid_))
    ::nanosleep(&pause, nullptr);
}

void Stepper::let_go() { ::ptrace(PTRACE_DETACH, pid_, nullptr, 0); }

void Stepper::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  // A stop that was on its way may be told first.
  while (::waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status)) {
  }
  pid_ = -1;
}

}  // namespace kill_driver
