// probe.hpp: what the kernel tests share: a scratch directory on tmpfs and children that are waited
// for.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <source_location>
#include <string>
#include <utility>

#include "os/file.hpp"

namespace signalbox::kernel {

// Says, with every failure while it lives, what the library does where the fact does not hold.
class IfNot : public ::testing::ScopedTrace {
 public:
  explicit IfNot(const char* fallback,
                 const std::source_location& where = std::source_location::current())
      : ScopedTrace(where.file_name(), static_cast<int>(where.line()),
                    std::string("if not: ") + fallback) {}
};

class ScratchDirectory {
 public:
  ScratchDirectory() {
    char path[] = "/dev/shm/signalbox-kernel-XXXXXX";
    path_ = ::mkdtemp(path);
    fd_ = os::Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  std::string file(const char* name) const { return path_ + "/" + name; }
  bool is_empty() const { return std::filesystem::is_empty(path_); }

 private:
  std::string path_;
  os::Fd fd_;
};

// A forked child that runs `work` and exits with what it answers; killed and reaped at the latest
// here.
class Child {
 public:
  template <class Work>
  explicit Child(Work work) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(work());
  }
  ~Child() {
    if (pid_ <= 0) return;
    kill();
    static_cast<void>(wait());
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  void kill() const { ::kill(pid_, SIGKILL); }
  // Waits until it has ended and leaves it a zombie.
  void wait_until_zombie() const {
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT), 0);
  }
  // Its exit status; 128 + signal if it was killed.
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }

 private:
  pid_t pid_;
};

// One byte from a child says "I am there".
class Signpost {
 public:
  Signpost() { EXPECT_EQ(::pipe2(ends_, O_CLOEXEC), 0); }
  ~Signpost() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  Signpost(const Signpost&) = delete;
  Signpost& operator=(const Signpost&) = delete;
  bool pass() const { return ::write(ends_[1], "x", 1) == 1; }
  bool wait() const {
    char byte = 0;
    return ::read(ends_[0], &byte, 1) == 1;
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace signalbox::kernel
