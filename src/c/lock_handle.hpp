// lock_handle.hpp: what an sbx_mutex is, for those who lock it and who wait under it.
//
//   Threads  any
//   Crash    as the mutex
//   Fork     as the mutex
//   Limits   none
#pragma once

#include <string_view>
#include <utility>

#include "c/guards.hpp"
#include "signalbox/c/lock.h"
#include "signalbox/lock.hpp"

struct sbx_mutex {
  signalbox::Mutex raw;
  bool any_thread;
};

namespace signalbox::c {

// NULL is the empty text: that of the environment, for a domain.
inline std::string_view text_of(const char* text) noexcept {
  return text == nullptr ? std::string_view() : std::string_view(text);
}

inline void keep_mutex(Recovered<MutexGuard>&& taken, bool any_thread, sbx_mutex_guard& guard,
                       int& owner_died) noexcept {
  owner_died = taken.owner_died() ? 1 : 0;
  if (any_thread) taken.let_any_thread_release();
  put_in(guard, std::move(taken));
  guard.thread = any_thread ? 0 : this_thread();
}

}  // namespace signalbox::c
