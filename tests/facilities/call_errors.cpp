#include "call_errors.hpp"
#include "joined.hpp"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>

namespace facilities {

namespace {

using kernel_boundary::Call;
using kernel_boundary::Errors;

template <std::size_t place, std::uint64_t... values>
bool is_one_of(const Call& call) {
  return ((call.arguments[place] == values) || ...);
}

// Old kernels have these two bits in the command as well (IPC_64).
template <std::size_t place, std::uint64_t... values>
bool is_command(const Call& call) {
  return (((call.arguments[place] & 0xffU) == values) || ...);
}

bool never(const Call&) { return false; }

bool is_shared_anonymous(const Call& call) {
  return (call.arguments[3] & (MAP_SHARED | MAP_ANONYMOUS)) == (MAP_SHARED | MAP_ANONYMOUS);
}

// Waking nobody goes wrong on no machine, and the C library does not look.
bool sleeps(const Call& call) {
  const int command = static_cast<int>(call.arguments[1]) & FUTEX_CMD_MASK;
  return command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET;
}

// Giving a lock back needs nothing that might be short, and waits for nobody.
bool takes_at_once(const Call& call) {
  return is_one_of<1, F_SETLK, F_OFD_SETLK>(call) && (call.pointed & 0xffffU) != F_UNLCK;
}
bool takes_in_time(const Call& call) {
  return is_one_of<1, F_SETLKW, F_OFD_SETLKW>(call) && (call.pointed & 0xffffU) != F_UNLCK;
}
bool takes_flock(const Call& call) { return (call.arguments[1] & LOCK_UN) == 0; }

// What is said of an open descriptor is always there; of a path it may not be.
bool is_path(const Call& call) { return (call.arguments[3] & AT_EMPTY_PATH) == 0; }

// Calls that do not wait are never interrupted: a handler runs before them or after.
std::vector<Errors> of_files() {
  return {
      {SYS_openat, "openat", {EACCES, EMFILE, ENFILE, ENOSPC}},
      {SYS_newfstatat, "newfstatat", {ENOMEM, EACCES}, is_path},
      {SYS_newfstatat, "newfstatat", {}},
      {SYS_fstat, "fstat", {}},
      {SYS_fcntl, "fcntl(F_SETLK)", {ENOLCK}, takes_at_once},
      {SYS_fcntl, "fcntl(F_SETLKW)", {ENOLCK, EINTR}, takes_in_time},
      {SYS_fcntl, "fcntl(F_GETLK)", {ENOLCK}, is_one_of<1, F_GETLK, F_OFD_GETLK>},
      {SYS_fcntl, "fcntl(F_ADD_SEALS)", {EBUSY, EPERM}, is_one_of<1, F_ADD_SEALS>},
      {SYS_fcntl, "fcntl(F_SETPIPE_SZ)", {EPERM, EBUSY, ENOMEM}, is_one_of<1, F_SETPIPE_SZ>},
      {SYS_fcntl, "fcntl(F_DUPFD)", {EMFILE}, is_one_of<1, F_DUPFD, F_DUPFD_CLOEXEC>},
      {SYS_fcntl, "fcntl", {}},
      {SYS_flock, "flock", {ENOLCK, EINTR}, takes_flock},
      {SYS_flock, "flock", {}},
      {SYS_memfd_create, "memfd_create", {EMFILE, ENFILE, ENOMEM}},
      {SYS_ftruncate, "ftruncate", {EIO, EFBIG}},
      {SYS_mmap, "mmap(shared, anonymous)", {ENOMEM}, is_shared_anonymous},
      {SYS_mremap, "mremap", {ENOMEM, EAGAIN}},
      {SYS_msync, "msync", {EIO, EBUSY}},
      {SYS_mlock, "mlock", {ENOMEM, EPERM, EAGAIN}},
      {SYS_mlock2, "mlock2", {ENOMEM, EPERM, EAGAIN}},
      {SYS_splice, "splice", {EINTR, ENOMEM}},
      {SYS_tee, "tee", {EINTR, ENOMEM}},
      {SYS_vmsplice, "vmsplice", {EINTR, ENOMEM}},
      {SYS_sendfile, "sendfile", {EINTR, EIO, ENOMEM}},
      {SYS_copy_file_range, "copy_file_range", {EINTR, EIO, ENOSPC}},
      {SYS_inotify_init1, "inotify_init1", {EMFILE, ENFILE, ENOMEM}},
      {SYS_inotify_add_watch, "inotify_add_watch", {ENOSPC, ENOMEM, EACCES}},
#if defined(__x86_64__)
      {SYS_open, "open", {EACCES, EMFILE, ENFILE, ENOSPC}},
      {SYS_mknod, "mknod", {EACCES, ENOSPC}},
      {SYS_link, "link", {EACCES, ENOSPC}},
#endif
  };
}

bool reaps_at_once(const Call& call) { return (call.arguments[3] & WNOHANG) != 0; }

std::vector<Errors> of_events() {
  return {
      {SYS_futex, "futex", {EINTR, EAGAIN}, sleeps},
      {SYS_futex, "futex", {}},
      {449 /* SYS_futex_waitv */, "futex_waitv", {EINTR, EAGAIN, ENOMEM}},
      {SYS_eventfd2, "eventfd2", {EMFILE, ENFILE, ENOMEM}},
      {SYS_signalfd4, "signalfd4", {EMFILE, ENFILE, ENOMEM}},
      {SYS_timerfd_settime, "timerfd_settime", {ENOMEM}},
      {SYS_pipe2, "pipe2", {EMFILE, ENFILE}},
      // The C library says EAGAIN for both of its reasons.
      {SYS_clone, "clone", {EAGAIN}},
      {SYS_clone3, "clone3", {EAGAIN}},
      {SYS_kill, "kill", {EPERM, ESRCH}},
      {SYS_rt_sigqueueinfo, "rt_sigqueueinfo", {EAGAIN, EPERM, ESRCH}},
      {SYS_pidfd_send_signal, "pidfd_send_signal", {EPERM, ESRCH}},
      {SYS_waitid, "waitid", {ECHILD}, reaps_at_once},
      {SYS_waitid, "waitid", {EINTR, ECHILD}},
      {SYS_io_uring_setup, "io_uring_setup", {EMFILE, ENFILE, ENOMEM, EPERM, ENOSYS}},
      {SYS_io_uring_enter, "io_uring_enter", {EAGAIN, EBUSY, EINTR, ENOMEM}},
      {SYS_io_uring_register, "io_uring_register", {EINVAL, EPERM, ENOSYS}},
      // A descriptor that does not wait is read at once, and no handler comes between.
      {SYS_read, "read", {EIO}},
      {SYS_write, "write", {}},
      {SYS_close, "close", {EINTR, EIO}},
      {SYS_membarrier, "membarrier", {}, never},
  };
}

// struct sembuf: the number, the step, the flags; 16 bits each.
std::int16_t step_of(const Call& call) {
  return static_cast<std::int16_t>((call.pointed >> 16U) & 0xffffU);
}
bool sem_waits(const Call& call) {
  return step_of(call) <= 0 && ((call.pointed >> 32U) & IPC_NOWAIT) == 0;
}
bool sem_tries(const Call& call) { return step_of(call) <= 0 && !sem_waits(call); }
template <std::size_t place>
bool message_waits(const Call& call) {
  return (call.arguments[place] & IPC_NOWAIT) == 0;
}

// Who gives back what the kernel has noted for undoing needs nothing that might be short.
std::vector<Errors> of_queues() {
  return {
      {SYS_semget, "semget", {ENOSPC, ENOMEM, EACCES}},
      {SYS_semtimedop, "semtimedop", {EINTR, ENOMEM, EIDRM, EACCES}, sem_waits},
      {SYS_semtimedop, "semtimedop", {ENOMEM, EIDRM, EACCES}, sem_tries},
      {SYS_semctl, "semctl(IPC_RMID)", {EPERM}, is_command<2, IPC_RMID>},
      {SYS_semctl, "semctl(SETALL)", {ENOMEM, EIDRM, EACCES}, is_command<2, SETALL, GETALL>},
      {SYS_semctl, "semctl(IPC_SET)", {EPERM, EIDRM}, is_command<2, IPC_SET>},
      {SYS_semctl, "semctl", {EACCES, EIDRM}},
      {SYS_msgget, "msgget", {ENOSPC, ENOMEM, EACCES}},
      {SYS_msgsnd, "msgsnd", {EINTR, ENOMEM, EIDRM, EACCES}, message_waits<3>},
      {SYS_msgsnd, "msgsnd", {ENOMEM, EIDRM, EACCES}},
      {SYS_msgrcv, "msgrcv", {EINTR, EIDRM, EACCES}, message_waits<4>},
      {SYS_msgrcv, "msgrcv", {EIDRM, EACCES}},
      {SYS_msgctl, "msgctl(IPC_RMID)", {EPERM}, is_command<1, IPC_RMID>},
      {SYS_msgctl, "msgctl(IPC_SET)", {EPERM, EIDRM}, is_command<1, IPC_SET>},
      {SYS_msgctl, "msgctl", {EACCES, EIDRM}},
      {SYS_mq_open, "mq_open", {EMFILE, ENFILE, ENOSPC, ENOMEM, EACCES}},
      {SYS_mq_unlink, "mq_unlink", {EACCES}},
      {SYS_mq_timedsend, "mq_timedsend", {EINTR, ENOMEM}},
      {SYS_mq_timedreceive, "mq_timedreceive", {EINTR}},
      {SYS_mq_notify, "mq_notify", {EBUSY, ENOMEM}},
#if defined(__x86_64__)
      {SYS_semop, "semop", {ENOMEM, EIDRM, EACCES}, sem_tries},
#endif
  };
}

std::vector<Errors> of_sockets() {
  return {
      {SYS_socket, "socket", {EMFILE, ENFILE, ENOBUFS, EACCES}},
      {SYS_socketpair, "socketpair", {EMFILE, ENFILE, ENOMEM}},
      {SYS_bind, "bind", {EACCES, ENOMEM}},
      {SYS_listen, "listen", {EADDRINUSE}},
      {SYS_connect, "connect", {ECONNREFUSED, EACCES, ENOMEM}},
      {SYS_accept4, "accept4", {EMFILE, ENFILE, ENOBUFS, ECONNABORTED, EINTR}},
      {SYS_sendmsg, "sendmsg", {EINTR, ENOBUFS, ENOMEM}},
      {SYS_sendto, "sendto", {EINTR, ENOBUFS, ENOMEM}},
      {SYS_recvmsg, "recvmsg", {EINTR, ENOMEM}},
      {SYS_recvfrom, "recvfrom", {EINTR, ENOMEM}},
      {SYS_setsockopt, "setsockopt", {ENOBUFS}},
      {SYS_getsockopt, "getsockopt", {ENOBUFS}},
      {SYS_getsockname, "getsockname", {ENOBUFS}},
      {SYS_shutdown, "shutdown", {ENOBUFS}},
  };
}

}  // namespace

std::vector<Errors> call_errors() {
  return joined<Errors>({of_files(), of_events(), of_queues(), of_sockets()});
}

}  // namespace facilities
