#include "signalbox/os/zero_copy.hpp"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "os/byte_stream.hpp"
#include "os/failure.hpp"
#include "os/readiness.hpp"
#include "signalbox/os/sigpipe.hpp"

namespace signalbox::os {

namespace {

static_assert((SPLICE_F_MOVE | SPLICE_F_NONBLOCK) == 3 && SEEK_CUR == 1);

constexpr unsigned kFlags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
constexpr std::size_t kMost = 0x7ffff000;  // what the kernel moves in one call

Error not_moved(int refused, std::string_view call) {
  const std::string tried = "move bytes inside the kernel";
  switch (refused) {
    case EINVAL:
    case ESPIPE:
    case EBADF:
      return failure(refused, call, tried, Errc::bad_argument,
                     "One end must be a pipe (of send_file the source a file), both open for their "
                     "direction and not with O_APPEND; of one file the ranges must not overlap.");
    case ENOSPC:
    case EDQUOT:
      return failure(refused, call, tried, Errc::no_space, "Free space where the file lies (df).");
    case EFBIG:
      return failure(refused, call, tried, Errc::too_large,
                     "The file would be larger than `ulimit -f` or its file system allows.");
    case EXDEV:
    case ENOSYS:
    case EOPNOTSUPP:
      return failure(refused, call, tried, Errc::not_supported,
                     "Not between these two files on this kernel: use send_file_all().");
    default:
      return stream_failure(refused, call, tried);
  }
}

Result<std::size_t> counted(ssize_t answer, std::string_view call) {
  if (answer >= 0) return static_cast<std::size_t>(answer);
  return std::unexpected(not_moved(errno, call));
}

// As try_until(), where either end may be the one that is not ready: each is waited for in turn,
// and one that is ready costs no time.
template <class Call>
Result<std::size_t> moved(int from, int to, Deadline deadline, OnSignal on_signal,
                          std::string_view name, Call call) {
  for (;;) {
    const ssize_t answer = retried(call);
    if (answer >= 0 || errno != EAGAIN) return counted(answer, name);
    for (const auto& [fd, events] : {std::pair(from, POLLIN), std::pair(to, POLLOUT)}) {
      if (fd < 0) continue;
      const Readiness end = wait_until_ready(fd, static_cast<short>(events), deadline, on_signal);
      if (end == Readiness::ready) continue;
      return std::unexpected(ended_wait(end, name, "move bytes inside the kernel"));
    }
  }
}

Result<std::size_t> splice_until(int from, int to, std::size_t bytes_max, Deadline deadline,
                                 OnSignal on_signal) {
  return moved(from, to, deadline, on_signal, "splice", [=] {
    return ::splice(from, nullptr, to, nullptr, std::min(bytes_max, kMost), kFlags);
  });
}

Result<std::size_t> send_once(const Fd& to, const Fd& file, std::uint64_t& offset,
                              std::size_t bytes_max, Deadline deadline, OnSignal on_signal) {
  return moved(-1, to.get(), deadline, on_signal, "sendfile", [&] {
    auto at = static_cast<off_t>(offset);
    const ssize_t sent = ::sendfile(to.get(), file.get(), &at, std::min(bytes_max, kMost));
    if (sent > 0) offset = static_cast<std::uint64_t>(at);
    return sent;
  });
}

}  // namespace

Result<std::size_t> splice_into(const PipeWriter& to, const Fd& from, std::size_t bytes_max,
                                Deadline deadline, OnSignal on_signal) {
  const SigpipeBlock held_back;
  return splice_until(from.get(), to.fd().get(), bytes_max, deadline, on_signal);
}

Result<std::size_t> kernel::splice_slowly(const PipeReader& from, const Fd& to,
                                          std::size_t bytes_max, Deadline deadline,
                                          OnSignal on_signal) {
  const SigpipeBlock held_back;
  return splice_until(from.fd().get(), to.get(), bytes_max, deadline, on_signal);
}

Result<void> splice_out_all(const PipeReader& from, const Fd& to, std::uint64_t& moved,
                            Deadline deadline, OnSignal on_signal) {
  const SigpipeBlock held_back;
  for (;;) {
    auto some = splice_until(from.fd().get(), to.get(), kMost, deadline, on_signal);
    if (!some) return std::unexpected(std::move(some.error()));
    if (*some == 0) return {};
    moved += *some;
  }
}

Result<std::size_t> tee(const PipeReader& from, const PipeWriter& to, std::size_t bytes_max,
                        Deadline deadline, OnSignal on_signal) {
  const SigpipeBlock held_back;
  const int source = from.fd().get();
  const int copy = to.fd().get();
  return moved(source, copy, deadline, on_signal, "tee",
               [=] { return ::tee(source, copy, std::min(bytes_max, kMost), SPLICE_F_NONBLOCK); });
}

Result<std::size_t> vmsplice(const PipeWriter& to, std::span<const std::byte> bytes,
                             Deadline deadline, OnSignal on_signal) {
  const SigpipeBlock held_back;
  const int pipe = to.fd().get();
  const iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  return moved(-1, pipe, deadline, on_signal, "vmsplice",
               [&] { return ::vmsplice(pipe, &part, 1, SPLICE_F_NONBLOCK); });
}

Result<std::size_t> send_file(const Fd& to, const Fd& file, std::uint64_t& offset,
                              std::size_t bytes_max, Deadline deadline, OnSignal on_signal) {
  const SigpipeBlock held_back;
  return send_once(to, file, offset, bytes_max, deadline, on_signal);
}

Result<void> send_file_all(const Fd& to, const Fd& file, std::uint64_t& offset, Deadline deadline,
                           OnSignal on_signal) {
  const SigpipeBlock held_back;
  for (;;) {
    auto some = send_once(to, file, offset, kMost, deadline, on_signal);
    if (!some) return std::unexpected(std::move(some.error()));
    if (*some == 0) return {};
  }
}

Result<std::size_t> copy_file_range(const Fd& from, std::uint64_t& from_offset, const Fd& to,
                                    std::uint64_t& to_offset, std::size_t bytes_max) {
  auto source = static_cast<off64_t>(from_offset);
  auto target = static_cast<off64_t>(to_offset);
  const ssize_t copied = retried([&] {
    return ::copy_file_range(from.get(), &source, to.get(), &target, std::min(bytes_max, kMost), 0);
  });
  if (copied > 0) {
    from_offset = static_cast<std::uint64_t>(source);
    to_offset = static_cast<std::uint64_t>(target);
  }
  return counted(copied, "copy_file_range");
}

Result<void> copy_file_all(const Fd& from, std::uint64_t& from_offset, const Fd& to,
                           std::uint64_t& to_offset) {
  for (;;) {
    auto some = copy_file_range(from, from_offset, to, to_offset, kMost);
    if (!some) return std::unexpected(std::move(some.error()));
    if (*some == 0) return {};
  }
}

Result<std::size_t> FanOut::step(Deadline deadline, OnSignal on_signal) {
  if (ahead_ == 0) {
    auto copied = tee(from_, copy_, kMost, deadline, on_signal);
    if (!copied || *copied == 0) return copied;
    ahead_ = *copied;
  }
  auto rest = splice_out(from_, rest_, ahead_, deadline, on_signal);
  if (rest) ahead_ -= *rest;
  return rest;
}

}  // namespace signalbox::os
