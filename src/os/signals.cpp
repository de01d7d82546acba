#include "signalbox/os/signals.hpp"

#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "os/failure.hpp"

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

std::optional<Signal> Signals::take() noexcept {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof(info)) != sizeof(info)) return std::nullopt;
  return Signal{
      .number = static_cast<int>(info.ssi_signo), .pid = info.ssi_pid, .uid = info.ssi_uid};
}

}  // namespace signalbox::os
