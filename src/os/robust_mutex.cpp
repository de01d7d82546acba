#include "signalbox/os/robust_mutex.hpp"

#include <pthread.h>

#include <cerrno>

#include "os/failure.hpp"
#include "os/monotonic.hpp"
#include "os/placed_object.hpp"

namespace signalbox::os {

namespace {

pthread_mutex_t* mutex(void* native) noexcept { return static_cast<pthread_mutex_t*>(native); }

int init(pthread_mutex_t* native, RobustMutexOptions options) noexcept {
  pthread_mutexattr_t how{};
  ::pthread_mutexattr_init(&how);
  ::pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&how, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutexattr_settype(&how, PTHREAD_MUTEX_ERRORCHECK);
  if (options.priority_inheritance) ::pthread_mutexattr_setprotocol(&how, PTHREAD_PRIO_INHERIT);
  const int refused = ::pthread_mutex_init(native, &how);
  ::pthread_mutexattr_destroy(&how);
  return refused;
}

Error lock_error(int error_number, std::string_view call) noexcept {
  return signalbox::detail::explained(code_of(error_number), [&] {
    std::string tried = "lock a robust mutex";
    switch (error_number) {
      case ETIMEDOUT:
        return failure(error_number, call, std::move(tried), Errc::timed_out,
                       "The deadline passed and somebody else still holds it.");
      case EDEADLK:
        return failure(error_number, call, std::move(tried), Errc::would_deadlock,
                       "This thread holds it already and would wait for itself.");
      case ENOTRECOVERABLE:
        return failure(error_number, call, std::move(tried), Errc::damaged,
                       "Its holder died, and who locked it next unlocked it without "
                       "mark_consistent(): destroy() it, put what it guards in order, and create "
                       "it anew.");
      case EINVAL:
        return failure(error_number, call, std::move(tried), Errc::not_supported,
                       "A deadline together with priority inheritance needs Linux 5.14.");
      default:
        return failure(error_number, call, std::move(tried));
    }
  });
}

Error held_error(int error_number, std::string_view call, std::string_view tried) noexcept {
  return signalbox::detail::explained(code_of(error_number), [&] {
    if (error_number == EPERM) {
      return failure(error_number, call, std::string(tried), Errc::permission_denied,
                     "Only the thread that locked it may, and a forked child holds nothing.");
    }
    return failure(error_number, call, std::string(tried), Errc::bad_argument,
                   "It is not held, or its last holder had not died.");
  });
}

}  // namespace

Result<RobustMutex> RobustMutex::create(Memory& memory, RobustMutexOptions options) {
  auto made =
      place<pthread_mutex_t>(memory, Placed::robust_mutex, "pthread_mutex_init",
                             [&](pthread_mutex_t* native) { return init(native, options); });
  if (!made) return std::unexpected(std::move(made.error()));
  return RobustMutex(memory);
}

Result<RobustMutex> RobustMutex::open(Memory& memory) {
  auto found = find_placed<pthread_mutex_t>(memory, Placed::robust_mutex);
  if (!found) return std::unexpected(std::move(found.error()));
  return RobustMutex(memory);
}

Result<RobustMutex::Held> RobustMutex::lock_after(int answer, Deadline deadline) {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::robust_mutex));
  auto* const native = native_in<pthread_mutex_t>(*memory_);
  const bool forever = deadline.is_never();
  if (!forever) {
    const timespec until = absolute(deadline);
    answer = ::pthread_mutex_clocklock(native, CLOCK_MONOTONIC, &until);
  }
  if (answer == 0 || answer == EOWNERDEAD) return Held(native, answer == EOWNERDEAD);
  return std::unexpected(
      lock_error(answer, forever ? "pthread_mutex_lock" : "pthread_mutex_clocklock"));
}

Result<RobustMutex::Held> RobustMutex::try_lock() {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::robust_mutex));
  auto* const native = native_in<pthread_mutex_t>(*memory_);
  // Not pthread_mutex_trylock(): when it answers that a mutex is damaged, it keeps it locked (glibc
  // 2.36), and everybody else waits for ever instead of being told. A deadline that has passed asks
  // the same question. With priority inheritance trying is right, and a deadline may not be had.
  const timespec passed{};
  int answer = ::pthread_mutex_clocklock(native, CLOCK_MONOTONIC, &passed);
  if (answer == EINVAL) answer = ::pthread_mutex_trylock(native);
  if (answer == 0 || answer == EOWNERDEAD) return Held(native, answer == EOWNERDEAD);
  if (answer == EBUSY || answer == ETIMEDOUT) return Held();
  return std::unexpected(lock_error(answer, "pthread_mutex_clocklock"));
}

Result<void> RobustMutex::destroy() {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::robust_mutex));
  const int refused = ::pthread_mutex_destroy(native_in<pthread_mutex_t>(*memory_));
  if (refused != 0) {
    return std::unexpected(placed_failure(refused, "pthread_mutex_destroy", Placed::robust_mutex));
  }
  mark_empty(*std::exchange(memory_, nullptr));
  return {};
}

Result<void> RobustMutex::Held::mark_consistent() {
  const int refused = native_ == nullptr ? EINVAL : ::pthread_mutex_consistent(mutex(native_));
  if (refused != 0) {
    return std::unexpected(
        held_error(refused, "pthread_mutex_consistent", "mark a robust mutex consistent"));
  }
  owner_died_ = false;
  return {};
}

Result<void> RobustMutex::Held::not_unlocked(int refused) {
  return std::unexpected(held_error(refused, "pthread_mutex_unlock", "unlock a robust mutex"));
}

}  // namespace signalbox::os
