// byte_stream.hpp: reading and writing bytes in order, the same for pipes and stream sockets.
//
// Every function takes a descriptor that is non-blocking, and `tried`, the rest of the sentence
// "cannot ..." of its errors.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <span>
#include <string_view>

#include "os/readiness.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/on_signal.hpp"

namespace signalbox::os {

// The error of a read or write that failed for another reason than that it would wait.
[[gnu::cold]] Error stream_failure(int refused, std::string_view call, std::string_view tried);

// Goes on after a read or write that was made once in line and refused with this negated errno.
// Without a deadline it does not wait. A read answers 0 at the end of the file.
[[gnu::cold]] Result<std::size_t> read_after(long refused, const Fd& fd, std::span<std::byte> room,
                                             const Deadline* deadline, OnSignal on_signal,
                                             std::string_view tried);
Result<void> read_rest(const Fd& fd, std::span<std::byte>& rest, Deadline deadline,
                       OnSignal on_signal, std::string_view tried);

// How many bytes could be read at once (FIONREAD).
Result<std::size_t> bytes_to_read(const Fd& fd, std::string_view tried);

// What `write_once` answers: as write(2), without a signal.
using WriteOnce = ssize_t (*)(int fd, std::span<const std::byte> bytes) noexcept;

[[gnu::cold]] Result<std::size_t> write_after(long refused, const Fd& fd,
                                              std::span<const std::byte> bytes,
                                              WriteOnce write_once, const Deadline* deadline,
                                              OnSignal on_signal, std::string_view tried);
Result<void> write_rest(const Fd& fd, std::span<const std::byte>& rest, WriteOnce write_once,
                        Deadline deadline, OnSignal on_signal, std::string_view tried);

}  // namespace signalbox::os
