// locks.hpp: the mutex, the semaphore and what names have in common, for those who lock, who wait
// under a mutex and who watch.
#pragma once

#include <optional>
#include <string>

#include "held_lock.hpp"
#include "kernel_object.hpp"
#include "signalbox/c/lock.h"
#include "signalbox/c/semaphore.h"

namespace signalbox_python {

using Mutex = KernelObject<sbx_mutex>;
using Semaphore = KernelObject<sbx_semaphore>;
using MutexGuard = HeldLock<sbx_mutex_guard, sbx_mutex_release>;

using Timeout = std::optional<double>;
using Domain = std::optional<std::string>;

inline const char* c_domain(const Domain& domain) { return domain ? c_name(*domain) : nullptr; }

}  // namespace signalbox_python
