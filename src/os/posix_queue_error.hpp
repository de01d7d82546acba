// posix_queue_error.hpp: what the kernel's refusals mean for a POSIX queue, in words. Cold.
//
//   Threads  any     Crash  nothing to lose     Fork  safe     Limits  none
#pragma once

#include <string>
#include <string_view>

#include "signalbox/os/posix_queue.hpp"

namespace signalbox::os {

// Of a name that is none (posix_name.hpp); the kernel was not asked.
Error queue_name_error(std::string_view verb, const std::string& name) noexcept;
// Of mq_open() and mq_unlink(): "cannot <verb> POSIX queue <name>".
Error queue_name_failure(int sys_errno, std::string_view call, std::string_view verb,
                         const std::string& name, const PosixQueueOptions& options) noexcept;
// Of mq_send(), mq_receive() and ppoll(), with what was sent, or the room there was.
Error queue_use_failure(int sys_errno, std::string_view call, const Fd& queue, std::size_t bytes,
                        std::uint32_t priority = 0) noexcept;
Error queue_notice_failure(int sys_errno) noexcept;

}  // namespace signalbox::os
