#include "os/semaphore_set_error.hpp"

#include <sys/sem.h>

#include <cerrno>
#include <cstdio>

#include "os/failure.hpp"
#include "os/kernel_setting.hpp"

namespace signalbox::os {

namespace {

constexpr const char* kSemSetting = "/proc/sys/kernel/sem";

// How many semaphores a set has, and how many are counted for it; -1: it is gone or not ours.
long size_of_set(int id) noexcept {
  semid_ds facts{};
  return ::semctl(id, 0, IPC_STAT, &facts) == 0 ? static_cast<long>(facts.sem_nsems) : -1;
}

// Sets or semaphores may be what is used up; the kernel says the same for both.
std::string what_is_used_up(std::int64_t count) {
  const auto limits = semaphore_limits();
  if (!limits) return "Sets or semaphores are used up: see `ipcs -ls`.";
  if (limits->sets >= limits->sets_max) {
    return "The limit SEMMNI (the fourth number of /proc/sys/kernel/sem) allows " +
           std::to_string(limits->sets_max) +
           " sets and all exist: `ipcs -s` lists them, `ipcrm` "
           "removes one, `sysctl kernel.sem` raises the limit.";
  }
  return "The limit SEMMNS (the second number of /proc/sys/kernel/sem) allows " +
         std::to_string(limits->semaphores_max) + " semaphores, " +
         std::to_string(limits->semaphores) + " exist and " + std::to_string(count) +
         " were asked for: `ipcs -s` lists them, `sysctl kernel.sem` raises the limit.";
}

std::string why_not_that_many(SysvKey key, std::int64_t count) {
  const int id = key.is_private() ? -1 : ::semget(key.value(), 0, 0);
  const long found = id < 0 ? -1 : size_of_set(id);
  if (found >= 0 && count > found) {
    return "The set has " + std::to_string(found) + " semaphores and " + std::to_string(count) +
           " were asked for: agree on their number, or remove() it.";
  }
  return std::to_string(count) + " semaphores were asked for; a set has 1 to " +
         said(kernel_settings(kSemSetting)[0]) +
         " (SEMMSL, the first number of /proc/sys/kernel/sem).";
}

Error gone(int id, int sys_errno, std::string_view call, std::string tried) {
  if (id < 0) {
    return failure(sys_errno, call, std::move(tried), Errc::closed,
                   "This handle is empty: it was moved from.");
  }
  return failure(sys_errno, call, std::move(tried), Errc::removed,
                 "The set is gone: somebody removed it. Open or create it again.");
}

constexpr std::string_view kCountRange =
    "A count stays within 0 and 32767 (SEMVMX), and what one process has to undo on it within "
    "-32768 and 32767 (SEMAEM); give less, or take first.";

// The first operation whose index the set does not have.
std::string which_index(int id, std::span<const SemOp> ops) {
  const long size = size_of_set(id);
  for (const SemOp& op : ops) {
    if (size >= 0 && op.index >= size) {
      return "Semaphore " + std::to_string(op.index) + " was asked for; the set has " +
             std::to_string(size) + ", numbered from 0.";
    }
  }
  return "An index is past the set's last semaphore: they are numbered from 0.";
}

std::string tried_operations(int id, std::span<const SemOp> ops) {
  return "apply " + std::to_string(ops.size()) + " operations to semaphore set " +
         std::to_string(id);
}

Error operation_failure(int sys_errno, int id, std::span<const SemOp> ops) {
  std::string tried = tried_operations(id, ops);
  const std::string_view call = "semtimedop";
  switch (sys_errno) {
    case EAGAIN:
      return failure(sys_errno, call, std::move(tried), Errc::timed_out,
                     "The deadline passed before all of them were possible; nothing changed.");
    case EIDRM:
      return gone(id, sys_errno, call, std::move(tried));
    case EINVAL:
      if (!ops.empty()) return gone(id, sys_errno, call, std::move(tried));
      return failure(sys_errno, call, std::move(tried), Errc::bad_argument, "Give at least one.");
    case E2BIG:
      return failure(sys_errno, call, std::move(tried), Errc::too_large,
                     "One call takes " + said(kernel_settings(kSemSetting)[2]) +
                         " (SEMOPM, the third number of /proc/sys/kernel/sem; `sysctl kernel.sem` "
                         "raises it).");
    case EFBIG:
      return failure(sys_errno, call, std::move(tried), Errc::out_of_range, which_index(id, ops));
    case ERANGE:
      return failure(sys_errno, call, std::move(tried), Errc::out_of_range, kCountRange);
    case ENOSPC:
      return failure(sys_errno, call, std::move(tried), Errc::no_space,
                     "The kernel's records of what is to be undone are used up (SEMUME, SEMMNU): "
                     "use undo_on_exit() for fewer sets.");
    case EACCES:
      return failure(sys_errno, call, std::move(tried), Errc::permission_denied,
                     "To wait for zero needs the right to read the set, all else that to write: "
                     "see `ipcs -s -i ID`.");
    case EINTR:
      return failure(sys_errno, call, std::move(tried), Errc::interrupted,
                     "A signal handler ran and the caller asked to be told; nothing changed.");
    default:
      return failure(sys_errno, call, std::move(tried));
  }
}

}  // namespace

std::string set_name(SysvKey key) {
  if (key.is_private()) return "a private semaphore set";
  std::array<char, 16> digits{};
  std::snprintf(digits.data(), digits.size(), "0x%x", static_cast<unsigned>(key.value()));
  return "semaphore set " + std::string(digits.data());
}

Error set_open_error(int sys_errno, SysvKey key, std::int64_t count) noexcept {
  return detail::explained(code_of(sys_errno), [&] {
    std::string tried = "open " + set_name(key);
    const std::string_view call = "semget";
    switch (sys_errno) {
      case ENOSPC:
        return failure(sys_errno, call, std::move(tried), Errc::no_space, what_is_used_up(count));
      case EINVAL:
        return failure(sys_errno, call, std::move(tried), Errc::bad_argument,
                       why_not_that_many(key, count));
      case ENOENT:
        return failure(sys_errno, call, std::move(tried), Errc::not_found,
                       "Nobody has created it in this interprocess name space, or it was removed.");
      case EEXIST:
        return failure(sys_errno, call, std::move(tried), Errc::already_exists,
                       "Open it instead, or remove() it first; `ipcs -s` lists the sets.");
      case EACCES:
        return failure(sys_errno, call, std::move(tried), Errc::permission_denied,
                       "Its owner has not given you these rights: see `ipcs -s`.");
      default:
        return failure(sys_errno, call, std::move(tried));
    }
  });
}

Error set_operation_error(int sys_errno, int id, std::span<const SemOp> ops) noexcept {
  return detail::explained(code_of(sys_errno),
                           [&] { return operation_failure(sys_errno, id, ops); });
}

Error no_set_error(int id) noexcept {
  return detail::explained(Errc::not_found, [&] {
    return Error{Errc::not_found,
                 0,
                 {},
                 "cannot attach to semaphore set " + std::to_string(id) + ": an id is 0 or more."};
  });
}

Error no_step_error(int id, std::span<const SemOp> ops) noexcept {
  return detail::explained(Errc::bad_argument, [&] {
    return Error{Errc::bad_argument,
                 0,
                 {},
                 "cannot " + tried_operations(id, ops) +
                     ": one takes or gives fewer than one unit. take() and give() have counts from "
                     "1 to 32767; until_zero() waits for zero."};
  });
}

Error set_control_error(int sys_errno, const SetControl& control) noexcept {
  return detail::explained(code_of(sys_errno), [&] {
    std::string tried =
        std::string(control.tried) + " of semaphore set " + std::to_string(control.id);
    const std::string_view call = "semctl";
    switch (sys_errno) {
      case EIDRM:
        return gone(control.id, sys_errno, call, std::move(tried));
      case EINVAL: {
        const long size = size_of_set(control.id);
        if (size < 0) return gone(control.id, sys_errno, call, std::move(tried));
        if (control.index < size) break;
        return failure(sys_errno, call, std::move(tried), Errc::out_of_range,
                       "Semaphore " + std::to_string(control.index) +
                           " was asked for; the set has " + std::to_string(size) +
                           ", numbered from 0.");
      }
      case ERANGE:
        return failure(sys_errno, call, std::move(tried), Errc::out_of_range, kCountRange);
      case EACCES:
      case EPERM:
        return failure(sys_errno, call, std::move(tried), Errc::permission_denied,
                       "Looking needs the right to read the set, setting counts that to write; its "
                       "access changes and it is removed by its owner and creator only.");
      default:
        break;
    }
    return failure(sys_errno, call, std::move(tried));
  });
}

Error set_abandoned_error(int id) noexcept {
  return detail::explained(Errc::abandoned, [&] {
    return Error{Errc::abandoned,
                 0,
                 {},
                 "cannot open semaphore set " + std::to_string(id) +
                     ": the deadline passed and nobody has used it yet, so its counts may not be "
                     "set. Its creator died midway, or does not use it: take it with "
                     "open_as_is(), or remove it with `ipcrm -s " +
                     std::to_string(id) + "`."};
  });
}

}  // namespace signalbox::os
