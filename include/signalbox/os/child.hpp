// os/child.hpp: starts a program as a child, talks to it over pipes, and sees to its end.
//
// It names the process and never a number that might be another's by now.
//
//   Lives     the child lives on when its Child is destroyed, and then stays a zombie from its end
//             until this process ends: wait for it
//   Threads   one thread at a time; death_signal comes when the *thread* that spawned it ends
//   Crash     the child goes on, and belongs to init; death_signal ends it with us
//   Fork      a child of yours cannot take its sibling's end
//   Limits    RLIMIT_NOFILE, RLIMIT_NPROC, /proc/sys/kernel/pid_max; Linux 5.4
//   Pollable  yes
//   Manual    clone(2) execve(2) pidfd_send_signal(2) waitid(2) PR_SET_PDEATHSIG(2const)
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/pidfd.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

struct ChildEnd {
  bool by_signal;  // killed, and not ended by itself
  int status;      // the exit status, or the signal's number
};

// What a child finds at one of its descriptors.
class ChildStream {
 public:
  // What we have at the same number; where we have nothing there, /dev/null.
  static ChildStream inherit() noexcept { return ChildStream(Kind::inherit, -1); }
  // /dev/null, for reading and writing.
  static ChildStream null() noexcept { return ChildStream(Kind::null, -1); }
  // An end that only the child shall have, such as `std::move(pipe.reader).release()`. It becomes
  // blocking, as programs expect, and ours is closed by spawn(), also where spawn() fails.
  static ChildStream give(Fd fd) noexcept {
    const int number = fd.get();
    return ChildStream(Kind::give, number, std::move(fd));
  }
  // One that stays open here as well, unchanged: a log file, say.
  static ChildStream share(const Fd& fd) noexcept { return ChildStream(Kind::share, fd.get()); }
  static ChildStream share(int fd) noexcept { return ChildStream(Kind::share, fd); }

 private:
  friend struct SpawnPlan;
  enum class Kind { inherit, null, give, share };
  ChildStream(Kind kind, int fd, Fd owned = {}) noexcept
      : kind_(kind), fd_(fd), owned_(std::move(owned)) {}
  Kind kind_;
  int fd_;
  Fd owned_;
};

struct GivenDescriptor {
  int number;  // of the child's
  ChildStream stream;
};

struct SpawnOptions {
  ChildStream input = ChildStream::inherit();
  ChildStream output = ChildStream::inherit();
  ChildStream errors = ChildStream::inherit();
  // Besides 0, 1 and 2. The child has these and no other, whatever is open here.
  std::vector<GivenDescriptor> descriptors{};
  // "NAME=value" each; empty: what this process has.
  std::optional<std::vector<std::string>> environment{};
  std::string working_directory{};  // empty: this process's

  enum class Group { same, own, session };  // session: also without our terminal
  Group group = Group::same;
  int death_signal =
      0;  // what the kernel sends it when the thread that spawned it ends; 0: nothing
  // The child starts with no signal blocked and every one at its default, because those that
  // os/signals.hpp blocks here it would never get. True: as they are here.
  bool keeps_signals = false;
};

class Child {
 public:
  Child() = default;
  // Starts the program argv[0], looked for in our PATH unless there is a slash in it; a relative
  // path counts from working_directory. When this answers, the program runs: what goes wrong up to
  // execve() is our error and not the child's exit. Memory is shared until then, not copied.
  // Errors: not_found, permission_denied, bad_argument (no argv, no program, a bad descriptor,
  // a zero byte), limit_reached, out_of_memory, system; the text says which step failed.
  static Result<Child> spawn(std::span<const std::string> argv, SpawnOptions options = {});

  // Watches a child that this process started and nobody has waited for.
  // Errors: not_found (no such process), limit_reached (descriptors), not_supported, system.
  static Result<Child> watch(int pid);

  // How it ended, once: the process is reaped and its number free. Empty: it still runs.
  // Errors: not_found (taken already, or no child of this process), bad_argument (an empty handle),
  // system. Enters the kernel.
  Result<std::optional<ChildEnd>> take();
  // As take(), and waits for the end. Errors besides: timed_out, interrupted.
  Result<ChildEnd> wait(Deadline deadline, OnSignal on_signal = OnSignal::go_on);

  // Signals the child. Errors: not_found (its end was taken), bad_argument, permission_denied (it
  // has become another user).
  Result<void> signal(int number) const { return process_.send_signal(number); }
  // SIGTERM (and SIGCONT, for one that is stopped); when `grace` has passed SIGKILL; then its end,
  // as wait() answers it. After SIGKILL it waits for as long as the kernel takes. Errors as wait()
  // but timed_out.
  Result<ChildEnd> terminate(Deadline grace, OnSignal on_signal = OnSignal::go_on);

  // Its number, for messages; another's once its end was taken. 0 in an empty Child.
  std::uint32_t pid() const noexcept { return pid_; }
  const Pidfd& process() const noexcept { return process_; }
  // Ready once it has ended, and until the Child is destroyed: end the watch after take().
  Waitable waitable() const noexcept { return process_.waitable(); }

 private:
  Pidfd process_;
  std::uint32_t pid_ = 0;
};

}  // namespace signalbox::os
