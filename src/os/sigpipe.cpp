#include "signalbox/os/sigpipe.hpp"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <ctime>

namespace signalbox::os {

namespace {

constexpr std::size_t kernel_set_bytes = 8;  // the kernel's sigset_t, of 64 signals

sigset_t only_sigpipe() noexcept {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGPIPE);
  return set;
}

bool is_pending() noexcept {
  sigset_t pending;
  return ::sigpending(&pending) == 0 && ::sigismember(&pending, SIGPIPE) == 1;
}

// The kernel marks what it raises for a write as a signal that this process sent with kill().
bool is_of_a_write(const siginfo_t& info) noexcept {
  return info.si_code == SI_USER && info.si_pid == ::getpid();
}

// Sends it again with all that it said, to the thread or the process that it was meant for. Both
// calls name this thread: only for itself does the kernel let one repeat what others sent.
void put_back(siginfo_t& info) noexcept {
  const auto thread = static_cast<pid_t>(::syscall(SYS_gettid));
  if (info.si_code == SI_TKILL) {
    ::syscall(SYS_rt_tgsigqueueinfo, ::getpid(), thread, SIGPIPE, &info);
  } else {
    ::syscall(SYS_rt_sigqueueinfo, thread, SIGPIPE, &info);
  }
}

void take_away() noexcept {
  const sigset_t set = only_sigpipe();
  constexpr timespec at_once{};
  siginfo_t info{};
  long taken = 0;
  do {
    // Not by glibc's function, which tells signals sent to a thread as if they were the process's.
    taken = ::syscall(SYS_rt_sigtimedwait, &set, &info, &at_once, kernel_set_bytes);
  } while (taken < 0 && errno == EINTR);
  if (taken == SIGPIPE && !is_of_a_write(info)) put_back(info);
}

}  // namespace

SigpipeBlock::SigpipeBlock() noexcept {
  const sigset_t set = only_sigpipe();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &set, &before);
  was_blocked_ = ::sigismember(&before, SIGPIPE) == 1;
  // Asked after the block: one that came before it has been delivered, or was blocked already.
  was_pending_ = is_pending();
}

SigpipeBlock::~SigpipeBlock() {
  const int kept = errno;  // of the write, which its caller looks at after this scope
  if (!was_pending_ && is_pending()) take_away();
  if (!was_blocked_) {
    const sigset_t set = only_sigpipe();
    ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  }
  errno = kept;
}

}  // namespace signalbox::os
