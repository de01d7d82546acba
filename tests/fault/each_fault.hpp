// each_fault.hpp: plays an operation once for each of its system calls and each error of that call.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "kernel_boundary.hpp"

namespace kernel_boundary {

struct Trial {
  // Plays the operation, under the fault if there is one, and says by expectations what is wrong
  // with what came of it.
  std::function<Traced(std::optional<Fault>)> play;
  // Whether the operation that was just played answered an error.
  std::function<bool()> was_refused;
  // Not every run makes every call, for waits may end early. One fault that none of its runs
  // reached is allowed for so many that were.
  std::uint64_t reached_for_each_unreached;
};

// Expects that nothing is wrong, prints how many calls failed, and counts them for `./dev proof`.
// The long form also lets all later calls of the same number fail.
void let_each_call_fail(const Trial& trial);

}  // namespace kernel_boundary
