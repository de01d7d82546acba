// counted_rows.hpp: what needs no windows, because it is counted: instructions, system calls and
// the wake-ups of one who waits. The same whatever else the machine does.
#pragma once

#include <vector>

#include "bench/report.hpp"

namespace bench {

// What one publish of 48 bytes takes while nobody sleeps, alone and with many subscribers.
std::vector<Row> publish_rows(bool smoke);
// What a subscriber costs that waits for seconds while nothing is published.
std::vector<Row> idle_rows(double seconds);

}  // namespace bench
