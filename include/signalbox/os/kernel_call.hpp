// os/kernel_call.hpp: the numbers of the system calls that wrappers make in line, and whether they
// do so here.
//
//   Threads  values
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

// Sanitizers know what a call does to memory by the C library's name of it, and other processors
// have the short way in libsignalbox.so or nowhere.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SBX_ENTERS_BY_NAME 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SBX_ENTERS_BY_NAME 1
#endif
#endif
#if !defined(SBX_ENTERS_BY_NAME) && defined(__LP64__) && \
    (defined(__x86_64__) || defined(__aarch64__))
#define SBX_ENTERS_BY_NAME 0
#else
#undef SBX_ENTERS_BY_NAME
#define SBX_ENTERS_BY_NAME 1
#endif

namespace signalbox::os::kernel {

// Their numbers are the kernel's, for ever. src/os/kernel_entry.cpp holds them against its headers.
#if defined(__aarch64__)
enum class KernelCall : long {
  fcntl = 25,
  flock = 32,
  fallocate = 47,
  openat = 56,
  close = 57,
  lseek = 62,
  read = 63,
  write = 64,
  splice = 76,
  fstat = 80,
  timerfd_settime = 86,
  futex = 98,
  kill = 129,
  getrlimit = 163,
  mq_timedsend = 182,
  mq_timedreceive = 183,
  msgrcv = 188,
  msgsnd = 189,
  semop = 193,
  sendto = 206,
  recvmsg = 212,
  munmap = 215,
  mmap = 222,
  memfd_create = 279,
  pwritev2 = 287,
  pidfd_send_signal = 424,
  io_uring_enter = 426,
};
#elif defined(__x86_64__)
enum class KernelCall : long {
  read = 0,
  write = 1,
  close = 3,
  fstat = 5,
  lseek = 8,
  mmap = 9,
  munmap = 11,
  sendto = 44,
  recvmsg = 47,
  kill = 62,
  semop = 65,
  msgsnd = 69,
  msgrcv = 70,
  fcntl = 72,
  flock = 73,
  getrlimit = 97,
  futex = 202,
  mq_timedsend = 242,
  mq_timedreceive = 243,
  openat = 257,
  splice = 275,
  fallocate = 285,
  timerfd_settime = 286,
  memfd_create = 319,
  pwritev2 = 328,
  pidfd_send_signal = 424,
  io_uring_enter = 426,
};
#else
enum class KernelCall : long {
  read,
  write,
  close,
  fstat,
  lseek,
  mmap,
  munmap,
  sendto,
  recvmsg,
  kill,
  semop,
  msgsnd,
  msgrcv,
  fcntl,
  flock,
  getrlimit,
  futex,
  mq_timedsend,
  mq_timedreceive,
  openat,
  splice,
  fallocate,
  timerfd_settime,
  memfd_create,
  pwritev2,
  pidfd_send_signal,
  io_uring_enter,
};
#endif

}  // namespace signalbox::os::kernel
