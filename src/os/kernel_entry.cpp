#include "signalbox/os/kernel_entry.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>

namespace signalbox::os::kernel {

#if !SBX_ENTERS_BY_NAME
static_assert(static_cast<long>(KernelCall::read) == SYS_read);
static_assert(static_cast<long>(KernelCall::write) == SYS_write);
static_assert(static_cast<long>(KernelCall::close) == SYS_close);
static_assert(static_cast<long>(KernelCall::fstat) == SYS_fstat);
static_assert(static_cast<long>(KernelCall::lseek) == SYS_lseek);
static_assert(static_cast<long>(KernelCall::mmap) == SYS_mmap);
static_assert(static_cast<long>(KernelCall::munmap) == SYS_munmap);
static_assert(static_cast<long>(KernelCall::getrlimit) == SYS_getrlimit);
static_assert(static_cast<long>(KernelCall::openat) == SYS_openat);
static_assert(static_cast<long>(KernelCall::fallocate) == SYS_fallocate);
static_assert(static_cast<long>(KernelCall::memfd_create) == SYS_memfd_create);
static_assert(static_cast<long>(KernelCall::sendto) == SYS_sendto);
static_assert(static_cast<long>(KernelCall::recvmsg) == SYS_recvmsg);
static_assert(static_cast<long>(KernelCall::kill) == SYS_kill);
static_assert(static_cast<long>(KernelCall::semop) == SYS_semop);
static_assert(static_cast<long>(KernelCall::msgsnd) == SYS_msgsnd);
static_assert(static_cast<long>(KernelCall::msgrcv) == SYS_msgrcv);
static_assert(static_cast<long>(KernelCall::fcntl) == SYS_fcntl);
static_assert(static_cast<long>(KernelCall::flock) == SYS_flock);
static_assert(static_cast<long>(KernelCall::futex) == SYS_futex);
static_assert(static_cast<long>(KernelCall::mq_timedsend) == SYS_mq_timedsend);
static_assert(static_cast<long>(KernelCall::mq_timedreceive) == SYS_mq_timedreceive);
static_assert(static_cast<long>(KernelCall::splice) == SYS_splice);
static_assert(static_cast<long>(KernelCall::timerfd_settime) == SYS_timerfd_settime);
static_assert(static_cast<long>(KernelCall::pwritev2) == SYS_pwritev2);
static_assert(static_cast<long>(KernelCall::pidfd_send_signal) == SYS_pidfd_send_signal);
static_assert(static_cast<long>(KernelCall::io_uring_enter) == SYS_io_uring_enter);
static_assert(sizeof(RecordLock) == sizeof(struct flock) &&
              offsetof(RecordLock, begin) == offsetof(struct flock, l_start) &&
              offsetof(RecordLock, bytes) == offsetof(struct flock, l_len));
static_assert(sizeof(TimerSetting) == sizeof(itimerspec) &&
              offsetof(TimerSetting, first) == offsetof(itimerspec, it_value));
static_assert(F_SETLK == set_lock && F_OFD_SETLK == set_file_lock);
#endif
static_assert(send_flags == (MSG_NOSIGNAL | MSG_DONTWAIT));
static_assert((MSG_CMSG_CLOEXEC | MSG_DONTWAIT | MSG_TRUNC) == 0x40000060 && MSG_CTRUNC == 0x8);
static_assert(sizeof(MessageHeader) == sizeof(msghdr) && sizeof(MessagePart) == sizeof(iovec));
static_assert(offsetof(MessageHeader, parts) == offsetof(msghdr, msg_iov) &&
              offsetof(MessageHeader, control) == offsetof(msghdr, msg_control) &&
              offsetof(MessageHeader, flags) == offsetof(msghdr, msg_flags));
static_assert(sizeof(SignalRecord) == sizeof(signalfd_siginfo) &&
              offsetof(SignalRecord, code) == offsetof(signalfd_siginfo, ssi_code) &&
              offsetof(SignalRecord, pid) == offsetof(signalfd_siginfo, ssi_pid) &&
              offsetof(SignalRecord, uid) == offsetof(signalfd_siginfo, ssi_uid) &&
              offsetof(SignalRecord, value) == offsetof(signalfd_siginfo, ssi_int));
static_assert(sizeof(SetOperation) == sizeof(sembuf) &&
              offsetof(SetOperation, flags) == offsetof(sembuf, sem_flg) && SEM_UNDO == 0x1000);

namespace {

template <class T>
T* pointer(long at) noexcept {
  return reinterpret_cast<T*>(static_cast<std::uintptr_t>(at));
}

timespec time_of(const TimerSetting::Time& time) noexcept {
  return {.tv_sec = static_cast<time_t>(time.seconds),
          .tv_nsec = static_cast<long>(time.nanoseconds)};
}

int set_timer(int fd, int flags, const TimerSetting& setting) noexcept {
  const itimerspec when{.it_interval = time_of(setting.period), .it_value = time_of(setting.first)};
  return ::timerfd_settime(fd, flags, &when, nullptr);
}

int change_lock(int fd, long command, const RecordLock& wanted) noexcept {
  struct flock lock{};
  lock.l_type = wanted.type;
  lock.l_whence = wanted.whence;
  lock.l_start = static_cast<off_t>(wanted.begin);
  lock.l_len = static_cast<off_t>(wanted.bytes);
  return ::fcntl(fd, command == set_lock ? F_SETLK : F_OFD_SETLK, &lock);
}

// Of files and memory. What is not here may have numbers that do not fit: os/kernel_memory.hpp.
int memory_by_name(KernelCall call, long first, long second, long third) noexcept {
  switch (call) {
    case KernelCall::close:
      return ::close(static_cast<int>(first));
    case KernelCall::openat:
      return ::openat(static_cast<int>(first), pointer<const char>(second),
                      static_cast<int>(third));
    case KernelCall::munmap:
      return ::munmap(pointer<void>(first), static_cast<std::size_t>(second));
    case KernelCall::memfd_create:
      return ::memfd_create(pointer<const char>(first), static_cast<unsigned>(second));
    default:
      errno = ENOSYS;
      return -1;
  }
}

ssize_t call_by_name(KernelCall call, long first, long second, long third, long fourth, long fifth,
                     long sixth) noexcept {
  const auto fd = static_cast<int>(first);
  auto* const at = pointer<void>(second);
  const auto bytes = static_cast<std::size_t>(third);
  switch (call) {
    case KernelCall::read:
      return ::read(fd, at, bytes);
    case KernelCall::write:
      return ::write(fd, at, bytes);
    case KernelCall::lseek:
      return ::lseek(fd, second, static_cast<int>(third)) < 0 ? -1 : 0;
    case KernelCall::sendto:
      return ::send(fd, at, bytes, static_cast<int>(fourth));
    case KernelCall::recvmsg:
      return ::recvmsg(fd, static_cast<msghdr*>(at), static_cast<int>(third));
    case KernelCall::kill:
      return ::kill(static_cast<pid_t>(first), static_cast<int>(second));
    case KernelCall::semop:
      return ::semop(fd, static_cast<sembuf*>(at), bytes);
    case KernelCall::msgsnd:
      return ::msgsnd(fd, at, bytes, static_cast<int>(fourth));
    case KernelCall::msgrcv:
      return ::msgrcv(fd, at, bytes, fourth, static_cast<int>(fifth));
    case KernelCall::fcntl:
      return change_lock(fd, second, *pointer<const RecordLock>(third));
    case KernelCall::flock:
      return ::flock(fd, static_cast<int>(second));
    case KernelCall::futex:
      return ::syscall(SYS_futex, first, second, third, fourth, nullptr, sixth);
    case KernelCall::mq_timedsend:
      return ::mq_send(fd, static_cast<const char*>(at), bytes, static_cast<unsigned>(fourth));
    case KernelCall::mq_timedreceive:
      return ::mq_receive(fd, static_cast<char*>(at), bytes, pointer<unsigned>(fourth));
    case KernelCall::splice:
      return ::splice(fd, nullptr, static_cast<int>(third), nullptr,
                      static_cast<std::size_t>(fifth), static_cast<unsigned>(sixth));
    case KernelCall::timerfd_settime:
      return set_timer(fd, static_cast<int>(second), *pointer<const TimerSetting>(third));
    case KernelCall::pidfd_send_signal:
      return ::syscall(SYS_pidfd_send_signal, first, second, nullptr, 0);
    case KernelCall::io_uring_enter:
      return ::syscall(SYS_io_uring_enter, first, second, third, fourth, nullptr, 0);
    case KernelCall::pwritev2:
      return ::pwritev2(fd, static_cast<const iovec*>(at), static_cast<int>(third), fourth,
                        static_cast<int>(sixth));
    default:
      return memory_by_name(call, first, second, third);
  }
}

}  // namespace

long enter_by_name(KernelCall call, long first, long second, long third, long fourth, long fifth,
                   long sixth) noexcept {
  const ssize_t answer = call_by_name(call, first, second, third, fourth, fifth, sixth);
  return answer < 0 ? -errno : answer;
}

}  // namespace signalbox::os::kernel
