// test_process.hpp: for tests: a forked child whose exit status is its answer, and a byte that says
// how far somebody is.
//
//   Threads  one at a time     Crash  the child is killed and reaped at the end of its object
//   Fork     is what it is for     Limits  none
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "base/must.hpp"
#include "signalbox/error.hpp"

namespace signalbox::os::test {

// Runs `work` in a child, which exits with what it answers.
class Forked {
 public:
  template <class Work>
  explicit Forked(Work work) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(work());
  }
  ~Forked() {
    if (pid_ <= 0) return;
    kill();
    static_cast<void>(wait());
  }
  Forked(const Forked&) = delete;
  Forked& operator=(const Forked&) = delete;

  pid_t pid() const { return pid_; }
  void kill(int signal = SIGKILL) const { ::kill(pid_, signal); }
  // Its exit status; 128 + signal if it was killed.
  int wait() {
    int status = 0;
    const pid_t child = std::exchange(pid_, -1);
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
};

// One byte between processes or threads says "I have come so far".
class Milestone {
 public:
  Milestone() {
    if (::pipe2(ends_, O_CLOEXEC) != 0) ::_exit(99);
  }
  ~Milestone() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Milestone(const Milestone&) = delete;
  Milestone& operator=(const Milestone&) = delete;
  // Async-signal-safe.
  bool reach() const { return ::write(ends_[1], "x", 1) == 1; }
  bool wait() const {
    char byte = 0;
    ssize_t got = 0;
    do {
      got = ::read(ends_[0], &byte, 1);
    } while (got < 0 && errno == EINTR);
    return got == 1;
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace signalbox::os::test
