#include "bench/bystander.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>

#include "bench/fork_child.hpp"

namespace bench {

namespace {

[[noreturn]] void stand_by(const std::function<void(const Bystander::Stay&)>& set_up, int told) {
  try {
    set_up([told] {
      if (::write(told, "h", 1) != 1) std::_Exit(1);
      for (;;) ::pause();
    });
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
  }
  std::_Exit(1);
}

}  // namespace

Bystander::Bystander(const std::string& what, const std::function<void(const Stay&)>& set_up) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("cannot make a pipe");
  process_ = fork_child();
  if (process_ < 0) throw std::runtime_error("cannot fork " + what);
  if (process_ == 0) stand_by(set_up, ends[1]);
  ::close(ends[1]);
  char word = 0;
  const bool is_there = ::read(ends[0], &word, 1) == 1;
  ::close(ends[0]);
  if (is_there) return;
  ::waitpid(process_, nullptr, 0);
  throw std::runtime_error(what + " did not come about");
}

Bystander::~Bystander() {
  ::kill(process_, SIGKILL);
  ::waitpid(process_, nullptr, 0);
}

}  // namespace bench
