// own_waits.hpp: the calls of topics, locks and wait sets that sleep, described as the facilities'
// are.
#pragma once

#include <vector>

#include "../facilities/waits.hpp"

namespace wall_clock {

// They need a domain of the test's own.
std::vector<facilities::Wait> topic_waits();
std::vector<facilities::Wait> sync_waits();

}  // namespace wall_clock
