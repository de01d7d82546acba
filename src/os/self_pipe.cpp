#include "signalbox/os/self_pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "os/failure.hpp"

namespace signalbox::os {

Result<SelfPipe> SelfPipe::create() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0) return SelfPipe(Fd(ends[0]), Fd(ends[1]));
  const int refused = errno;
  return signalbox::detail::or_out_of_memory([&]() -> Result<SelfPipe> {
    return std::unexpected(failure(refused, "pipe2", "make a pipe to this process"));
  });
}

// Its reader is here, so that it is never SIGPIPE; and a full pipe is readable, which is the point.
void SelfPipe::notify(std::uint8_t note) const noexcept {
  const int kept = errno;
  retried([&] { return ::write(out_.get(), &note, 1); });
  errno = kept;
}

std::optional<std::uint8_t> SelfPipe::take() const noexcept {
  std::uint8_t note = 0;
  if (retried([&] { return ::read(in_.get(), &note, 1); }) != 1) return std::nullopt;
  return note;
}

}  // namespace signalbox::os
