// os/library_entry.hpp: the C library's functions for its locks, called where a wrapper is used.
//
// Its objects (sem_t, pthread_mutex_t, ...) belong to it, so that nothing of them can be done in
// line. But a wrapper that is in line calls it as often as the bare use does. Public headers do not
// include <pthread.h> and <semaphore.h>, whose names would then be in every program: here are the
// functions under names of our own, which the linker binds to theirs.
//
//   Threads  any
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

// Called through their addresses and not through the linker's trampolines, which saves a jump each.
#if defined(__has_cpp_attribute)
#if __has_cpp_attribute(gnu::noplt)
#define SBX_CALLED_BY_ADDRESS [[gnu::noplt]]
#endif
#endif
#ifndef SBX_CALLED_BY_ADDRESS
#define SBX_CALLED_BY_ADDRESS
#endif

namespace signalbox::os::library {

// Each takes the address of the C library's object. src/os/library_entry.cpp holds their types
// against its headers. Those of semaphores answer -1 and say why in errno, the others an errno.
SBX_CALLED_BY_ADDRESS int semaphore_try_wait(void*) noexcept asm("sem_trywait");
SBX_CALLED_BY_ADDRESS int semaphore_post(void*) noexcept asm("sem_post");
SBX_CALLED_BY_ADDRESS int mutex_lock(void*) noexcept asm("pthread_mutex_lock");
SBX_CALLED_BY_ADDRESS int mutex_unlock(void*) noexcept asm("pthread_mutex_unlock");
SBX_CALLED_BY_ADDRESS int condition_signal(void*) noexcept asm("pthread_cond_signal");
SBX_CALLED_BY_ADDRESS int condition_broadcast(void*) noexcept asm("pthread_cond_broadcast");
SBX_CALLED_BY_ADDRESS int rwlock_try_read_lock(void*) noexcept asm("pthread_rwlock_tryrdlock");
SBX_CALLED_BY_ADDRESS int rwlock_try_write_lock(void*) noexcept asm("pthread_rwlock_trywrlock");
SBX_CALLED_BY_ADDRESS int rwlock_unlock(void*) noexcept asm("pthread_rwlock_unlock");
SBX_CALLED_BY_ADDRESS int barrier_wait(void*) noexcept asm("pthread_barrier_wait");

}  // namespace signalbox::os::library

#undef SBX_CALLED_BY_ADDRESS
