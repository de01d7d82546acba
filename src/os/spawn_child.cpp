// What a new child does until its program runs. It shares the memory of its parent, whose thread is
// suspended meanwhile: so there is nothing here but system calls, by their numbers, because the
// sanitizers' own versions of libc's functions take locks.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "os/spawn_plan.hpp"

namespace signalbox::os {

namespace {

constexpr int kSignals = 64;
constexpr std::size_t kKernelSetBytes = 8;

// The kernel's struct begins with the handler, and all zeroes mean SIG_DFL.
struct KernelSigaction {
  std::uintptr_t handler;
  std::uintptr_t rest[7];
};

struct Failed {
  SpawnStep step;
  long answer;
  bool is() const noexcept { return answer < 0; }
};

long set_group(SpawnOptions::Group group) noexcept {
  if (group == SpawnOptions::Group::own) return ::syscall(SYS_setpgid, 0, 0);
  if (group == SpawnOptions::Group::session) return ::syscall(SYS_setsid);
  return 0;
}

// A parent that ended before the kernel was asked sends nothing any more.
long set_death_signal(const SpawnPlan& plan) noexcept {
  if (plan.death_signal == 0) return 0;
  const long answer = ::syscall(SYS_prctl, PR_SET_PDEATHSIG, plan.death_signal, 0, 0, 0);
  if (answer == 0 && ::syscall(SYS_getppid) != plan.parent) ::syscall(SYS_exit_group, 127);
  return answer;
}

// Handlers must go before a signal is let in: they would run here, on the parent's memory.
void reset_signals(bool keeps_ignored) noexcept {
  for (int number = 1; number <= kSignals; ++number) {
    KernelSigaction action{};
    if (::syscall(SYS_rt_sigaction, number, nullptr, &action, kKernelSetBytes) != 0) continue;
    if (action.handler == reinterpret_cast<std::uintptr_t>(SIG_DFL)) continue;
    if (keeps_ignored && action.handler == reinterpret_cast<std::uintptr_t>(SIG_IGN)) continue;
    const KernelSigaction by_default{};
    ::syscall(SYS_rt_sigaction, number, &by_default, nullptr, kKernelSetBytes);
  }
}

long set_mask(const SpawnPlan& plan) noexcept {
  std::uint64_t mask = 0;
  if (plan.keeps_signals) std::memcpy(&mask, &plan.mask, sizeof(mask));
  return ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, nullptr, kKernelSetBytes);
}

// First everything is moved out of the way of all numbers that are wanted, so that none is
// overwritten before it was used.
long place_descriptors(SpawnPlan& plan) noexcept {
  const int free_from = plan.places.back().number + 1;
  for (SpawnPlan::Place& place : plan.places) {
    if (place.source == place.number || place.source >= free_from) continue;
    const long moved = ::syscall(SYS_fcntl, place.source, F_DUPFD_CLOEXEC, free_from);
    if (moved < 0) return moved;
    place.source = static_cast<int>(moved);
  }
  for (const SpawnPlan::Place& place : plan.places) {
    const long answer = place.source == place.number
                            ? ::syscall(SYS_fcntl, place.number, F_SETFD, 0)
                            : ::syscall(SYS_dup3, place.source, place.number, 0);
    if (answer < 0) return answer;
  }
  return 0;
}

bool is_placed(const SpawnPlan& plan, int number) noexcept {
  return std::ranges::any_of(plan.places,
                             [&](const SpawnPlan::Place& one) { return one.number == number; });
}

// Before Linux 5.9: looks which there are. What is opened to look is among them, and is closed
// after the last look.
long close_listed(const SpawnPlan& plan) noexcept {
  const long list = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY, 0);
  if (list < 0) return list;
  alignas(8) char entries[4096];
  for (long got = 0; (got = ::syscall(SYS_getdents64, list, entries, sizeof(entries))) != 0;) {
    if (got < 0) return got;
    // struct linux_dirent64: inode (8), offset (8), length (2), type (1), name.
    for (long at = 0; at < got;) {
      std::uint16_t length = 0;
      std::memcpy(&length, entries + at + 16, sizeof(length));
      int number = 0;
      bool is_number = true;
      for (const char* digit = entries + at + 19; *digit != '\0'; ++digit) {
        is_number = is_number && *digit >= '0' && *digit <= '9';
        number = number * 10 + (*digit - '0');
      }
      if (is_number && number != list && !is_placed(plan, number)) ::syscall(SYS_close, number);
      at += length;
    }
  }
  ::syscall(SYS_close, list);
  return 0;
}

// All but those that were given, whether or not they were opened close-on-exec: other libraries
// forget that.
long close_others(const SpawnPlan& plan) noexcept {
  unsigned from = 0;
  for (const SpawnPlan::Place& place : plan.places) {
    const auto number = static_cast<unsigned>(place.number);
    if (from < number && ::syscall(SYS_close_range, from, number - 1, 0) != 0) {
      return errno == ENOSYS ? close_listed(plan) : -1;
    }
    from = number + 1;
  }
  if (::syscall(SYS_close_range, from, ~0U, 0) == 0) return 0;
  return errno == ENOSYS ? close_listed(plan) : -1;
}

// As execvp(3) searches: a refusal of one place does not end it.
void execute(const SpawnPlan& plan) noexcept {
  int refused = ENOENT;
  for (const std::string& program : plan.programs) {
    ::syscall(SYS_execve, program.c_str(), plan.word_pointers.data(), plan.environment_of_child);
    if (errno == EACCES || (refused != EACCES && errno != ENOENT)) refused = errno;
    if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) break;
  }
  errno = refused;
}

Failed prepare(SpawnPlan& plan) noexcept {
  if (const Failed at{SpawnStep::group, set_group(plan.group)}; at.is()) return at;
  if (const Failed at{SpawnStep::death_signal, set_death_signal(plan)}; at.is()) return at;
  if (const Failed at{SpawnStep::descriptors, place_descriptors(plan)}; at.is()) return at;
  if (!plan.working_directory.empty()) {
    const long answer = ::syscall(SYS_chdir, plan.working_directory.c_str());
    if (const Failed at{SpawnStep::working_directory, answer}; at.is()) return at;
  }
  if (const Failed at{SpawnStep::close_others, close_others(plan)}; at.is()) return at;
  return {SpawnStep::signals, set_mask(plan)};
}

}  // namespace

int run_plan(void* argument) noexcept {
  SpawnPlan& plan = *static_cast<SpawnPlan*>(argument);
  reset_signals(plan.keeps_signals);
  Failed at = prepare(plan);
  if (!at.is()) {
    execute(plan);
    at.step = SpawnStep::program;
  }
  *plan.report = {at.step, errno};
  ::syscall(SYS_exit_group, 127);
  return 127;
}

}  // namespace signalbox::os
