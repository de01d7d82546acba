#include "signalbox/os/reader_writer_lock.hpp"

#include <pthread.h>

#include <cerrno>

#include "os/failure.hpp"
#include "os/monotonic.hpp"
#include "os/placed_object.hpp"

namespace signalbox::os {

namespace {

int init(pthread_rwlock_t* native, ReaderWriterLockOptions options) noexcept {
  pthread_rwlockattr_t how{};
  ::pthread_rwlockattr_init(&how);
  ::pthread_rwlockattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
  if (options.prefer_writers) {
    // The one without "nonrecursive" in its name prefers nobody.
    ::pthread_rwlockattr_setkind_np(&how, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  }
  const int refused = ::pthread_rwlock_init(native, &how);
  ::pthread_rwlockattr_destroy(&how);
  return refused;
}

Error lock_error(int error_number, std::string_view call) noexcept {
  return signalbox::detail::explained(code_of(error_number), [&] {
    std::string tried = "lock a reader/writer lock";
    switch (error_number) {
      case ETIMEDOUT:
        return failure(error_number, call, std::move(tried), Errc::timed_out,
                       "The deadline passed and somebody is still in the way, or died there: this "
                       "lock cannot tell, those of signalbox/lock.hpp can.");
      case EDEADLK:
        return failure(error_number, call, std::move(tried), Errc::would_deadlock,
                       "This thread holds it to write and would wait for itself.");
      case EAGAIN:
        return failure(error_number, call, std::move(tried), Errc::limit_reached,
                       "More readers hold it than it can count.");
      default:
        return failure(error_number, call, std::move(tried));
    }
  });
}

}  // namespace

Result<ReaderWriterLock> ReaderWriterLock::create(Memory& memory, ReaderWriterLockOptions options) {
  auto made =
      place<pthread_rwlock_t>(memory, Placed::reader_writer_lock, "pthread_rwlock_init",
                              [&](pthread_rwlock_t* native) { return init(native, options); });
  if (!made) return std::unexpected(std::move(made.error()));
  return ReaderWriterLock(memory);
}

Result<ReaderWriterLock> ReaderWriterLock::open(Memory& memory) {
  auto found = find_placed<pthread_rwlock_t>(memory, Placed::reader_writer_lock);
  if (!found) return std::unexpected(std::move(found.error()));
  return ReaderWriterLock(memory);
}

Result<ReaderWriterLock::Held> ReaderWriterLock::held(int answer, void* native, const char* call) {
  if (answer == 0) return Held(native);
  if (answer == EBUSY) return Held();
  return std::unexpected(lock_error(answer, call));
}

Result<ReaderWriterLock::Held> ReaderWriterLock::lock_shared_slowly(Deadline deadline) {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::reader_writer_lock));
  auto* const native = native_in<pthread_rwlock_t>(*memory_);
  if (deadline.is_never()) {
    return held(::pthread_rwlock_rdlock(native), native, "pthread_rwlock_rdlock");
  }
  const timespec until = absolute(deadline);
  return held(::pthread_rwlock_clockrdlock(native, CLOCK_MONOTONIC, &until), native,
              "pthread_rwlock_clockrdlock");
}

Result<ReaderWriterLock::Held> ReaderWriterLock::lock_exclusive_slowly(Deadline deadline) {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::reader_writer_lock));
  auto* const native = native_in<pthread_rwlock_t>(*memory_);
  if (deadline.is_never()) {
    return held(::pthread_rwlock_wrlock(native), native, "pthread_rwlock_wrlock");
  }
  const timespec until = absolute(deadline);
  return held(::pthread_rwlock_clockwrlock(native, CLOCK_MONOTONIC, &until), native,
              "pthread_rwlock_clockwrlock");
}

Result<ReaderWriterLock::Held> ReaderWriterLock::try_lock_shared() {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::reader_writer_lock));
  auto* const native = native_in<pthread_rwlock_t>(*memory_);
  return held(::pthread_rwlock_tryrdlock(native), native, "pthread_rwlock_tryrdlock");
}

Result<ReaderWriterLock::Held> ReaderWriterLock::try_lock_exclusive() {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::reader_writer_lock));
  auto* const native = native_in<pthread_rwlock_t>(*memory_);
  return held(::pthread_rwlock_trywrlock(native), native, "pthread_rwlock_trywrlock");
}

Result<void> ReaderWriterLock::destroy() {
  if (memory_ == nullptr) return std::unexpected(object_closed_error(Placed::reader_writer_lock));
  const int refused = ::pthread_rwlock_destroy(native_in<pthread_rwlock_t>(*memory_));
  if (refused != 0) {
    return std::unexpected(
        placed_failure(refused, "pthread_rwlock_destroy", Placed::reader_writer_lock));
  }
  mark_empty(*std::exchange(memory_, nullptr));
  return {};
}

Result<void> ReaderWriterLock::Held::of_the_parent() {
  return std::unexpected(signalbox::detail::explained(Errc::wrong_process, [] {
    return Error{Errc::wrong_process,
                 0,
                 {},
                 "cannot unlock a reader/writer lock: it was locked before fork() and belongs to "
                 "the parent, who unlocks it."};
  }));
}

}  // namespace signalbox::os
