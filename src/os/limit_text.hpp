// limit_text.hpp: says in an error which limit of the process was hit, and its value.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <string>

namespace signalbox::os {

// "RLIMIT_NOFILE is 1024 (ulimit -n)" for the number of a limit as getrlimit(2) takes it.
std::string limit_text(int resource, const char* name, const char* shell);

// Would a file of so many bytes be larger than RLIMIT_FSIZE lets this process make it? The kernel
// would end the process with SIGXFSZ, and a library may not let that happen.
bool is_over_file_limit(unsigned long long bytes) noexcept;

}  // namespace signalbox::os
