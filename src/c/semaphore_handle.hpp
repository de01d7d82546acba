// semaphore_handle.hpp: what an sbx_semaphore is, for those who take units of it and who watch it.
//
//   Threads  any
//   Crash    as the semaphore
//   Fork     as the semaphore
//   Limits   none
#pragma once

#include "signalbox/c/semaphore.h"
#include "signalbox/semaphore.hpp"

struct sbx_semaphore {
  signalbox::Semaphore raw;
};
