#include "actor_process.hpp"

#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iostream>
#include <utility>

#include "os/thread_state.hpp"

namespace signalbox::scenarios {

using namespace std::chrono_literals;

ActorProcess::ActorProcess(const std::vector<std::string>& command) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw Mismatch{"no socket"};
  socket_ = os::Fd(ends[0]);
  const os::Fd theirs(ends[1]);
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(theirs.get(), STDIN_FILENO);
    ::dup2(theirs.get(), STDOUT_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  if (pid_ < 0) throw Mismatch{"cannot fork an actor"};
  watch_end();
}

ActorProcess::ActorProcess(os::Fd socket, pid_t pid) : socket_(std::move(socket)), pid_(pid) {
  watch_end();
}

ActorProcess::ActorProcess(ActorProcess&& other) noexcept
    : socket_(std::move(other.socket_)),
      end_(std::move(other.end_)),
      pid_(std::exchange(other.pid_, -1)),
      heard_(std::move(other.heard_)) {}

ActorProcess::~ActorProcess() {
  if (pid_ <= 0) return;
  try {
    kill();
  } catch (const Mismatch& mismatch) {
    // Nothing may leave here, and what was expected of the actor has been checked before.
    std::cerr << "an actor was left behind: " << mismatch.what << "\n";
  }
}

void ActorProcess::watch_end() {
  end_ = os::Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (end_.get() < 0) throw Mismatch{"pidfd_open says " + std::string(std::strerror(errno))};
}

void ActorProcess::say(const std::string& line) {
  const std::string text = line + "\n";
  if (::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(text.size())) {
    throw Mismatch{"the actor is gone before \"" + line + "\""};
  }
}

std::optional<std::string> ActorProcess::hear(std::chrono::milliseconds patience) {
  const auto until = std::chrono::steady_clock::now() + patience;
  for (;;) {
    if (const auto end = heard_.find('\n'); end != std::string::npos) {
      std::string line = heard_.substr(0, end);
      heard_.erase(0, end + 1);
      return line;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    pollfd readable{socket_.get(), POLLIN, 0};
    const int found = ::poll(&readable, 1, static_cast<int>(std::max(left, 0ms).count()));
    if (found == 0) return std::nullopt;
    char bytes[4096];
    const ssize_t count = ::recv(socket_.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (count > 0) {
      heard_.append(bytes, static_cast<std::size_t>(count));
    } else if (count == 0 || (errno != EAGAIN && errno != EINTR)) {
      throw Mismatch{"the actor has ended instead of answering"};
    }
  }
}

bool ActorProcess::is_asleep_in_operation() const {
  // Until it has taken the line it may well sleep, in read(). It answers before it reads again, so
  // one that took the line, sleeps, and has not answered sleeps in the operation.
  int untaken = 0;
  if (::ioctl(socket_.get(), SIOCOUTQ, &untaken) != 0 || untaken != 0) return false;
  if (!os::test::every_thread_is(pid_, 'S')) return false;
  pollfd readable{socket_.get(), POLLIN, 0};
  return ::poll(&readable, 1, 0) == 0;
}

bool ActorProcess::is_stopped() const { return os::test::every_thread_is(pid_, 'T'); }

void ActorProcess::signal(int number) const {
  ::syscall(SYS_pidfd_send_signal, end_.get(), number, nullptr, 0);
}

int ActorProcess::wait_for_end(std::chrono::milliseconds patience) {
  pollfd ended{end_.get(), POLLIN, 0};
  while (::poll(&ended, 1, static_cast<int>(patience.count())) < 0 && errno == EINTR) continue;
  if ((ended.revents & POLLIN) == 0) throw Mismatch{"the actor does not end"};
  int status = 0;
  const pid_t reaped = ::waitpid(std::exchange(pid_, -1), &status, 0);
  if (reaped < 0) return -1;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

void ActorProcess::kill() {
  signal(SIGKILL);
  static_cast<void>(wait_for_end(60s));
}

int ActorProcess::leave(std::chrono::milliseconds patience) {
  ::shutdown(socket_.get(), SHUT_WR);
  return wait_for_end(patience);
}

}  // namespace signalbox::scenarios
