#include "signalbox/os/kernel_entry.hpp"

#include <mqueue.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace signalbox::os::kernel {

#if !SBX_ENTERS_BY_NAME
static_assert(static_cast<long>(KernelCall::read) == SYS_read);
static_assert(static_cast<long>(KernelCall::write) == SYS_write);
static_assert(static_cast<long>(KernelCall::sendto) == SYS_sendto);
static_assert(static_cast<long>(KernelCall::recvmsg) == SYS_recvmsg);
static_assert(static_cast<long>(KernelCall::semop) == SYS_semop);
static_assert(static_cast<long>(KernelCall::futex) == SYS_futex);
static_assert(static_cast<long>(KernelCall::mq_timedsend) == SYS_mq_timedsend);
static_assert(static_cast<long>(KernelCall::mq_timedreceive) == SYS_mq_timedreceive);
static_assert(static_cast<long>(KernelCall::pidfd_send_signal) == SYS_pidfd_send_signal);
static_assert(static_cast<long>(KernelCall::pwritev2) == SYS_pwritev2);
#endif
static_assert(send_flags == (MSG_NOSIGNAL | MSG_DONTWAIT));
static_assert((MSG_CMSG_CLOEXEC | MSG_DONTWAIT | MSG_TRUNC) == 0x40000060 && MSG_CTRUNC == 0x8);
static_assert(sizeof(MessageHeader) == sizeof(msghdr) && sizeof(MessagePart) == sizeof(iovec));
static_assert(offsetof(MessageHeader, parts) == offsetof(msghdr, msg_iov) &&
              offsetof(MessageHeader, control) == offsetof(msghdr, msg_control) &&
              offsetof(MessageHeader, flags) == offsetof(msghdr, msg_flags));
static_assert(sizeof(SetOperation) == sizeof(sembuf) &&
              offsetof(SetOperation, flags) == offsetof(sembuf, sem_flg) && SEM_UNDO == 0x1000);

long enter_by_name(KernelCall call, long first, long second, long third, long fourth,
                   long sixth) noexcept {
  const auto fd = static_cast<int>(first);
  auto* const at = reinterpret_cast<void*>(static_cast<std::uintptr_t>(second));
  const auto bytes = static_cast<std::size_t>(third);
  ssize_t answer = -1;
  switch (call) {
    case KernelCall::read:
      answer = ::read(fd, at, bytes);
      break;
    case KernelCall::write:
      answer = ::write(fd, at, bytes);
      break;
    case KernelCall::sendto:
      answer = ::send(fd, at, bytes, static_cast<int>(fourth));
      break;
    case KernelCall::recvmsg:
      answer = ::recvmsg(fd, static_cast<msghdr*>(at), static_cast<int>(third));
      break;
    case KernelCall::semop:
      answer = ::semop(static_cast<int>(first), static_cast<sembuf*>(at), bytes);
      break;
    case KernelCall::futex:
      answer = ::syscall(SYS_futex, first, second, third, fourth, nullptr, sixth);
      break;
    case KernelCall::mq_timedsend:
      answer = ::mq_send(fd, static_cast<const char*>(at), bytes, static_cast<unsigned>(fourth));
      break;
    case KernelCall::mq_timedreceive:
      answer = ::mq_receive(fd, static_cast<char*>(at), bytes,
                            reinterpret_cast<unsigned*>(static_cast<std::uintptr_t>(fourth)));
      break;
    case KernelCall::pidfd_send_signal:
      answer = ::syscall(SYS_pidfd_send_signal, first, second, nullptr, 0);
      break;
    case KernelCall::pwritev2:
      answer = ::pwritev2(fd, static_cast<const iovec*>(at), static_cast<int>(third), fourth,
                          static_cast<int>(sixth));
      break;
  }
  return answer < 0 ? -errno : answer;
}

}  // namespace signalbox::os::kernel
