#include "signalbox/os/posix_queue.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>

#include "os/failure.hpp"
#include "os/kernel_setting.hpp"
#include "os/monotonic.hpp"
#include "os/posix_name.hpp"
#include "os/posix_queue_error.hpp"

namespace signalbox::os {

namespace {

static_assert(sizeof(mqd_t) == sizeof(int), "on Linux it is a descriptor, which an Fd closes");

int direction(QueueAccess access) noexcept {
  switch (access) {
    case QueueAccess::receive:
      return O_RDONLY;
    case QueueAccess::send:
      return O_WRONLY;
    case QueueAccess::both:
      break;
  }
  return O_RDWR;
}

// The kernel takes both numbers or none.
mq_attr attributes(const PosixQueueOptions& options) {
  mq_attr asked{};
  asked.mq_maxmsg = options.messages_max != 0 ? options.messages_max
                                              : kernel_setting("/proc/sys/fs/mqueue/msg_default");
  asked.mq_msgsize = options.message_bytes_max != 0
                         ? options.message_bytes_max
                         : kernel_setting("/proc/sys/fs/mqueue/msgsize_default");
  return asked;
}

// Sleeps until the queue is `ready` or the deadline has passed; false with errno EINTR or EAGAIN.
// A message that somebody else was quicker to take makes the caller come back.
bool sleep_until(const Fd& queue, short ready, Deadline deadline, OnSignal on_signal) noexcept {
  for (;;) {
    const timespec span = remaining(deadline);
    pollfd on{.fd = queue.get(), .events = ready, .revents = 0};
    const int count = ::ppoll(&on, 1, deadline.is_never() ? nullptr : &span, nullptr);
    if (count > 0) return true;
    if (count == 0 && deadline.passed()) {
      errno = EAGAIN;
      return false;
    }
    if (count < 0 && (errno != EINTR || on_signal == OnSignal::give_up)) return false;
  }
}

}  // namespace

Result<PosixQueue> PosixQueue::open_as(const std::string& name, int flags,
                                       const PosixQueueOptions& options) {
  const int all_flags = direction(options.access) | O_NONBLOCK | O_CLOEXEC | flags;
  const bool usual = options.messages_max == 0 && options.message_bytes_max == 0;
  mq_attr asked{};
  if ((flags & O_CREAT) != 0 && !usual) asked = attributes(options);
  PosixQueue made;
  made.fd_ = Fd(::mq_open(name.c_str(), all_flags, options.mode & 0777U, usual ? nullptr : &asked));
  if (made.fd_.is_open()) return made;
  return std::unexpected(queue_name_failure(
      errno, "mq_open", (flags & O_CREAT) != 0 ? "create" : "open", name, options));
}

Result<PosixQueue> PosixQueue::create(const std::string& name, PosixQueueOptions options) {
  if (!is_posix_name(name)) return std::unexpected(queue_name_error("create", name));
  auto made = open_as(name, O_CREAT | O_EXCL, options);
  if (!made) return made;
  // The umask took rights away.
  struct stat facts{};
  if (::fstat(made->fd_.get(), &facts) == 0 && (facts.st_mode & 0777U) != (options.mode & 0777U) &&
      ::fchmod(made->fd_.get(), options.mode & 0777U) != 0) {
    Error error = queue_name_failure(errno, "fchmod", "give the mode to", name, options);
    ::mq_unlink(name.c_str());
    return std::unexpected(std::move(error));
  }
  return made;
}

Result<PosixQueue> PosixQueue::open(const std::string& name, QueueAccess access) {
  if (!is_posix_name(name)) return std::unexpected(queue_name_error("open", name));
  return open_as(name, 0, {.access = access});
}

Result<PosixQueue> PosixQueue::open_or_create(const std::string& name, PosixQueueOptions options) {
  // Not by O_CREAT alone: it does not tell who created it, and only who did sets the mode.
  for (;;) {
    auto opened = open(name, options.access);
    if (opened || opened.error().code != Errc::not_found) return opened;
    auto made = create(name, options);
    if (made || made.error().code != Errc::already_exists) return made;
  }
}

Result<void> PosixQueue::unlink(const std::string& name) {
  if (!is_posix_name(name)) return std::unexpected(queue_name_error("unlink", name));
  if (::mq_unlink(name.c_str()) == 0) return {};
  return std::unexpected(queue_name_failure(errno, "mq_unlink", "unlink", name, {}));
}

Result<void> PosixQueue::send_after(long refused, std::span<const std::byte> message,
                                    std::uint32_t priority, Deadline deadline, OnSignal on_signal) {
  const auto* const bytes = reinterpret_cast<const char*>(message.data());
  errno = static_cast<int>(-refused);
  while (errno == EINTR || (errno == EAGAIN && sleep_until(fd_, POLLOUT, deadline, on_signal))) {
    if (::mq_send(fd_.get(), bytes, message.size(), priority) == 0) return {};
  }
  return std::unexpected(queue_use_failure(errno, "mq_send", fd_, message.size(), priority));
}

Result<bool> PosixQueue::try_send(std::span<const std::byte> message, std::uint32_t priority) {
  const auto* const bytes = reinterpret_cast<const char*>(message.data());
  if (::mq_send(fd_.get(), bytes, message.size(), priority) == 0) return true;
  if (errno == EAGAIN) return false;
  return std::unexpected(queue_use_failure(errno, "mq_send", fd_, message.size(), priority));
}

Result<PriorityMessage> PosixQueue::receive_after(long refused, std::span<std::byte> buffer,
                                                  Deadline deadline, OnSignal on_signal) {
  auto* const bytes = reinterpret_cast<char*>(buffer.data());
  errno = static_cast<int>(-refused);
  while (errno == EINTR || (errno == EAGAIN && sleep_until(fd_, POLLIN, deadline, on_signal))) {
    unsigned priority = 0;
    const ssize_t got = ::mq_receive(fd_.get(), bytes, buffer.size(), &priority);
    if (got >= 0) {
      return PriorityMessage{.bytes = static_cast<std::size_t>(got), .priority = priority};
    }
  }
  return std::unexpected(queue_use_failure(errno, "mq_receive", fd_, buffer.size()));
}

Result<std::optional<PriorityMessage>> PosixQueue::try_receive(std::span<std::byte> buffer) {
  auto* const bytes = reinterpret_cast<char*>(buffer.data());
  unsigned priority = 0;
  const ssize_t got = ::mq_receive(fd_.get(), bytes, buffer.size(), &priority);
  if (got >= 0) {
    return PriorityMessage{.bytes = static_cast<std::size_t>(got), .priority = priority};
  }
  if (errno == EAGAIN) return std::nullopt;
  return std::unexpected(queue_use_failure(errno, "mq_receive", fd_, buffer.size()));
}

Result<PosixQueueFacts> PosixQueue::facts() const {
  mq_attr kernel{};
  if (::mq_getattr(fd_.get(), &kernel) != 0) {
    return std::unexpected(queue_use_failure(errno, "mq_getattr", fd_, 0));
  }
  return PosixQueueFacts{.messages_max = kernel.mq_maxmsg,
                         .message_bytes_max = kernel.mq_msgsize,
                         .messages = kernel.mq_curmsgs};
}

Result<void> PosixQueue::notify_once(int signal, int value) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = signal;
  event.sigev_value.sival_int = value;
  // The kernel takes 0 and never sends it.
  errno = EINVAL;
  if (signal > 0 && ::mq_notify(fd_.get(), &event) == 0) return {};
  return std::unexpected(queue_notice_failure(errno));
}

Result<void> PosixQueue::forget_notice() {
  if (::mq_notify(fd_.get(), nullptr) == 0) return {};
  return std::unexpected(queue_notice_failure(errno));
}

}  // namespace signalbox::os
