#include "os/wait_for.hpp"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "os/failure.hpp"

namespace signalbox::os {

Result<void> wait_for(const Fd& fd, short events, Deadline deadline, OnSignal on_signal,
                      const char* tried) {
  pollfd asked{.fd = fd.get(), .events = events, .revents = 0};
  for (;;) {
    timespec rest{};
    if (!deadline.is_never()) {
      const std::int64_t ns =
          std::max<std::int64_t>(0, deadline.monotonic_ns() - monotonic_now_ns());
      rest = {.tv_sec = static_cast<time_t>(ns / 1'000'000'000),
              .tv_nsec = static_cast<long>(ns % 1'000'000'000)};
    }
    const int answer = ::ppoll(&asked, 1, deadline.is_never() ? nullptr : &rest, nullptr);
    if (answer > 0) return {};
    const int refused = answer == 0 ? ETIMEDOUT : errno;
    if (refused == EINTR && on_signal == OnSignal::go_on) continue;
    return signalbox::detail::or_out_of_memory([&]() -> Result<void> {
      const std::string what = std::string("cannot ") + tried;
      if (answer == 0) {
        return std::unexpected(
            Error{Errc::timed_out, refused, "ppoll", what + ": the deadline passed."});
      }
      return std::unexpected(failure(refused, "ppoll", tried));
    });
  }
}

}  // namespace signalbox::os
