// quiet_write.hpp: write(2) to a pipe, without the signal that kills whoever has no reader left.
//
// Sockets have MSG_NOSIGNAL. Pipes have RWF_NOSIGNAL, but only since Linux 6.18; before that the
// signal is held back in this thread around the write, and taken away where the write caused it.
// That takes five system calls more, so the choice is made by asking the kernel, once a process.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>

namespace signalbox::os {

// As write(2): a count, or -1 and errno, EPIPE among them.
ssize_t write_quietly(int fd, std::span<const std::byte> bytes) noexcept;

// The two ways, for whoever holds them against each other. The first answers -1 with EOPNOTSUPP
// where the kernel does not know the flag.
ssize_t write_without_signal(int fd, std::span<const std::byte> bytes) noexcept;
ssize_t write_with_signal_held_back(int fd, std::span<const std::byte> bytes) noexcept;

}  // namespace signalbox::os
