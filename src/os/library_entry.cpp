#include "signalbox/os/library_entry.hpp"

#include <pthread.h>
#include <semaphore.h>

#include <type_traits>

namespace signalbox::os::library {

namespace {

// Does the C library's function take the object's address alone and answer an int? Then it is
// called as one that takes any address.
template <class Object>
constexpr bool takes(int (*)(Object*)) noexcept {
  return std::is_class_v<Object> || std::is_union_v<Object>;
}
static_assert(takes<sem_t>(::sem_trywait) && takes<sem_t>(::sem_post));
static_assert(takes<pthread_mutex_t>(::pthread_mutex_lock) &&
              takes<pthread_mutex_t>(::pthread_mutex_unlock));
static_assert(takes<pthread_cond_t>(::pthread_cond_signal) &&
              takes<pthread_cond_t>(::pthread_cond_broadcast));
static_assert(takes<pthread_rwlock_t>(::pthread_rwlock_tryrdlock) &&
              takes<pthread_rwlock_t>(::pthread_rwlock_trywrlock) &&
              takes<pthread_rwlock_t>(::pthread_rwlock_unlock));
static_assert(takes<pthread_barrier_t>(::pthread_barrier_wait));

}  // namespace

}  // namespace signalbox::os::library
