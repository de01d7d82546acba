// wrapped_rows.hpp: what our wrappers take of the processor, beside the bare calls.
#pragma once

#include <string>
#include <vector>

#include "bench/report.hpp"

namespace bench {

// A row for each facility whose name holds `only`: instructions of an operation in user space.
// Those that this machine does not have are told on stderr and left out.
std::vector<Row> wrapped_rows(const std::string& only);

}  // namespace bench
