// sysv_queue_error.hpp: what the kernel's refusals mean for a System V queue, in words. Cold.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <string_view>

#include "signalbox/os/sysv_queue.hpp"

namespace signalbox::os {

// Of msgget().
Error queue_open_error(int sys_errno, SysvKey key) noexcept;
Error private_queue_error() noexcept;
// Of an id that no queue has.
Error no_queue_error(int id) noexcept;
// Of msgsnd(), with what was to be sent.
Error queue_send_error(int sys_errno, int id, long type, std::size_t bytes) noexcept;
// Of msgrcv(), with the room there was.
Error queue_receive_error(int sys_errno, int id, std::size_t room) noexcept;
Error queue_filter_error(long type) noexcept;
// Of msgctl(): "cannot <tried> of message queue <id>".
Error queue_control_error(int sys_errno, int id, std::string_view tried) noexcept;

}  // namespace signalbox::os
