// lock_handle.hpp: what an sbx_mutex is, for those who lock it and who watch it.
//
//   Threads  any
//   Crash    as the mutex
//   Fork     as the mutex
//   Limits   none
#pragma once

#include <string_view>

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

}  // namespace signalbox::c
