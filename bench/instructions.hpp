// instructions.hpp: how many instructions and system calls a piece of work takes, counted by
// running it step by step in a traced child. Repeatable whatever else the machine does.
#pragma once

#include <cstdint>
#include <functional>

namespace bench {

struct Steps {
  std::uint64_t instructions;  // in user space; a system call counts as one
  std::uint64_t system_calls;
};

// `prepare` runs in the child at full speed and answers the work, which then runs a few times at
// full speed (so that caches, lazy binding and branch decisions are warm) and once step by step.
// Throws where the kernel refuses to trace, and where the child ends early, which says why itself.
Steps count_steps(const std::function<std::function<void()>()>& prepare);

}  // namespace bench
