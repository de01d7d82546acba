// kernel_setting.hpp: what a limit below /proc/sys stands at, for errors that name it.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <array>
#include <string>

namespace signalbox::os {

// The numbers in a file such as /proc/sys/kernel/sem, in order; -1 where it has none.
std::array<long, 4> kernel_settings(const char* path);

inline long kernel_setting(const char* path) { return kernel_settings(path).front(); }

// A limit for people: its value, or that it cannot be read.
std::string said(long limit);

}  // namespace signalbox::os
