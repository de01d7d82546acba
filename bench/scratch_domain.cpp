// The one who cleans up is not the one who may crash: the benchmark is a child, and its parent does
// nothing but wait, for its end or for a signal.
#include "bench/scratch_domain.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <stdexcept>

#include "bench/fork_child.hpp"

namespace bench {

namespace {

constexpr const char* kPrefix = "signalbox-bench.";

// Locked for as long as one of the benchmark's processes lives, so that the next one can tell a
// directory in use from one that kill -9 has left.
int lock_directory(const std::string& path, int how) {
  const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat status{};
  // One without links was removed between its making and its lock.
  if (directory >= 0 && ::flock(directory, how) == 0 && ::fstat(directory, &status) == 0 &&
      status.st_nlink != 0) {
    return directory;
  }
  if (directory >= 0) ::close(directory);
  return -1;
}

void remove_directory(const std::string& path) {
  std::error_code ignored;  // a bench that has printed its table has not failed
  std::filesystem::remove_all(path, ignored);
}

void remove_leftovers(const std::string& parent) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(parent, ignored)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    const int directory = lock_directory(entry.path(), LOCK_EX | LOCK_NB);
    if (directory < 0) continue;
    remove_directory(entry.path());
    ::close(directory);
  }
}

// Made and locked until this process and its children end; empty if that cannot be.
std::string make_directory(const std::string& parent) {
  constexpr int kTries = 10;
  for (int i = 0; i < kTries; ++i) {
    std::string path = parent + "/" + kPrefix + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) break;
    if (lock_directory(path, LOCK_EX) >= 0) return path;
  }
  std::fprintf(stderr, "bench: cannot make a directory in %s\n", parent.c_str());
  return {};
}

[[noreturn]] void be_the_benchmark(const std::function<int(const std::string&)>& run,
                                   const std::string& root, const sigset_t& signals) {
  ::sigprocmask(SIG_SETMASK, &signals, nullptr);
  try {
    std::exit(run(root));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    std::exit(1);
  }
}

// Those that end us, and SIGCHLD. What is ignored, as under nohup, stays ignored.
sigset_t awaited_signals() {
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGCHLD);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now{};
    ::sigaction(number, nullptr, &now);
    if (now.sa_handler != SIG_IGN) sigaddset(&awaited, number);
  }
  return awaited;
}

// Until the benchmark has ended, by itself or because a signal told us to end it.
int status_of(pid_t benchmark, const sigset_t& awaited) {
  constexpr int kOfASignal = 128;  // what a shell adds
  for (int status = 0;;) {
    int number = 0;
    ::sigwait(&awaited, &number);
    if (number != SIGCHLD) {
      ::kill(benchmark, SIGKILL);
      ::waitpid(benchmark, nullptr, 0);
      return kOfASignal + number;
    }
    if (::waitpid(benchmark, &status, WNOHANG) != benchmark) continue;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    std::fprintf(stderr, "bench: ended by signal %d\n", WTERMSIG(status));
    return kOfASignal + WTERMSIG(status);
  }
}

// All of them are told to end when who started them does; then they come to us, a subreaper. Until
// the last is gone one may still be making a file.
void await_orphans() {
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

}  // namespace

std::string scratch_directory() {
  const char* const root = std::getenv("SIGNALBOX_DIR");
  if (root == nullptr) throw std::runtime_error("SIGNALBOX_DIR is not set");
  return root;
}

std::string scratch_shm_name() {
  return "/" + std::filesystem::path(scratch_directory()).filename().string() + ".shm";
}

int in_scratch_domain(const std::function<int(const std::string& root)>& run) {
  const char* const scratch = std::getenv("SBX_SCRATCH");
  const std::string parent = scratch == nullptr ? "/dev/shm" : scratch;
  remove_leftovers(parent);
  const sigset_t awaited = awaited_signals();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &awaited, &before);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const std::string root = make_directory(parent);
  if (root.empty()) return 1;
  ::setenv("SIGNALBOX_DIR", root.c_str(), 1);
  const pid_t benchmark = fork_child();
  if (benchmark == 0) be_the_benchmark(run, root, before);
  int status = 1;
  if (benchmark < 0) {
    std::perror("bench: cannot fork");
  } else {
    status = status_of(benchmark, awaited);
    await_orphans();
  }
  ::shm_unlink(scratch_shm_name().c_str());
  remove_directory(root);
  return status;
}

}  // namespace bench
