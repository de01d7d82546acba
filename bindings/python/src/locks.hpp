// locks.hpp: the mutex, for those who lock it and who wait under it.
#pragma once

#include "held_lock.hpp"
#include "kernel_object.hpp"
#include "signalbox/c/lock.h"

namespace signalbox_python {

using Mutex = KernelObject<sbx_mutex>;
using MutexGuard = HeldLock<sbx_mutex_guard, sbx_mutex_release>;

}  // namespace signalbox_python
