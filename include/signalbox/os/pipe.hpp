// os/pipe.hpp: bytes in order from one process to another, through a buffer of the kernel's.
//
//   Lives     until both ends are closed; what was written can be read after the writer has gone
//   Threads   any number may read and write at once; what of whose bytes comes first is then open,
//             except that write_atomic() is never mixed with others. Capacity: one at a time
//   Crash     the kernel closes the ends: readers find the end of file, writers `closed`
//   Fork      a child shares both ends until it execs, and so keeps a reader from finding the end;
//             hand one over by os/child.hpp
//   Limits    RLIMIT_NOFILE; capacity: /proc/sys/fs/pipe-max-size, for all pipes of a user
//             pipe-user-pages-soft (more pipes get 8 KiB each) and pipe-user-pages-hard
//   Pollable  yes
//   Manual    pipe(7) pipe(2) fcntl(2)
#pragma once

#include <cstddef>
#include <span>

#include "signalbox/deadline.hpp"
#include "signalbox/error.hpp"
#include "signalbox/os/fd.hpp"
#include "signalbox/os/kernel_entry.hpp"
#include "signalbox/os/on_signal.hpp"
#include "signalbox/waitable.hpp"

namespace signalbox::os {

// The most that write_atomic() takes: PIPE_BUF.
inline constexpr std::size_t pipe_atomic_bytes_max = 4096;

// The end that reads. Move-only, false when empty. All calls enter the kernel, once where they need
// not wait, and allocate nothing unless they fail.
class PipeReader {
 public:
  PipeReader() = default;
  // Takes over an end that came from elsewhere, such as standard input. It becomes non-blocking
  // and close-on-exec, the former also for whoever shares it.
  // Errors: bad_argument (no pipe, or not open for reading).
  static Result<PipeReader> adopt(Fd end);
  explicit operator bool() const noexcept { return fd_.is_open(); }

  // Reads what is there, at most room.size() bytes, and waits only for the first. 0: the end of
  // the file, all writers have closed (or the room is empty). Errors: timed_out, interrupted,
  // system.
  Result<std::size_t> read(std::span<std::byte> room, Deadline deadline,
                           OnSignal on_signal = OnSignal::go_on) {
    const long got = kernel::read_once(fd_.get(), room);
    if (got >= 0) [[likely]]
      return static_cast<std::size_t>(got);
    return read_after(got, room, deadline, on_signal);
  }
  // The same without waiting. Error besides: would_block (empty, and there are writers).
  Result<std::size_t> try_read(std::span<std::byte> room) {
    const long got = kernel::read_once(fd_.get(), room);
    if (got >= 0) [[likely]]
      return static_cast<std::size_t>(got);
    return try_read_after(got, room);
  }
  // Reads until `rest` is empty or the file ends. Afterwards, also after an error, `rest` is the
  // part that is not filled. Errors as read().
  Result<void> read_all(std::span<std::byte>& rest, Deadline deadline,
                        OnSignal on_signal = OnSignal::go_on);

  // How many bytes lie in it.
  Result<std::size_t> readable_bytes() const;
  // How many fit into it; less where small writes leave pages half filled.
  Result<std::size_t> capacity() const;
  // Makes it this large or somewhat larger, and answers how large. Errors: limit_reached (more
  // than an ordinary user may have), would_block (more bytes than that lie in it), bad_argument.
  Result<std::size_t> set_capacity(std::size_t bytes);

  // Ready while read() would not wait; hung up at the end of the file.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  // Gives it away, for os/child.hpp and os/zero_copy.hpp.
  Fd release() noexcept { return std::move(fd_); }
  const Fd& fd() const noexcept { return fd_; }
  void close() noexcept { fd_.reset(); }

 private:
  friend struct Pipe;
  friend class Fifo;
  explicit PipeReader(Fd fd) noexcept : fd_(std::move(fd)) {}
  // What is left to do after a read that was refused with this negated errno.
  [[gnu::cold]] Result<std::size_t> read_after(long refused, std::span<std::byte> room,
                                               Deadline deadline, OnSignal on_signal);
  [[gnu::cold]] Result<std::size_t> try_read_after(long refused, std::span<std::byte> room);
  Fd fd_;
};

// The end that writes. No call ever raises SIGPIPE, whatever the application does with it: where
// all readers have closed, the error is `closed` (EPIPE). Linux 6.18 has a flag for that; before,
// a write blocks SIGPIPE in its thread meanwhile, with five system calls more. There, hold a
// SigpipeBlock and write by yourself where that matters.
class PipeWriter {
 public:
  PipeWriter() = default;
  // As PipeReader::adopt(), for an end that writes, such as standard output.
  static Result<PipeWriter> adopt(Fd end);
  explicit operator bool() const noexcept { return fd_.is_open(); }

  // Writes as much as fits, at least one byte, and answers how much that was; waits only while
  // nothing fits. Errors: closed, timed_out, interrupted, system.
  Result<std::size_t> write(std::span<const std::byte> bytes, Deadline deadline,
                            OnSignal on_signal = OnSignal::go_on) {
    if (kernel::is_write_flag_unknown.load()) [[unlikely]]
      return write_unflagged(bytes, deadline, on_signal);
    const long put = kernel::write_without_signal(fd_.get(), bytes);
    if (put >= 0) [[likely]]
      return static_cast<std::size_t>(put);
    return write_after(put, bytes, deadline, on_signal);
  }
  // The same without waiting. Error besides: would_block (full).
  Result<std::size_t> try_write(std::span<const std::byte> bytes) {
    if (kernel::is_write_flag_unknown.load()) [[unlikely]]
      return try_write_unflagged(bytes);
    const long put = kernel::write_without_signal(fd_.get(), bytes);
    if (put >= 0) [[likely]]
      return static_cast<std::size_t>(put);
    return try_write_after(put, bytes);
  }
  // Writes until `rest` is empty. After an error `rest` is what was not written. Errors as write().
  Result<void> write_all(std::span<const std::byte>& rest, Deadline deadline,
                         OnSignal on_signal = OnSignal::go_on);
  // Writes all or nothing, and nobody else's bytes come between. Errors besides: too_large (more
  // than pipe_atomic_bytes_max: the kernel promises it for no more).
  Result<void> write_atomic(std::span<const std::byte> bytes, Deadline deadline,
                            OnSignal on_signal = OnSignal::go_on);
  Result<void> try_write_atomic(std::span<const std::byte> bytes);

  // As those of PipeReader: both ends show one buffer.
  Result<std::size_t> readable_bytes() const;
  Result<std::size_t> capacity() const;
  Result<std::size_t> set_capacity(std::size_t bytes);

  // Watch it for Events::writable: ready while a page is free, which write_atomic() needs; hung up
  // when all readers have closed.
  Waitable waitable() const noexcept { return Waitable::descriptor(fd_.get()); }
  Fd release() noexcept { return std::move(fd_); }
  const Fd& fd() const noexcept { return fd_; }
  // Readers find the end of the file once every writer has.
  void close() noexcept { fd_.reset(); }

 private:
  friend struct Pipe;
  friend class Fifo;
  explicit PipeWriter(Fd fd) noexcept : fd_(std::move(fd)) {}
  [[gnu::cold]] Result<std::size_t> write_after(long refused, std::span<const std::byte> bytes,
                                                Deadline deadline, OnSignal on_signal);
  [[gnu::cold]] Result<std::size_t> try_write_after(long refused, std::span<const std::byte> bytes);
  // On a kernel that has no flag against SIGPIPE.
  [[gnu::cold]] Result<std::size_t> write_unflagged(std::span<const std::byte> bytes,
                                                    Deadline deadline, OnSignal on_signal);
  [[gnu::cold]] Result<std::size_t> try_write_unflagged(std::span<const std::byte> bytes);
  Fd fd_;
};

struct PipeOptions {
  std::size_t capacity = 0;  // at least so many bytes; 0: what the kernel gives, usually 64 KiB
};

struct Pipe {
  PipeReader reader;
  PipeWriter writer;
  // Both ends are non-blocking and close-on-exec.
  // Errors: limit_reached (descriptors, capacity), bad_argument (capacity), system.
  static Result<Pipe> create(const PipeOptions& options = {});
};

// One side of two pipes that lead both ways, as a parent and its child use them.
struct DuplexPipe {
  PipeReader reader;
  PipeWriter writer;
  struct Sides;
  // Errors as Pipe::create().
  static Result<Sides> create(const PipeOptions& options = {});
};
struct DuplexPipe::Sides {
  DuplexPipe ours;
  DuplexPipe theirs;
};

}  // namespace signalbox::os
