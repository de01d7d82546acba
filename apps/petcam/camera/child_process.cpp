#include "child_process.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

namespace petcam {
namespace {

// Room for most of a picture, so that the child can go on decoding while we copy.
constexpr int kPipeBytes = 1 << 20;

struct Pipe {
  Fd read_end;
  Fd write_end;
};

std::optional<Pipe> open_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

std::unexpected<std::string> system_error() {
  return std::unexpected(std::string(std::strerror(errno)));
}

// Between fork and exec: only async-signal-safe calls.
[[noreturn]] void become(char* const* argv, pid_t parent, int output, int errors, int verdict) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before that call, and then nobody would kill us.
  if (getppid() != parent) _exit(1);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);  // an ignored signal would stay ignored
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  dup2(output, STDOUT_FILENO);
  dup2(errors, STDERR_FILENO);
  execvp(argv[0], argv);
  const int reason = errno;
  [[maybe_unused]] const ssize_t told = write(verdict, &reason, sizeof(reason));
  _exit(127);
}

// Waits until the child has become the program, or says why it has not: the pipe closes on exec.
int exec_verdict(int descriptor) {
  int reason = 0;
  ssize_t count = 0;
  do {
    count = read(descriptor, &reason, sizeof(reason));
  } while (count < 0 && errno == EINTR);
  return count == sizeof(reason) ? reason : 0;
}

void reap(pid_t pid) {
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

std::expected<ChildProcess, std::string> ChildProcess::start(const std::vector<std::string>& argv) {
  auto output = open_pipe();
  auto errors = open_pipe();
  auto verdict = open_pipe();
  if (!output || !errors || !verdict) return system_error();
  fcntl(output->read_end.number(), F_SETFL, O_NONBLOCK);
  fcntl(errors->read_end.number(), F_SETFL, O_NONBLOCK);
  // May be refused to users who already have many large pipes; then more wake-ups do the same work.
  fcntl(output->read_end.number(), F_SETPIPE_SZ, kPipeBytes);

  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);

  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid < 0) return system_error();
  if (pid == 0) {
    become(words.data(), parent, output->write_end.number(), errors->write_end.number(),
           verdict->write_end.number());
  }
  verdict->write_end.close();
  if (const int reason = exec_verdict(verdict->read_end.number()); reason != 0) {
    reap(pid);
    return std::unexpected(std::string(std::strerror(reason)));
  }
  return ChildProcess(pid, std::move(output->read_end), std::move(errors->read_end));
}

ChildProcess::ChildProcess(pid_t pid, Fd output, Fd errors)
    : pid_(pid), output_(std::move(output)), errors_(std::move(errors)) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    stop();
    pid_ = std::exchange(other.pid_, 0);
    output_ = std::move(other.output_);
    errors_ = std::move(other.errors_);
  }
  return *this;
}

void ChildProcess::stop() noexcept {
  if (pid_ == 0) return;
  // Not yet reaped, so the number still is our child's, and the group's.
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  reap(std::exchange(pid_, 0));
}

}  // namespace petcam
