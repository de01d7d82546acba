// other_process.hpp: for tests: a second process that does something with the locks, step by step.
#pragma once

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <functional>

namespace signalbox {

class OtherProcess {
 public:
  // What the other process sees of this one.
  struct Here {
    int to_parent;
    int from_parent;
    // An expectation of its own that failed ends it: the parent hears 0.
    void say(char what = '.') const {
      if (::testing::Test::HasFailure()) std::_Exit(1);
      if (::write(to_parent, &what, 1) != 1) std::_Exit(2);
    }
    // Ends with its parent: a test that failed leaves nobody behind.
    void wait_for_word() const {
      char word = 0;
      if (::read(from_parent, &word, 1) != 1) std::_Exit(3);
    }
  };

  explicit OtherProcess(const std::function<void(const Here&)>& work) {
    int up[2];
    int down[2];
    if (::pipe(up) != 0 || ::pipe(down) != 0) std::abort();
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(up[0]);
      ::close(down[1]);
      work({up[1], down[0]});
      std::_Exit(::testing::Test::HasFailure() ? 1 : 0);
    }
    ::close(up[1]);
    ::close(down[0]);
    from_ = up[0];
    to_ = down[1];
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() {
    kill();
    reap();
    ::close(from_);
    ::close(to_);
  }

  // The next thing it says; 0: it has ended.
  char hear() {
    char what = 0;
    return ::read(from_, &what, 1) == 1 ? what : '\0';
  }
  void go_on() { EXPECT_EQ(::write(to_, ".", 1), 1); }
  pid_t pid() const noexcept { return pid_; }
  void signal(int number) { ::kill(pid_, number); }
  void kill() {
    is_killed_ = true;
    if (pid_ > 0) ::kill(pid_, SIGKILL);
  }
  // It must have ended well, or by kill(): an expectation of its own that failed is ours.
  void reap() {
    if (pid_ <= 0) return;
    int status = 0;
    EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
    EXPECT_TRUE(status == 0 || (is_killed_ && status == SIGKILL)) << "it ended with " << status;
    pid_ = 0;
  }
  // Waits for its death without reaping it: it stays a zombie.
  void await_death() {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }
  // Waits until a signal has stopped it.
  void await_stop() { ::waitpid(pid_, nullptr, WUNTRACED); }

 private:
  pid_t pid_;
  bool is_killed_ = false;
  int from_;
  int to_;
};

}  // namespace signalbox
