#include "kernel_boundary.hpp"

#include <fcntl.h>
#include <linux/elf.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>

namespace kernel_boundary {

namespace {

// A call that no kernel has: it ends the window.
constexpr long kWindowCloses = 0x5b5e;

using Registers = user_regs_struct;

void read_registers(pid_t child, Registers& registers) {
  iovec place{&registers, sizeof(registers)};
  ::ptrace(PTRACE_GETREGSET, child, NT_PRSTATUS, &place);
}

void write_registers(pid_t child, Registers& registers) {
  iovec place{&registers, sizeof(registers)};
  ::ptrace(PTRACE_SETREGSET, child, NT_PRSTATUS, &place);
}

// At the entry of a call: the kernel skips a call whose number is -1.
void skip_call(pid_t child) {
#if defined(__x86_64__)
  Registers registers{};
  read_registers(child, registers);
  registers.orig_rax = static_cast<unsigned long long>(-1);
  write_registers(child, registers);
#elif defined(__aarch64__)
  int none = -1;
  iovec place{&none, sizeof(none)};
  ::ptrace(PTRACE_SETREGSET, child, NT_ARM_SYSTEM_CALL, &place);
#endif
}

// At the exit of a call.
void answer_call(pid_t child, int error) {
  Registers registers{};
  read_registers(child, registers);
  const auto answer = static_cast<unsigned long long>(-static_cast<long long>(error));
#if defined(__x86_64__)
  registers.rax = answer;
#elif defined(__aarch64__)
  registers.regs[0] = answer;
#endif
  write_registers(child, registers);
}

// Which argument points to what tells whether a call waits or frees; 0: none of interest.
std::size_t telling_argument(std::uint64_t number) {
#if defined(__x86_64__)
  if (number == SYS_semop) return 1;
#endif
  if (number == SYS_semtimedop) return 1;
  return number == SYS_fcntl ? 2 : 0;
}

Call call_of(pid_t child) {
  __ptrace_syscall_info info{};
  ::ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof(info), &info);
  Call call{.number = info.entry.nr, .arguments = {}};
  for (std::size_t i = 0; i < call.arguments.size(); ++i) call.arguments[i] = info.entry.args[i];
  if (const std::size_t telling = telling_argument(call.number); telling != 0) {
    // A number instead of an address: the kernel refuses, and it reads as all ones.
    call.pointed =
        static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKDATA, child, call.arguments[telling], 0));
  }
  return call;
}

// close() has closed whatever it answers, so the call is made and only its answer replaced.
bool is_made_all_the_same(const Call& call) { return call.number == SYS_close; }

std::size_t calls_before(const std::vector<Call>& calls, std::uint64_t number) {
  return static_cast<std::size_t>(std::ranges::count(calls, number, &Call::number));
}

class Tracer {
 public:
  Tracer(pid_t child, std::optional<Fault> fault) : child_(child), fault_(fault) {}

  Traced follow() {
    int status = 0;
    ::waitpid(child_, &status, 0);
    ::ptrace(PTRACE_SETOPTIONS, child_, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
    ::ptrace(PTRACE_CONT, child_, 0, 0);
    while (::waitpid(child_, &status, 0) == child_ && WIFSTOPPED(status)) go_on(status);
    traced_.status = status;
    return std::move(traced_);
  }

 private:
  void go_on(int status) {
    const int signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) {
      entering_ = !entering_;
      if (entering_ && !enter()) return;
      if (!entering_) leave();
      ::ptrace(PTRACE_SYSCALL, child_, 0, 0);
    } else if (signal == SIGSTOP && !open_) {
      // The window opens: from here on every call stops the child.
      open_ = true;
      ::ptrace(PTRACE_SYSCALL, child_, 0, 0);
      leaving_stop_ = true;
    } else {
      ::ptrace(open_ ? PTRACE_SYSCALL : PTRACE_CONT, child_, 0, signal);
    }
  }

  // False: the window is closed and the child on its own.
  bool enter() {
    const Call call = call_of(child_);
    if (call.number == kWindowCloses) {
      open_ = false;
      ::ptrace(PTRACE_CONT, child_, 0, 0);
      return false;
    }
    failing_ = 0;
    if (leaving_stop_) {
      // What follows the SIGSTOP of open_window() is still raise() itself.
      if (call.number == SYS_rt_sigprocmask) return true;
      leaving_stop_ = false;
    }
    // Only calls that can fail are counted: how often the heap asks for memory depends on what the
    // parent did before.
    if (plausible_errors(call).empty()) return true;
    const std::size_t before = calls_before(traced_.calls, call.number);
    traced_.calls.push_back(call);
    if (!fault_ || call.number != fault_->number || before < fault_->before) return true;
    if (before != fault_->before && !fault_->lasting) return true;
    failing_ = fault_->error;
    ++traced_.injected;
    if (!is_made_all_the_same(call)) skip_call(child_);
    return true;
  }

  void leave() {
    if (failing_ != 0) answer_call(child_, failing_);
  }

  pid_t child_;
  std::optional<Fault> fault_;
  Traced traced_;
  bool open_ = false;
  bool entering_ = false;
  bool leaving_stop_ = false;
  int failing_ = 0;
};

std::vector<Errors>& added() {
  static std::vector<Errors> all;
  return all;
}

// One that is added to an event descriptor is taken at once: its 64 bits are nowhere near full.
bool is_no_count(const Call& call) { return call.arguments[2] != sizeof(std::uint64_t); }

// The C library's own are private to the process, or wait for a thread's end by the wall clock; it
// believes that they cannot fail.
bool is_ours(const Call& call) {
  return (call.arguments[1] & (FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)) == 0;
}

const std::vector<Errors>& table() {
  static const std::vector<Errors> all{
      {SYS_openat, "openat", {EACCES, EMFILE, ENFILE, ENOENT, ENOSPC, EINTR}},
      {SYS_fallocate, "fallocate", {ENOSPC, EINTR}},
      {SYS_mmap, "mmap", {ENOMEM, ENFILE}},
      {SYS_madvise, "madvise", {EINVAL, EAGAIN}},
      {SYS_fcntl, "fcntl", {ENOLCK, EINTR}},
      {SYS_futex, "futex", {EINTR, ENOSYS, EAGAIN}, is_ours},
      {SYS_membarrier, "membarrier", {ENOSYS, EPERM}},
      {SYS_linkat, "linkat", {EACCES, ENOENT, ENOSPC}},
      {SYS_unlinkat, "unlinkat", {EACCES, ENOENT, EROFS}},
      {SYS_mkdirat, "mkdirat", {EACCES, ENOSPC}},
      {SYS_mknodat, "mknodat", {EACCES, ENOSPC, EPERM}},
      {SYS_fchmod, "fchmod", {EPERM}},
      {SYS_fchmodat, "fchmodat", {EPERM}},
      {SYS_clone3, "clone3", {EAGAIN}},
      {SYS_inotify_init1, "inotify_init1", {EMFILE, ENFILE, ENOMEM}},
      {SYS_inotify_add_watch, "inotify_add_watch", {ENOSPC, ENOMEM, EACCES}},
      {SYS_eventfd2, "eventfd2", {EMFILE, ENFILE, ENOMEM}},
      {SYS_epoll_create1, "epoll_create1", {EMFILE, ENFILE, ENOMEM}},
      {SYS_epoll_pwait2, "epoll_pwait2", {EINTR, ENOSYS}},
      {SYS_futex_waitv, "futex_waitv", {EINTR, EAGAIN, ENOMEM}},
      {SYS_epoll_ctl, "epoll_ctl", {ENOMEM, ENOSPC}},
      {SYS_epoll_pwait, "epoll_pwait", {EINTR}},
      {SYS_timerfd_create, "timerfd_create", {EMFILE, ENFILE, ENOMEM}},
      {SYS_timerfd_settime, "timerfd_settime", {EINVAL}},
      {SYS_pidfd_open, "pidfd_open", {ENOSYS, EMFILE, EPERM, ESRCH}},
      {SYS_getrandom, "getrandom", {ENOSYS, EINTR}},
      {SYS_statx, "statx", {ENOMEM, EACCES}},
      {SYS_fstat, "fstat", {ENOMEM, EOVERFLOW}},
      {SYS_newfstatat, "newfstatat", {ENOMEM, EACCES}},
      {SYS_fstatfs, "fstatfs", {ENOSYS}},
      {SYS_getdents64, "getdents64", {EIO, ENOMEM}},
      {SYS_read, "read", {EINTR, EIO}},
      {SYS_write, "write", {EAGAIN, EINTR}, is_no_count},
      {SYS_close, "close", {EINTR, EIO}},
      {SYS_ppoll, "ppoll", {EINTR, ENOMEM}},
      {SYS_clock_nanosleep, "clock_nanosleep", {EINTR}},
#if defined(__x86_64__)
      {SYS_open, "open", {EACCES, EMFILE, ENFILE, ENOENT, EINTR}},
      {SYS_mkdir, "mkdir", {EACCES, ENOSPC}},
      {SYS_chmod, "chmod", {EPERM}},
      {SYS_rmdir, "rmdir", {EACCES, EBUSY}},
      {SYS_unlink, "unlink", {EACCES}},
      {SYS_stat, "stat", {ENOMEM, EACCES}},
      {SYS_epoll_wait, "epoll_wait", {EINTR}},
      {SYS_poll, "poll", {EINTR, ENOMEM}},
#endif
  };
  return all;
}

const Errors* added_entry_of(const Call& call) {
  for (const Errors& entry : added()) {
    if (entry.number != call.number) continue;
    if (entry.applies == nullptr || entry.applies(call)) return &entry;
  }
  return nullptr;
}

const Errors* entry_of(const Call& call) {
  if (const Errors* const entry = added_entry_of(call)) return entry;
  for (const Errors& entry : table()) {
    if (entry.number != call.number) continue;
    if (entry.applies == nullptr || entry.applies(call)) return &entry;
  }
  return nullptr;
}

// The heap's own memory: tests/fault/allocation_test.cpp lets that fail.
bool is_anonymous(const Call& call) {
  return call.number == SYS_mmap && static_cast<int>(call.arguments[4]) < 0;
}

// fcntl() about a descriptor's own flags, as opendir() asks, has no reason to fail.
bool is_question(const Call& call) {
  return call.number == SYS_fcntl && call.arguments[1] != F_OFD_SETLK &&
         call.arguments[1] != F_OFD_GETLK;
}

}  // namespace

void open_window() { ::raise(SIGSTOP); }
void close_window() { ::syscall(kWindowCloses); }

Traced trace(const std::function<void()>& work, std::optional<Fault> fault) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(hang_after_s);
    ::ptrace(PTRACE_TRACEME, 0, 0, 0);
    ::raise(SIGTRAP);  // the tracer sets its options while we stand here
    // Nothing may go on from here as if it were the parent.
    try {
      work();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "the traced child: %s\n", error.what());
      ::_exit(98);
    }
    ::_exit(0);
  }
  return Tracer(child, fault).follow();
}

void also_look_at(std::vector<Errors> more) { added() = std::move(more); }

std::vector<int> plausible_errors(const Call& call) {
  if (const Errors* const entry = added_entry_of(call)) return entry->errors;
  if (is_anonymous(call) || is_question(call)) return {};
  const Errors* const entry = entry_of(call);
  return entry == nullptr ? std::vector<int>{} : entry->errors;
}

std::string name_of(const Call& call) {
  const Errors* const entry = entry_of(call);
  return entry == nullptr ? "call " + std::to_string(call.number) : entry->name;
}

}  // namespace kernel_boundary
