#include "os/byte_stream.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

namespace signalbox::os {

namespace {

Result<std::size_t> counted(ssize_t answer, std::string_view call, std::string_view tried) {
  if (answer >= 0) [[likely]]
    return static_cast<std::size_t>(answer);
  if (errno == EAGAIN) return std::unexpected(not_ready(call));
  return std::unexpected(stream_failure(errno, call, tried));
}

// Whether the call that was made in line is just to be made again: a signal handler ran, or this
// kernel has not the flag that it was made with.
bool is_worth_repeating(int refused) noexcept {
  return refused == EINTR || refused == EOPNOTSUPP || refused == ENOSYS;
}

template <class Call>
Result<std::size_t> gone_on(long refused, const Fd& fd, short events, const Deadline* deadline,
                            OnSignal on_signal, std::string_view name, std::string_view tried,
                            Call call) {
  errno = static_cast<int>(-refused);
  const ssize_t answer = is_worth_repeating(errno) ? retried(call) : -1;
  if (deadline == nullptr) return counted(answer, name, tried);
  const auto got = go_on_until(answer, fd.get(), events, *deadline, on_signal, name, tried, call);
  if (!got) return std::unexpected(got.error());
  return counted(*got, name, tried);
}

Result<std::size_t> read_some(const Fd& fd, std::span<std::byte> room, Deadline deadline,
                              OnSignal on_signal, std::string_view tried) {
  const auto got = try_until(fd.get(), POLLIN, deadline, on_signal, "read", tried,
                             [&] { return ::read(fd.get(), room.data(), room.size()); });
  if (!got) return std::unexpected(got.error());
  return counted(*got, "read", tried);
}

Result<std::size_t> write_some(const Fd& fd, std::span<const std::byte> bytes, WriteOnce write_once,
                               Deadline deadline, OnSignal on_signal, std::string_view tried) {
  const auto put = try_until(fd.get(), POLLOUT, deadline, on_signal, "write", tried,
                             [&] { return write_once(fd.get(), bytes); });
  if (!put) return std::unexpected(put.error());
  return counted(*put, "write", tried);
}

}  // namespace

Error stream_failure(int refused, std::string_view call, std::string_view tried) {
  const bool is_closed = refused == EPIPE || refused == ECONNRESET;
  return detail::explained(is_closed ? Errc::closed : Errc::system, [&] {
    if (is_closed) {
      return failure(refused, call, std::string(tried), Errc::closed,
                     "Nobody is left at the other end: close this one.");
    }
    return failure(refused, call, std::string(tried));
  });
}

Result<std::size_t> read_after(long refused, const Fd& fd, std::span<std::byte> room,
                               const Deadline* deadline, OnSignal on_signal,
                               std::string_view tried) {
  const auto read = [&] { return ::read(fd.get(), room.data(), room.size()); };
  return gone_on(refused, fd, POLLIN, deadline, on_signal, "read", tried, read);
}

Result<void> read_rest(const Fd& fd, std::span<std::byte>& rest, Deadline deadline,
                       OnSignal on_signal, std::string_view tried) {
  while (!rest.empty()) {
    auto got = read_some(fd, rest, deadline, on_signal, tried);
    if (!got) return std::unexpected(std::move(got.error()));
    if (*got == 0) break;
    rest = rest.subspan(*got);
  }
  return {};
}

Result<std::size_t> bytes_to_read(const Fd& fd, std::string_view tried) {
  int bytes = 0;
  if (::ioctl(fd.get(), FIONREAD, &bytes) == 0) return static_cast<std::size_t>(bytes);
  return std::unexpected(stream_failure(errno, "ioctl(FIONREAD)", tried));
}

Result<std::size_t> write_after(long refused, const Fd& fd, std::span<const std::byte> bytes,
                                WriteOnce write_once, const Deadline* deadline, OnSignal on_signal,
                                std::string_view tried) {
  const auto write = [&] { return write_once(fd.get(), bytes); };
  return gone_on(refused, fd, POLLOUT, deadline, on_signal, "write", tried, write);
}

Result<void> write_rest(const Fd& fd, std::span<const std::byte>& rest, WriteOnce write_once,
                        Deadline deadline, OnSignal on_signal, std::string_view tried) {
  while (!rest.empty()) {
    auto put = write_some(fd, rest, write_once, deadline, on_signal, tried);
    if (!put) return std::unexpected(std::move(put.error()));
    rest = rest.subspan(*put);
  }
  return {};
}

}  // namespace signalbox::os
