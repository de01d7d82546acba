// os/kernel_entry.hpp: the kernel entered on the spot, so that a wrapper is no longer than the bare
// call.
//
// A small system call takes a program some 15 instructions, half of them in the C library. A
// wrapper that goes there as well and hands a Result through a shared library takes twice as many;
// one that enters the kernel where it is called takes fewer than the bare call, its checks
// included. That is why these are here, and in line. Nothing in them is a cancellation point of
// pthread_cancel(3).
//
//   Threads  any
//   Crash    nothing to lose
//   Fork     safe
//   Limits   none
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

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
  read = 63,
  write = 64,
  futex = 98,
  mq_timedsend = 182,
  mq_timedreceive = 183,
  semop = 193,
  sendto = 206,
  recvmsg = 212,
  pwritev2 = 287,
  pidfd_send_signal = 424,
};
#elif defined(__x86_64__)
enum class KernelCall : long {
  read = 0,
  write = 1,
  sendto = 44,
  recvmsg = 47,
  semop = 65,
  futex = 202,
  mq_timedsend = 242,
  mq_timedreceive = 243,
  pwritev2 = 328,
  pidfd_send_signal = 424,
};
#else
enum class KernelCall : long {
  read,
  write,
  sendto,
  recvmsg,
  semop,
  futex,
  mq_timedsend,
  mq_timedreceive,
  pwritev2,
  pidfd_send_signal,
};
#endif

// Makes the call through the C library's function of that name. Answers as enter().
long enter_by_name(KernelCall call, long first, long second, long third, long fourth,
                   long sixth) noexcept;

// Makes the call, and answers as the kernel does: below zero is a negated errno. The fifth argument
// is 0 in all that are made this way. The memory that is pointed to may have changed.
[[gnu::always_inline]] inline long enter(KernelCall call, long first, long second, long third,
                                         long fourth, long sixth) noexcept {
#if SBX_ENTERS_BY_NAME
  return enter_by_name(call, first, second, third, fourth, sixth);
#elif defined(__x86_64__)
  long answer = 0;
  register long r10 asm("r10") = fourth;
  register long r8 asm("r8") = 0;
  register long r9 asm("r9") = sixth;
  asm volatile("syscall"
               : "=a"(answer)
               : "a"(call), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return answer;
#else
  register long x8 asm("x8") = static_cast<long>(call);
  register long x0 asm("x0") = first;
  register long x1 asm("x1") = second;
  register long x2 asm("x2") = third;
  register long x3 asm("x3") = fourth;
  register long x4 asm("x4") = 0;
  register long x5 asm("x5") = sixth;
  asm volatile("svc 0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
               : "memory");
  return x0;
#endif
}

// The same for those of three arguments.
[[gnu::always_inline]] inline long enter(KernelCall call, long first, long second,
                                         long third) noexcept {
#if !SBX_ENTERS_BY_NAME && defined(__x86_64__)
  long answer = 0;
  asm volatile("syscall"
               : "=a"(answer)
               : "a"(call), "D"(first), "S"(second), "d"(third)
               : "rcx", "r11", "memory");
  return answer;
#else
  return enter(call, first, second, third, 0, 0);
#endif
}

// Stands for the answer of a call that could not be made in line: make it.
inline constexpr long not_made = -4;  // EINTR

template <class T>
long address_of(T* at) noexcept {
  return static_cast<long>(reinterpret_cast<std::uintptr_t>(at));
}

inline long read_once(int fd, std::span<std::byte> room) noexcept {
  return enter(KernelCall::read, fd, address_of(room.data()), static_cast<long>(room.size()));
}
inline long write_once(int fd, std::span<const std::byte> bytes) noexcept {
  return enter(KernelCall::write, fd, address_of(bytes.data()), static_cast<long>(bytes.size()));
}

inline constexpr int send_flags = 0x4040;  // MSG_NOSIGNAL | MSG_DONTWAIT
inline long send_once(int socket, std::span<const std::byte> bytes) noexcept {
  return enter(KernelCall::sendto, socket, address_of(bytes.data()),
               static_cast<long>(bytes.size()), send_flags, 0);
}

// What recvmsg(2) takes: msghdr and iovec, as the kernel and every C library on it have them.
struct MessagePart {
  void* at;
  std::size_t bytes;
};
struct MessageHeader {
  void* name;
  unsigned name_bytes;
  MessagePart* parts;
  std::size_t parts_count;
  void* control;
  std::size_t control_bytes;
  int flags;
};
// Whole messages. Descriptors that come are not taken, and `has_lost` says that there were some.
inline long receive_once(int socket, std::span<std::byte> room, bool& has_lost) noexcept {
  constexpr int flags = 0x40000060;  // MSG_CMSG_CLOEXEC | MSG_DONTWAIT | MSG_TRUNC
  constexpr int lost = 0x8;          // MSG_CTRUNC
  MessagePart part{room.data(), room.size()};
  MessageHeader message{nullptr, 0, &part, 1, nullptr, 0, 0};
  const long got = enter(KernelCall::recvmsg, socket, address_of(&message), flags);
  has_lost = (message.flags & lost) != 0;
  return got;
}

// sembuf of semop(2).
struct SetOperation {
  std::uint16_t index;
  std::int16_t delta;
  std::int16_t flags;
};

// To a pipe, without the signal that kills whoever has no reader left. Where the kernel is older
// than Linux 6.18 the answer is a negated EOPNOTSUPP, and after one of those the word is true.
extern std::atomic<bool> is_write_flag_unknown;
inline long write_without_signal(int fd, std::span<const std::byte> bytes) noexcept {
  constexpr long not_supported = -95;  // EOPNOTSUPP
  if (is_write_flag_unknown.load()) [[unlikely]]
    return not_supported;
  const struct {
    const void* at;
    std::size_t bytes;
  } part{bytes.data(), bytes.size()};
  constexpr long where_it_stands = -1;
  constexpr long no_signal = 0x100;  // RWF_NOSIGNAL
  return enter(KernelCall::pwritev2, fd, address_of(&part), 1, where_it_stands, no_signal);
}

}  // namespace signalbox::os::kernel
