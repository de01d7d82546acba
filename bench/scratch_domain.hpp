// scratch_domain.hpp: a domain of the benchmark's own, so that it never meets a real system's
// topics, and that goes with the benchmark however that ends.
#pragma once

#include <functional>
#include <string>

namespace bench {

// Runs a benchmark in a child process and answers the exit status to give. SIGNALBOX_DIR names a
// new directory for it, in $SBX_SCRATCH or else in /dev/shm, which `run` is told. An exception it
// throws is printed, and is status 1.
//
// When it has ended, by itself, by a crash, or because ^C, SIGTERM or SIGHUP came, all its
// processes have ended too and the directory is gone. Of kill -9 the directory is left, and goes
// with the next benchmark's start.
int in_scratch_domain(const std::function<int(const std::string& root)>& run);

// For the benchmark: that directory, and a name for shared memory that goes with it.
std::string scratch_directory();
std::string scratch_shm_name();

}  // namespace bench
