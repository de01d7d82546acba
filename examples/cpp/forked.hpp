// A function in a process of its own, for the examples that show what happens between processes.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <span>

#include "signalbox/os/child.hpp"

// Memory that is mapped shared and descriptors are the child's as well.
template <class Work>
signalbox::os::Child start(Work work) {
  const int pid = fork();
  if (pid == 0) {
    work();
    std::fflush(stdout);
    _exit(0);
  }
  return signalbox::os::Child::watch(pid).value();
}

// Waits for all; true if each has ended by itself and well.
inline bool all_ended_well(std::span<signalbox::os::Child> children) {
  bool all_well = true;
  for (signalbox::os::Child& child : children) {
    const auto end = child.wait(signalbox::Deadline::never()).value();
    all_well = all_well && !end.by_signal && end.status == 0;
  }
  return all_well;
}
