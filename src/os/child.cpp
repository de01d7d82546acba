#include "signalbox/os/child.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "os/failure.hpp"
#include "os/spawn_plan.hpp"

namespace signalbox::os {

namespace {

constexpr idtype_t kByPidfd = static_cast<idtype_t>(3);  // P_PIDFD: glibc names it since 2.36 only

// The child borrows our memory, so that starting it takes as long in a large process as in a small
// one. ThreadSanitizer cannot follow that; with it, the memory is copied.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SBX_THREAD_SANITIZER
#endif
#elif defined(__SANITIZE_THREAD__)
#define SBX_THREAD_SANITIZER
#endif
#ifdef SBX_THREAD_SANITIZER
constexpr int kMemory = 0;
#else
constexpr int kMemory = CLONE_VM;
#endif

// The child's stack, with its report at the lower end. Shared, so that the report arrives in any
// case.
class ChildStack {
 public:
  static constexpr std::size_t bytes = 64UL * 1024;
  ChildStack()
      : at_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_STACK,
                   -1, 0)) {}
  ~ChildStack() {
    if (is_there()) ::munmap(at_, bytes);
  }
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  bool is_there() const noexcept { return at_ != MAP_FAILED; }
  SpawnReport* report() const noexcept { return static_cast<SpawnReport*>(at_); }
  void* end() const noexcept { return static_cast<char*>(at_) + bytes; }

 private:
  void* at_;
};

// No handler of ours may run in the child while it shares our memory.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;
  const sigset_t& before() const noexcept { return before_; }

 private:
  sigset_t before_;
};

struct Born {
  int pid;  // below 0: none
  int pidfd;
  int refused;
};

Born give_birth(SpawnPlan& plan, const ChildStack& stack) noexcept {
  const AllSignalsBlocked blocked;
  plan.mask = blocked.before();
  int pidfd = -1;
  const int pid =
      ::clone(run_plan, stack.end(), kMemory | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  return {pid, pidfd, errno};
}

Error not_born(int refused, const std::string& program) {
  const std::string tried = "start " + program;
  if (refused == EAGAIN) {
    return failure(refused, "clone", tried, Errc::limit_reached,
                   "There are too many processes: of this user (ulimit -u), in this container "
                   "(pids.max of its cgroup) or on the machine (/proc/sys/kernel/pid_max).");
  }
  return failure(refused, "clone", tried);
}

Error no_program(int refused, const std::string& program) {
  const std::string tried = "start " + program;
  switch (refused) {
    case ENOENT:
      return failure(refused, "execve", tried, Errc::not_found,
                     "There is no such program, in PATH where its name has no slash; or the "
                     "interpreter that its first line names is missing.");
    case EACCES:
      return failure(refused, "execve", tried, Errc::permission_denied,
                     "It is not executable for this user (chmod +x), or lies on a file system "
                     "mounted noexec.");
    case ENOEXEC:
      return failure(refused, "execve", tried, Errc::bad_argument,
                     "It is neither a program of this machine nor begins with #!.");
    case E2BIG:
      return failure(refused, "execve", tried, Errc::too_large,
                     "Arguments and environment together may have a quarter of `ulimit -s`, one "
                     "of them 128 KiB.");
    default:
      return failure(refused, "execve", tried);
  }
}

Error not_started(const SpawnReport& report, const SpawnPlan& plan) {
  const std::string& program = plan.words[0];
  switch (report.step) {
    case SpawnStep::program:
      return no_program(report.refused, program);
    case SpawnStep::working_directory:
      return failure(report.refused, "chdir",
                     "start " + program + " in directory " + plan.working_directory);
    case SpawnStep::descriptors:
      return failure(report.refused, "dup3", "give descriptors to " + program, Errc::limit_reached,
                     "A number that is wanted, and those above it that are needed meanwhile, must "
                     "be below `ulimit -n`.");
    case SpawnStep::death_signal:
      return failure(report.refused, "prctl(PR_SET_PDEATHSIG)", "start " + program,
                     Errc::bad_argument, "There is no such signal.");
    case SpawnStep::group:
      return failure(report.refused, "setpgid", "give a group of its own to " + program);
    case SpawnStep::close_others:
      return failure(report.refused, "close_range", "close other descriptors before " + program);
    default:
      return failure(report.refused, "rt_sigprocmask", "start " + program);
  }
}

Error not_waited(int refused) {
  if (refused == ECHILD) {
    return failure(refused, "waitid", "learn how a child ended", Errc::not_found,
                   "Its end was taken already (by a wait for any child, say, or because SIGCHLD is "
                   "ignored), or it is no child of this process.");
  }
  if (refused == EINVAL || refused == EBADF) {  // there is no other way to ask for the wrong thing
    return failure(refused, "waitid", "learn how a child ended", Errc::bad_argument,
                   "This handle is empty: it was moved from.");
  }
  return failure(refused, "waitid", "learn how a child ended");
}

}  // namespace

Result<Child> Child::spawn(std::span<const std::string> argv, SpawnOptions options) {
  auto plan = SpawnPlan::make(argv, std::move(options));
  if (!plan) return std::unexpected(std::move(plan.error()));
  const ChildStack stack;
  if (!stack.is_there()) return std::unexpected(failure(errno, "mmap", "make a child's stack"));
  plan->report = stack.report();
  const Born born = give_birth(*plan, stack);
  if (born.pid < 0) return std::unexpected(not_born(born.refused, plan->words[0]));
  Child made;
  made.process_ = Pidfd(Fd(born.pidfd));
  made.pid_ = static_cast<std::uint32_t>(born.pid);
  if (stack.report()->step == SpawnStep::none) return made;
  siginfo_t info{};
  retried([&] { return ::waitid(kByPidfd, static_cast<id_t>(born.pidfd), &info, WEXITED); });
  return std::unexpected(not_started(*stack.report(), *plan));
}

Result<Child> Child::watch(int pid) {
  if (pid <= 0) {
    return std::unexpected(
        Error{Errc::not_found,
              0,
              {},
              "cannot watch process " + std::to_string(pid) + ": a process has a number above 0."});
  }
  auto process = Pidfd::open(static_cast<std::uint32_t>(pid));
  if (!process) return std::unexpected(std::move(process.error()));
  Child made;
  made.process_ = std::move(*process);
  made.pid_ = static_cast<std::uint32_t>(pid);
  return made;
}

Result<std::optional<ChildEnd>> Child::take() {
  siginfo_t info{};
  const auto which = static_cast<id_t>(process_.fd().get());
  if (::waitid(kByPidfd, which, &info, WEXITED | WNOHANG) != 0) {
    return std::unexpected(not_waited(errno));
  }
  if (info.si_pid == 0) return std::optional<ChildEnd>();
  return ChildEnd{.by_signal = info.si_code != CLD_EXITED, .status = info.si_status};
}

Result<ChildEnd> Child::wait(Deadline deadline, OnSignal on_signal) {
  for (;;) {
    auto end = take();
    if (!end) return std::unexpected(std::move(end.error()));
    if (*end) return **end;
    if (auto ended = process_.wait_until_ended(deadline, on_signal); !ended) {
      return std::unexpected(std::move(ended.error()));
    }
  }
}

Result<ChildEnd> Child::terminate(Deadline grace, OnSignal on_signal) {
  // One that has ended and was waited for by others is told by wait(), in its own words.
  const auto refused = [](const Result<void>& sent) {
    return !sent && sent.error().code != Errc::not_found;
  };
  if (auto sent = signal(SIGTERM); refused(sent)) return std::unexpected(std::move(sent.error()));
  static_cast<void>(signal(SIGCONT));
  auto end = wait(grace, on_signal);
  if (end || end.error().code != Errc::timed_out) return end;
  if (auto sent = signal(SIGKILL); refused(sent)) return std::unexpected(std::move(sent.error()));
  return wait(Deadline::never(), on_signal);
}

}  // namespace signalbox::os
