// lock_rows.hpp: our own mutex and semaphore beside those of the C library and the kernel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/report.hpp"

namespace bench {

// Taken alone, and handed over between two processes pinned to two CPUs; the rows whose name holds
// `only`.
std::vector<Row> lock_rows(const std::string& only, std::uint64_t windows,
                           std::uint64_t rounds_max);

// How often one wakes up, of all threads of its process, who waits for seconds in vain at each kind
// of our locks.
std::vector<Row> idle_lock_rows(double seconds);

}  // namespace bench
