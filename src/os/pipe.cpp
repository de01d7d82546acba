#include "signalbox/os/pipe.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <string>

#include "os/byte_stream.hpp"
#include "os/failure.hpp"
#include "os/kernel_setting.hpp"
#include "os/quiet_write.hpp"
#include "os/readiness.hpp"

namespace signalbox::os {

namespace {

static_assert(pipe_atomic_bytes_max == PIPE_BUF);

constexpr std::string_view kRead = "read from a pipe";
constexpr std::string_view kWrite = "write to a pipe";

Error foreign(std::string_view why) {
  return {Errc::bad_argument,
          0,
          {},
          "cannot take over a descriptor as the end of a pipe: " + std::string(why)};
}

// Checked here, because a wrong descriptor found by the first write is found far from its cause.
Result<Fd> adopted(Fd end, int access) {
  struct stat st{};
  if (::fstat(end.get(), &st) != 0) return std::unexpected(foreign("it is not open."));
  if (!S_ISFIFO(st.st_mode)) return std::unexpected(foreign("it is no pipe."));
  const int flags = ::fcntl(end.get(), F_GETFL);
  if ((flags & O_ACCMODE) != access && (flags & O_ACCMODE) != O_RDWR) {
    return std::unexpected(foreign(access == O_RDONLY ? "it is not open for reading."
                                                      : "it is not open for writing."));
  }
  if (::fcntl(end.get(), F_SETFL, flags | O_NONBLOCK) != 0 ||
      ::fcntl(end.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return std::unexpected(failure(errno, "fcntl", "take over the end of a pipe"));
  }
  return end;
}

Result<std::size_t> capacity_of(const Fd& end) {
  const int bytes = ::fcntl(end.get(), F_GETPIPE_SZ);
  if (bytes >= 0) return static_cast<std::size_t>(bytes);
  return std::unexpected(stream_failure(errno, "fcntl(F_GETPIPE_SZ)", "ask how large a pipe is"));
}

Error not_resized(int refused, std::size_t bytes) {
  const std::string tried = "give a pipe room for " + std::to_string(bytes) + " bytes";
  constexpr std::string_view call = "fcntl(F_SETPIPE_SZ)";
  if (refused == EPERM) {
    return failure(refused, call, tried, Errc::limit_reached,
                   "The most for a process without CAP_SYS_RESOURCE is /proc/sys/fs/pipe-max-size "
                   "(here " +
                       said(kernel_setting("/proc/sys/fs/pipe-max-size")) +
                       "), and all pipes of a user together may have "
                       "/proc/sys/fs/pipe-user-pages-soft pages (here " +
                       said(kernel_setting("/proc/sys/fs/pipe-user-pages-soft")) +
                       "): ask for less, close pipes, or raise them with sysctl.");
  }
  if (refused == EBUSY) {
    return failure(refused, call, tried, Errc::would_block,
                   "More than that lies in it: read first.");
  }
  if (refused == EINVAL) {
    return failure(refused, call, tried, Errc::bad_argument, "No pipe can be that large.");
  }
  if (refused == EBADF) return stream_failure(refused, call, tried);
  return failure(refused, call, tried);
}

Result<std::size_t> resize(const Fd& end, std::size_t bytes) {
  // The kernel takes an int here and would see another number.
  const int asked = bytes > INT_MAX ? -1 : static_cast<int>(bytes);
  const int got = asked < 0 ? -1 : ::fcntl(end.get(), F_SETPIPE_SZ, asked);
  if (got >= 0) return static_cast<std::size_t>(got);
  return std::unexpected(not_resized(asked < 0 ? EINVAL : errno, bytes));
}

Error too_large(std::size_t bytes) {
  return {Errc::too_large,
          EMSGSIZE,
          {},
          "cannot write " + std::to_string(bytes) + " bytes to a pipe in one piece: PIPE_BUF is " +
              std::to_string(pipe_atomic_bytes_max) +
              ", and of more the kernel lets others' bytes come between. Write less, or use a "
              "socket of messages (os/unix_socket.hpp)."};
}

Result<void> without_count(Result<std::size_t> written) {
  if (!written) return std::unexpected(std::move(written.error()));
  return {};
}

}  // namespace

Result<PipeReader> PipeReader::adopt(Fd end) {
  auto fd = adopted(std::move(end), O_RDONLY);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return PipeReader(std::move(*fd));
}

Result<std::size_t> PipeReader::read_after(long refused, std::span<std::byte> room,
                                           Deadline deadline, OnSignal on_signal) {
  return os::read_after(refused, fd_, room, &deadline, on_signal, kRead);
}
Result<std::size_t> PipeReader::try_read_after(long refused, std::span<std::byte> room) {
  return os::read_after(refused, fd_, room, nullptr, OnSignal::go_on, kRead);
}
Result<void> PipeReader::read_all(std::span<std::byte>& rest, Deadline deadline,
                                  OnSignal on_signal) {
  return read_rest(fd_, rest, deadline, on_signal, kRead);
}
Result<std::size_t> PipeReader::readable_bytes() const { return bytes_to_read(fd_, kRead); }
Result<std::size_t> PipeReader::capacity() const { return capacity_of(fd_); }
Result<std::size_t> PipeReader::set_capacity(std::size_t bytes) { return resize(fd_, bytes); }

Result<PipeWriter> PipeWriter::adopt(Fd end) {
  auto fd = adopted(std::move(end), O_WRONLY);
  if (!fd) return std::unexpected(std::move(fd.error()));
  return PipeWriter(std::move(*fd));
}

Result<std::size_t> PipeWriter::write_after(long refused, std::span<const std::byte> bytes,
                                            Deadline deadline, OnSignal on_signal) {
  return os::write_after(refused, fd_, bytes, write_quietly, &deadline, on_signal, kWrite);
}
Result<std::size_t> PipeWriter::try_write_after(long refused, std::span<const std::byte> bytes) {
  return os::write_after(refused, fd_, bytes, write_quietly, nullptr, OnSignal::go_on, kWrite);
}
Result<std::size_t> PipeWriter::write_unflagged(std::span<const std::byte> bytes, Deadline deadline,
                                                OnSignal on_signal) {
  return write_after(-EOPNOTSUPP, bytes, deadline, on_signal);
}
Result<std::size_t> PipeWriter::try_write_unflagged(std::span<const std::byte> bytes) {
  return try_write_after(-EOPNOTSUPP, bytes);
}
Result<void> PipeWriter::write_all(std::span<const std::byte>& rest, Deadline deadline,
                                   OnSignal on_signal) {
  return write_rest(fd_, rest, write_quietly, deadline, on_signal, kWrite);
}
// Up to PIPE_BUF the kernel takes all or nothing, also where the end is non-blocking: pipe(7).
Result<void> PipeWriter::write_atomic(std::span<const std::byte> bytes, Deadline deadline,
                                      OnSignal on_signal) {
  if (bytes.size() > pipe_atomic_bytes_max) return std::unexpected(too_large(bytes.size()));
  return without_count(write(bytes, deadline, on_signal));
}
Result<void> PipeWriter::try_write_atomic(std::span<const std::byte> bytes) {
  if (bytes.size() > pipe_atomic_bytes_max) return std::unexpected(too_large(bytes.size()));
  return without_count(try_write(bytes));
}
Result<std::size_t> PipeWriter::readable_bytes() const { return bytes_to_read(fd_, kRead); }
Result<std::size_t> PipeWriter::capacity() const { return capacity_of(fd_); }
Result<std::size_t> PipeWriter::set_capacity(std::size_t bytes) { return resize(fd_, bytes); }

Result<Pipe> Pipe::create(const PipeOptions& options) {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return std::unexpected(failure(errno, "pipe2", "make a pipe"));
  }
  Pipe made{PipeReader(Fd(ends[0])), PipeWriter(Fd(ends[1]))};
  if (options.capacity == 0) return made;
  const auto has = made.writer.capacity();
  if (has && *has >= options.capacity) return made;
  if (auto resized = made.writer.set_capacity(options.capacity); !resized) {
    return std::unexpected(std::move(resized.error()));
  }
  return made;
}

Result<DuplexPipe::Sides> DuplexPipe::create(const PipeOptions& options) {
  auto there = Pipe::create(options);
  if (!there) return std::unexpected(std::move(there.error()));
  auto back = Pipe::create(options);
  if (!back) return std::unexpected(std::move(back.error()));
  return Sides{.ours = {std::move(back->reader), std::move(there->writer)},
               .theirs = {std::move(there->reader), std::move(back->writer)}};
}

}  // namespace signalbox::os
