// deadline_kept.hpp: that a wait which gets nothing ends at its deadline, whatever goes on.
#pragma once

#include <functional>

#include "waits.hpp"

namespace facilities {

// Whether what the wait did not get is still there.
bool is_unchanged(const Waiting& waiting);

// Lets it wait for what does not come, with `meanwhile` in another thread, and fails the test if it
// ends early, or more than 50 ms later than a plain sleep to the same moment: in the best of five
// attempts, so that a busy machine fails nothing. A wait that starts anew at each disturbance never
// ends while they come.
void expect_deadline_kept(const Waiting& waiting, const std::function<void()>& meanwhile = {});

}  // namespace facilities
