#include "os/posix_queue_error.hpp"

#include <mqueue.h>
#include <sys/resource.h>

#include <cerrno>
#include <climits>

#include "os/failure.hpp"
#include "os/kernel_setting.hpp"

namespace signalbox::os {

namespace {

constexpr std::string_view kNames =
    "A name is a slash and 1 to 255 bytes without another, such as \"/jobs\".";

// In what order the numbers stand in a sentence about a limit of /proc/sys/fs/mqueue.
std::string limit_text(std::string_view what, const char* path) {
  return std::string(what) + " at most " + said(kernel_setting(path)) + " (" + path + ")";
}

// The kernel says EMFILE for two limits.
std::string which_limit_of_this_user(const PosixQueueOptions& options) {
  rlimit bytes{};
  ::getrlimit(RLIMIT_MSGQUEUE, &bytes);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const std::string limit =
      bytes.rlim_cur == RLIM_INFINITY ? "no limit" : std::to_string(bytes.rlim_cur) + " bytes";
  return "Either the queues of this user would take more than RLIMIT_MSGQUEUE allows, " + limit +
         " (asked for: " + std::to_string(options.messages_max) + " messages of " +
         std::to_string(options.message_bytes_max) +
         " bytes, 0 being the usual; `ulimit -q` shows and raises it, and unlinking queues makes "
         "room), or this process has its " +
         std::to_string(files.rlim_cur) + " descriptors (RLIMIT_NOFILE, `ulimit -n`) all open.";
}

}  // namespace

Error queue_name_error(std::string_view verb, const std::string& name) noexcept {
  return signalbox::detail::explained(Errc::bad_name, [&] {
    return Error{
        Errc::bad_name,
        EINVAL,
        {},
        "cannot " + std::string(verb) + " POSIX queue \"" + name + "\": " + std::string(kNames)};
  });
}

Error queue_name_failure(int sys_errno, std::string_view call, std::string_view verb,
                         const std::string& name, const PosixQueueOptions& options) noexcept {
  return signalbox::detail::explained(code_of(sys_errno), [&] {
    std::string tried = std::string(verb) + " POSIX queue " + name;
    switch (sys_errno) {
      case ENAMETOOLONG:
        return failure(sys_errno, call, std::move(tried), Errc::bad_name, kNames);
      case EINVAL:
        return failure(sys_errno, call, std::move(tried), Errc::bad_argument,
                       "Asked for: " + std::to_string(options.messages_max) + " messages of " +
                           std::to_string(options.message_bytes_max) + " bytes. A queue has " +
                           limit_text("messages", "/proc/sys/fs/mqueue/msg_max") + " of bytes " +
                           limit_text("each", "/proc/sys/fs/mqueue/msgsize_max") +
                           "; `sysctl fs.mqueue.msg_max` raises it, CAP_SYS_RESOURCE goes beyond.");
      case EMFILE:
        return failure(sys_errno, call, std::move(tried), Errc::limit_reached,
                       which_limit_of_this_user(options));
      case ENOSPC:
        return failure(sys_errno, call, std::move(tried), Errc::no_space,
                       limit_text("The name space has queues,", "/proc/sys/fs/mqueue/queues_max") +
                           ", and all exist: unlink one, or raise it with `sysctl "
                           "fs.mqueue.queues_max`.");
      case ENOENT:
        return failure(sys_errno, call, std::move(tried), Errc::not_found,
                       "Nobody has created it in this name space, or it was unlinked.");
      case EEXIST:
        return failure(sys_errno, call, std::move(tried), Errc::already_exists,
                       "Open it instead, or unlink it first.");
      case EACCES:
      case EPERM:
        return failure(sys_errno, call, std::move(tried), Errc::permission_denied,
                       "Its owner has not given you these rights; only the owner may unlink it.");
      case ENOSYS:
        return failure(sys_errno, call, std::move(tried), Errc::not_supported,
                       "This kernel was built without CONFIG_POSIX_MQUEUE, or a sandbox forbids "
                       "it.");
      default:
        return failure(sys_errno, call, std::move(tried));
    }
  });
}

Error queue_use_failure(int sys_errno, std::string_view call, const Fd& queue, std::size_t bytes,
                        std::uint32_t priority) noexcept {
  return signalbox::detail::explained(code_of(sys_errno), [&] {
    const bool sending = call == "mq_send";
    std::string tried = sending ? "send " + std::to_string(bytes) + " bytes to a POSIX queue"
                                : std::string("receive from a POSIX queue");
    mq_attr facts{};
    switch (sys_errno) {
      case EAGAIN:
        return failure(sys_errno, call, std::move(tried), Errc::timed_out,
                       sending ? "The deadline passed and there was no room; nothing was queued."
                               : "The deadline passed and no message came.");
      case EINTR:
        return failure(sys_errno, call, std::move(tried), Errc::interrupted,
                       "A signal handler ran and the caller asked to be told; nothing changed.");
      case EMSGSIZE:
        ::mq_getattr(queue.get(), &facts);
        return failure(sys_errno, call, std::move(tried), Errc::too_large,
                       sending ? "Its messages have at most " + std::to_string(facts.mq_msgsize) +
                                     " bytes, which was decided when it was created."
                               : "The buffer has " + std::to_string(bytes) +
                                     " bytes and must have room for the longest message, " +
                                     std::to_string(facts.mq_msgsize) + ".");
      case EINVAL:
        return failure(sys_errno, call, std::move(tried), Errc::bad_argument,
                       "Its priority is " + std::to_string(priority) + "; use 0 to 32767.");
      case EBADF:
        if (!queue.is_open()) {
          return failure(sys_errno, call, std::move(tried), Errc::closed,
                         "This handle is empty: it was moved from.");
        }
        return failure(sys_errno, call, std::move(tried), Errc::permission_denied,
                       "It was opened for the other direction: see QueueAccess.");
      default:
        return failure(sys_errno, call, std::move(tried));
    }
  });
}

Error queue_notice_failure(int sys_errno) noexcept {
  return signalbox::detail::explained(code_of(sys_errno), [&] {
    const std::string_view call = "mq_notify";
    std::string tried = "ask for the notice of a POSIX queue";
    switch (sys_errno) {
      case EBUSY:
        return failure(sys_errno, call, std::move(tried), Errc::already_exists,
                       "One process at a time may, and one has asked already.");
      case EINVAL:
        return failure(sys_errno, call, std::move(tried), Errc::bad_argument,
                       "There is no signal of this number.");
      case EBADF:
        return failure(sys_errno, call, std::move(tried), Errc::closed,
                       "This handle is empty: it was moved from.");
      default:
        return failure(sys_errno, call, std::move(tried));
    }
  });
}

}  // namespace signalbox::os
