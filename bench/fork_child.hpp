// fork_child.hpp: a process of a benchmark that ends with the one that made it.
//
//   Threads  the caller's is the child's only one     Crash  the child is killed with its parent
//   Fork     this is it                               Limits  as fork(2)
#pragma once

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace bench {

// fork(). A parent that dies must leave nobody behind who spins, nor if it was dead before the
// child could ask for that: whoever has no parent any more is sent no signal for its death.
inline pid_t fork_child() {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) std::_Exit(1);
  return 0;
}

}  // namespace bench
