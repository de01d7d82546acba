// lock_handle.hpp: what an sbx_mutex is, for those who lock it and who watch it.
//
//   Threads  any
//   Crash    as the mutex
//   Fork     as the mutex
//   Limits   none
#pragma once

#include "signalbox/c/lock.h"
#include "signalbox/lock.hpp"

struct sbx_mutex {
  signalbox::Mutex raw;
  bool any_thread;
};
