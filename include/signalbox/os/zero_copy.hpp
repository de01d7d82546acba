// os/zero_copy.hpp: moves bytes between pipes, files and sockets inside the kernel, without copying
// them through this process.
//
// All take descriptors as fd() of this library's handles gives them: non-blocking. A count that is
// smaller than what was asked is usual; 0 is the end of the source.
//
//   Lives     calls; FanOut as long as you keep it
//   Threads   any; one descriptor by one thread at a time, or pieces change places
//   Crash     what was moved is where it was moved to
//   Fork      safe
//   Limits    one end of splice, tee and vmsplice is a pipe, and its capacity the most at once
//   Pollable  no: watch the descriptors
//   Manual    splice(2) tee(2) vmsplice(2) sendfile(2) copy_file_range(2)
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/os/pipe.hpp"

namespace signalbox::os {

namespace kernel {
// Neither a pipe nor a socket has one, and nothing else raises SIGPIPE in who writes to it.
inline bool has_position(int fd) noexcept {
  constexpr int from_here = 1;  // SEEK_CUR
  return enter(KernelCall::lseek, fd, 0, from_here) >= 0;
}
inline long splice_once(const Fd& from, const Fd& to, std::size_t bytes_max) noexcept {
  constexpr std::size_t most = 0x7ffff000;  // what the kernel moves in one call
  constexpr long flags = 3;                 // SPLICE_F_MOVE | SPLICE_F_NONBLOCK
  return enter(KernelCall::splice, from.get(), 0, to.get(), 0,
               static_cast<long>(std::min(bytes_max, most)), flags);
}
// With SIGPIPE held back, and from the beginning: a splice that was refused has moved nothing, and
// is refused again for the same reason.
[[gnu::cold]] Result<std::size_t> splice_slowly(const PipeReader& from, const Fd& to,
                                                std::size_t bytes_max, Deadline deadline,
                                                OnSignal on_signal);
}  // namespace kernel

// Waits until at least one byte could be moved, or the source ended. SIGPIPE is never raised: these
// calls have no flag for that, so each holds it back in its thread, with four system calls more;
// the ..._all() loops do so once. splice_out() first asks whether its target has a position: files
// and many devices have one and raise nothing, and then this question is its only call more.
// Errors of all: closed (nobody reads at the other end), timed_out, interrupted, bad_argument (no
// pipe where one is needed, not open, or opened with O_APPEND), no_space, system.

// From a socket, a file or another pipe into a pipe; of a file from where it stands.
Result<std::size_t> splice_into(const PipeWriter& to, const Fd& from, std::size_t bytes_max,
                                Deadline deadline, OnSignal on_signal = OnSignal::go_on);
// From a pipe to a socket, a file or another pipe.
inline Result<std::size_t> splice_out(const PipeReader& from, const Fd& to, std::size_t bytes_max,
                                      Deadline deadline, OnSignal on_signal = OnSignal::go_on) {
  if (kernel::has_position(to.get())) {
    const long moved = kernel::splice_once(from.fd(), to, bytes_max);
    if (moved >= 0) [[likely]]
      return static_cast<std::size_t>(moved);
  }
  return kernel::splice_slowly(from, to, bytes_max, deadline, on_signal);
}
// Everything up to the end of the pipe; `moved` grows with each piece, also if an error ends it.
Result<void> splice_out_all(const PipeReader& from, const Fd& to, std::uint64_t& moved,
                            Deadline deadline, OnSignal on_signal = OnSignal::go_on);

// Puts the first bytes of a pipe into another one as well; they stay where they are. It always
// begins at the front: called again before those were read, it copies them again. See FanOut.
Result<std::size_t> tee(const PipeReader& from, const PipeWriter& to, std::size_t bytes_max,
                        Deadline deadline, OnSignal on_signal = OnSignal::go_on);

// Puts pages of our memory into a pipe. They are not copied: until they were read, whoever reads
// sees what is written there later, so leave them alone, and do not free them.
Result<std::size_t> vmsplice(const PipeWriter& to, std::span<const std::byte> bytes,
                             Deadline deadline, OnSignal on_signal = OnSignal::go_on);

// From a file, beginning at `offset`, which moves on, to a socket, pipe or file. The file's own
// position does not change.
Result<std::size_t> send_file(const Fd& to, const Fd& file, std::uint64_t& offset,
                              std::size_t bytes_max, Deadline deadline,
                              OnSignal on_signal = OnSignal::go_on);
// Up to the end of the file. After an error `offset` says how far it came: call again to go on.
Result<void> send_file_all(const Fd& to, const Fd& file, std::uint64_t& offset, Deadline deadline,
                           OnSignal on_signal = OnSignal::go_on);

// From file to file, sharing the blocks where the file system can. Both offsets move on. It never
// waits for readiness. Errors besides: not_supported (between these file systems; use
// send_file_all()), too_large (RLIMIT_FSIZE, or the file system's).
Result<std::size_t> copy_file_range(const Fd& from, std::uint64_t& from_offset, const Fd& to,
                                    std::uint64_t& to_offset, std::size_t bytes_max);
Result<void> copy_file_all(const Fd& from, std::uint64_t& from_offset, const Fd& to,
                           std::uint64_t& to_offset);

// Gives every byte of a pipe to two: as tee(1) does. For more, `rest` is a pipe of yours with the
// next FanOut behind it. All three must outlive it.
class FanOut {
 public:
  FanOut(const PipeReader& from, const PipeWriter& copy, const Fd& rest) noexcept
      : from_(from), copy_(copy), rest_(rest) {}
  // Moves some bytes and answers how many `rest` has got; 0: the end. After an error call again:
  // it knows how far `copy` is ahead, and nobody gets a byte twice.
  Result<std::size_t> step(Deadline deadline, OnSignal on_signal = OnSignal::go_on);

 private:
  const PipeReader& from_;
  const PipeWriter& copy_;
  const Fd& rest_;
  std::size_t ahead_ = 0;  // bytes at the front of from_ that copy_ has already
};

}  // namespace signalbox::os
