#include "os/readiness.hpp"

#include <ctime>
#include <string>
#include <vector>

#include "os/monotonic.hpp"

namespace signalbox::os {

Readiness wait_until_ready(int fd, short events, Deadline deadline, OnSignal on_signal) noexcept {
  if (fd < 0) {  // which poll(2) would pass over, and sleep
    errno = EBADF;
    return Readiness::failed;
  }
  pollfd polled{.fd = fd, .events = events, .revents = 0};
  for (;;) {
    const timespec left = remaining(deadline);
    const int ready = ::ppoll(&polled, 1, deadline.is_never() ? nullptr : &left, nullptr);
    // A descriptor that is not open at all must not be tried for ever.
    if (ready > 0 && (polled.revents & POLLNVAL) == 0) return Readiness::ready;
    if (ready == 0) return Readiness::timed_out;
    if (ready > 0) errno = EBADF;
    if (errno != EINTR) return Readiness::failed;
    if (on_signal == OnSignal::give_up) return Readiness::interrupted;
  }
}

void wait_readable(std::span<Readable> entries, Deadline deadline) {
  std::vector<pollfd> polled;
  polled.reserve(entries.size());
  for (const Readable& entry : entries) polled.push_back({entry.fd, POLLIN, 0});
  for (;;) {
    const timespec left = remaining(deadline);
    const int ready =
        ::ppoll(polled.data(), polled.size(), deadline.is_never() ? nullptr : &left, nullptr);
    if (ready < 0 && errno == EINTR && !deadline.passed()) continue;
    break;
  }
  for (std::size_t i = 0; i < entries.size(); ++i) entries[i].is_ready = polled[i].revents != 0;
}

Error ended_wait(Readiness end, std::string_view call, std::string_view tried) {
  const int refused = errno;
  return detail::explained(
      end == Readiness::timed_out ? Errc::timed_out : Errc::interrupted, [&]() -> Error {
        const std::string begin = "cannot " + std::string(tried) + ": ";
        if (end == Readiness::timed_out) {
          return {Errc::timed_out, ETIMEDOUT, call,
                  begin + "the deadline passed first. Nothing was changed by this call."};
        }
        if (end == Readiness::interrupted) {
          return {Errc::interrupted, EINTR, call,
                  begin + "a signal handler ran during the wait. Call again to go on."};
        }
        return failure(refused, "ppoll", std::string(tried));
      });
}

}  // namespace signalbox::os
