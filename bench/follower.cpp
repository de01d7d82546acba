#include "bench/follower.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

#include "bench/fork_child.hpp"
#include "bench/pair.hpp"

namespace bench {

namespace {

[[noreturn]] void become(const std::vector<std::string>& words, int cpu, int in, int out) {
  ::dup2(in, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  pin_to(cpu);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  std::perror(arguments[0]);
  ::_exit(127);
}

// Whether the program says so before it ends.
bool says_ready(int out) {
  const std::string expected = "ready\n";
  std::string said;
  for (char letter = 0; said.size() < expected.size() && ::read(out, &letter, 1) == 1;) {
    said += letter;
  }
  return said == expected;
}

}  // namespace

Follower::Follower(const std::vector<std::string>& words, int cpu) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) {
    throw std::runtime_error("cannot make a pipe to " + words.front());
  }
  pid_ = fork_child();
  if (pid_ < 0) throw std::runtime_error("cannot start " + words.front());
  if (pid_ == 0) become(words, cpu, in[0], out[1]);
  ::close(in[0]);
  ::close(out[1]);
  commands_ = in[1];
  const bool is_ready = says_ready(out[0]);
  ::close(out[0]);
  if (is_ready) return;
  ::close(commands_);
  ::waitpid(pid_, nullptr, 0);
  throw std::runtime_error(words.front() + " did not get ready; see above");
}

Follower::~Follower() {
  ::close(commands_);
  ::waitpid(pid_, nullptr, 0);
}

void Follower::follow(const std::string& name, std::uint64_t rounds) {
  const std::string command = name + " " + std::to_string(rounds) + "\n";
  const auto written = ::write(commands_, command.data(), command.size());
  if (written != static_cast<ssize_t>(command.size())) {
    throw std::runtime_error("a follower has ended; see above");
  }
}

}  // namespace bench
