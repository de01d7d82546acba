// semaphore_set_error.hpp: what the kernel's refusals mean for a System V semaphore set, in words.
//
// Built when something has failed only; the calls that succeed never come here.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <span>

#include "signalbox/os/semaphore_set.hpp"

namespace signalbox::os {

// "semaphore set 0x51b0" or, without a key, "a private semaphore set".
std::string set_name(SysvKey key);

// Of semget(): `count` semaphores were asked for under this key.
Error set_open_error(int sys_errno, SysvKey key, std::int64_t count) noexcept;
// Of semop() and semtimedop().
Error set_operation_error(int sys_errno, int id, std::span<const SemOp> ops) noexcept;
// Of an id that no set has.
Error no_set_error(int id) noexcept;
// Of take() or give() of fewer than one unit.
Error no_step_error(int id, std::span<const SemOp> ops) noexcept;
// Of semctl(): "cannot <tried> of semaphore set <id>"; `index` and `value` where it took them.
struct SetControl {
  int id;
  std::string_view tried;
  std::int64_t index = -1;
  std::int64_t value = 0;
};
Error set_control_error(int sys_errno, const SetControl& control) noexcept;
// The deadline passed before its creator had set its counts.
Error set_abandoned_error(int id) noexcept;

}  // namespace signalbox::os
