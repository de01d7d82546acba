#include "signalbox/os/signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>

#include "os/failure.hpp"
#include "os/limit_text.hpp"
#include "os/readiness.hpp"

namespace signalbox::os {

Result<Signals> Signals::block(std::initializer_list<int> numbers) {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : numbers) {
    if (::sigaddset(&set, number) == 0) continue;
    return std::unexpected(
        Error{Errc::bad_argument, errno, "sigaddset",
              "cannot block signals: there is no signal " + std::to_string(number) + "."});
  }
  Signals made;
  made.fd_ = Fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!made.fd_.is_open()) return std::unexpected(failure(errno, "signalfd", "take signals"));
  const int refused = ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  if (refused != 0) return std::unexpected(failure(refused, "pthread_sigmask", "block signals"));
  return made;
}

// Those that take() knows by their code to have a value.
static_assert(SI_QUEUE == -1 && SI_TIMER == -2 && SI_MESGQ == -3 && SI_ASYNCIO == -4);

Result<Signal> Signals::take(Deadline deadline, OnSignal on_signal) {
  for (;;) {
    if (const auto signal = take()) return *signal;
    const Readiness end = wait_until_ready(fd_.get(), POLLIN, deadline, on_signal);
    if (end != Readiness::ready) {
      return std::unexpected(ended_wait(end, "read", "take a signal"));
    }
  }
}

namespace {

Result<void> not_sent_by(int refused, std::string_view call, int pid, int number) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    std::string tried =
        "send signal " + std::to_string(number) + " to process " + std::to_string(pid);
    switch (refused) {
      case ESRCH:
        return std::unexpected(failure(refused, call, std::move(tried), Errc::not_found,
                                       "There is no such process, or it has been waited for."));
      case EINVAL:
        return std::unexpected(failure(refused, call, std::move(tried), Errc::bad_argument,
                                       "There is no such signal."));
      case EAGAIN:
        return std::unexpected(
            failure(refused, call, std::move(tried), Errc::limit_reached,
                    "As many queued signals as its user may have are pending: " +
                        limit_text(RLIMIT_SIGPENDING, "RLIMIT_SIGPENDING", "ulimit -i") +
                        "; SigQ in /proc/PID/status counts them. The receiver must take some."));
      case EPERM:
        return std::unexpected(failure(refused, call, std::move(tried), Errc::permission_denied,
                                       "It is another user's process."));
      default:
        return std::unexpected(failure(refused, call, std::move(tried)));
    }
  });
}

Result<void> refuse_group(int pid) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
    return std::unexpected(Error{Errc::bad_argument, EINVAL, "kill",
                                 "cannot send a signal to process " + std::to_string(pid) +
                                     ": that would mean a group of processes, or all."});
  });
}

}  // namespace

Result<void> kernel::not_sent(long refused, int pid, int number) {
  if (pid <= 0) return refuse_group(pid);
  return not_sent_by(static_cast<int>(-refused), "kill", pid, number);
}

Result<void> queue_signal(int pid, int number, int value) {
  if (pid <= 0) return refuse_group(pid);
  if (::sigqueue(pid, number, {.sival_int = value}) == 0) return {};
  return not_sent_by(errno, "sigqueue", pid, number);
}

}  // namespace signalbox::os
