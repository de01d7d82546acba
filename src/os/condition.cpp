#include "signalbox/os/condition.hpp"

#include <pthread.h>

#include <cerrno>

#include "os/failure.hpp"
#include "os/monotonic.hpp"
#include "os/placed_object.hpp"

namespace signalbox::os {

namespace {

int init(pthread_cond_t* native) noexcept {
  pthread_condattr_t how{};
  ::pthread_condattr_init(&how);
  ::pthread_condattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  ::pthread_condattr_setclock(&how, CLOCK_MONOTONIC);
  const int refused = ::pthread_cond_init(native, &how);
  ::pthread_condattr_destroy(&how);
  return refused;
}

Error wait_error(int error_number, std::string_view call) noexcept {
  return signalbox::detail::explained(code_of(error_number), [&] {
    std::string tried = "wait for a condition";
    switch (error_number) {
      case ETIMEDOUT:
        return failure(error_number, call, std::move(tried), Errc::timed_out,
                       "The deadline passed and nobody notified; the mutex is held again.");
      case ENOTRECOVERABLE:
        return failure(error_number, call, std::move(tried), Errc::damaged,
                       "The mutex became unusable meanwhile, because a holder died and nobody put "
                       "in order what it guards; it is not held any more.");
      case EPERM:
        return failure(error_number, call, std::move(tried), Errc::permission_denied,
                       "Only the thread that locked the mutex may wait with it.");
      default:
        return failure(error_number, call, std::move(tried));
    }
  });
}

Error not_ready_error(bool held) noexcept {
  return signalbox::detail::explained(Errc::bad_argument, [&] {
    return Error{Errc::bad_argument,
                 0,
                 {},
                 std::string("cannot wait for a condition: ") +
                     (held ? "the mutex's last holder died; repair what it guards and "
                             "mark_consistent() first."
                           : "the mutex is not held; lock it first.")};
  });
}

}  // namespace

Result<Condition> Condition::create(Memory& memory) {
  auto made = place<pthread_cond_t>(memory, Placed::condition, "pthread_cond_init", init);
  if (!made) return std::unexpected(std::move(made.error()));
  return Condition(memory);
}

Result<Condition> Condition::open(Memory& memory) {
  auto found = find_placed<pthread_cond_t>(memory, Placed::condition);
  if (!found) return std::unexpected(std::move(found.error()));
  return Condition(memory);
}

Result<void> Condition::wait(RobustMutex::Held& held, Deadline deadline) {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::condition));
  if (!held || held.owner_died()) {
    return std::unexpected(not_ready_error(static_cast<bool>(held)));
  }
  auto* const native = native_in<pthread_cond_t>(*memory_);
  auto* const mutex = static_cast<pthread_mutex_t*>(held.native_);
  const bool forever = deadline.is_never();
  const timespec until = absolute(deadline);
  const int answer = forever ? ::pthread_cond_wait(native, mutex)
                             : ::pthread_cond_clockwait(native, mutex, CLOCK_MONOTONIC, &until);
  if (answer == 0) return {};
  if (answer == EOWNERDEAD) {
    held.owner_died_ = true;
    return {};
  }
  if (answer == ENOTRECOVERABLE) held.native_ = nullptr;
  return std::unexpected(
      wait_error(answer, forever ? "pthread_cond_wait" : "pthread_cond_clockwait"));
}

Result<void> Condition::empty() { return std::unexpected(object_closed_error(Placed::condition)); }

Result<void> Condition::destroy() {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::condition));
  const int refused = ::pthread_cond_destroy(native_in<pthread_cond_t>(*memory_));
  if (refused != 0) {
    return std::unexpected(placed_failure(refused, "pthread_cond_destroy", Placed::condition));
  }
  mark_empty(*std::exchange(memory_, nullptr));
  return {};
}

}  // namespace signalbox::os
