// sysv_access.hpp: whose a System V object is, in C's form.
//
//   Threads  values
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

#include "signalbox/c/semaphore_set.h"
#include "signalbox/os/sysv_key.hpp"

namespace signalbox::c {

inline sbx_sysv_access access_of(const os::SysvAccess& access) noexcept {
  return {.key = access.key,
          .owner_uid = access.owner_uid,
          .owner_gid = access.owner_gid,
          .creator_uid = access.creator_uid,
          .creator_gid = access.creator_gid,
          .mode = access.mode};
}

}  // namespace signalbox::c
