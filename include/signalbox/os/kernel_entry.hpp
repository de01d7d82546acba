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

#include "signalbox/os/kernel_call.hpp"

namespace signalbox::os::kernel {

// Makes the call through the C library's function of that name. Answers as enter().
long enter_by_name(KernelCall call, long first, long second, long third, long fourth, long fifth,
                   long sixth) noexcept;

// Makes the call, and answers as the kernel does: below zero is a negated errno. The memory that is
// pointed to may have changed.
[[gnu::always_inline]] inline long enter(KernelCall call, long first, long second, long third,
                                         long fourth, long fifth, long sixth) noexcept {
#if SBX_ENTERS_BY_NAME
  return enter_by_name(call, first, second, third, fourth, fifth, sixth);
#elif defined(__x86_64__)
  long answer = 0;
  register long r10 asm("r10") = fourth;
  register long r8 asm("r8") = fifth;
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
  register long x4 asm("x4") = fifth;
  register long x5 asm("x5") = sixth;
  asm volatile("svc 0"
               : "+r"(x0)
               : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
               : "memory");
  return x0;
#endif
}

// The same for those of one argument to five, and of six whose fifth says nothing on machines of 64
// bits.
[[gnu::always_inline]] inline long enter(KernelCall call, long first) noexcept {
#if !SBX_ENTERS_BY_NAME && defined(__x86_64__)
  long answer = 0;
  asm volatile("syscall" : "=a"(answer) : "a"(call), "D"(first) : "rcx", "r11", "memory");
  return answer;
#else
  return enter(call, first, 0, 0, 0, 0, 0);
#endif
}
[[gnu::always_inline]] inline long enter(KernelCall call, long first, long second) noexcept {
#if !SBX_ENTERS_BY_NAME && defined(__x86_64__)
  long answer = 0;
  asm volatile("syscall"
               : "=a"(answer)
               : "a"(call), "D"(first), "S"(second)
               : "rcx", "r11", "memory");
  return answer;
#else
  return enter(call, first, second, 0, 0, 0, 0);
#endif
}
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
  return enter(call, first, second, third, 0, 0, 0);
#endif
}
[[gnu::always_inline]] inline long enter(KernelCall call, long first, long second, long third,
                                         long fourth) noexcept {
#if !SBX_ENTERS_BY_NAME && defined(__x86_64__)
  long answer = 0;
  register long r10 asm("r10") = fourth;
  asm volatile("syscall"
               : "=a"(answer)
               : "a"(call), "D"(first), "S"(second), "d"(third), "r"(r10)
               : "rcx", "r11", "memory");
  return answer;
#else
  return enter(call, first, second, third, fourth, 0, 0);
#endif
}

[[gnu::always_inline]] inline long enter(KernelCall call, long first, long second, long third,
                                         long fourth, long fifth) noexcept {
#if !SBX_ENTERS_BY_NAME && defined(__x86_64__)
  long answer = 0;
  register long r10 asm("r10") = fourth;
  register long r8 asm("r8") = fifth;
  asm volatile("syscall"
               : "=a"(answer)
               : "a"(call), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r8)
               : "rcx", "r11", "memory");
  return answer;
#else
  return enter(call, first, second, third, fourth, fifth, 0);
#endif
}

[[gnu::always_inline]] inline long enter_without_fifth(KernelCall call, long first, long second,
                                                       long third, long fourth,
                                                       long sixth) noexcept {
#if !SBX_ENTERS_BY_NAME && defined(__x86_64__)
  long answer = 0;
  register long r10 asm("r10") = fourth;
  register long r9 asm("r9") = sixth;
  asm volatile("syscall"
               : "=a"(answer)
               : "a"(call), "D"(first), "S"(second), "d"(third), "r"(r10), "r"(r9)
               : "rcx", "r11", "memory");
  return answer;
#else
  return enter(call, first, second, third, fourth, 0, sixth);
#endif
}

// An address is not below zero everywhere that it is one.
constexpr bool is_refused(long answer) noexcept {
  return static_cast<unsigned long>(answer) > static_cast<unsigned long>(-4096);
}

inline constexpr long interrupted = -4;  // EINTR
// Stands for the answer of a call that could not be made in line: make it.
inline constexpr long not_made = interrupted;

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
               static_cast<long>(bytes.size()), send_flags, 0, 0);
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

// flock of fcntl(2), for files of 64 bits.
struct RecordLock {
  std::int16_t type;    // 0 to read, 1 to write, 2 none
  std::int16_t whence;  // 0: from the beginning
  std::int64_t begin;
  std::int64_t bytes;
  std::int32_t pid;
};
inline constexpr int set_lock = 6;        // F_SETLK
inline constexpr int set_file_lock = 37;  // F_OFD_SETLK

// itimerspec of timerfd_settime(2), on machines of 64 bits.
struct TimerSetting {
  struct Time {
    std::int64_t seconds;
    std::int64_t nanoseconds;
  };
  Time period;
  Time first;
};

// signalfd_siginfo of signalfd(2), of which this reads the first half.
struct SignalRecord {
  std::uint32_t number;
  std::int32_t error;
  std::int32_t code;
  std::uint32_t pid;
  std::uint32_t uid;
  std::uint32_t of_others[6];
  std::int32_t value;
  std::byte more[80];
};

// True once a kernel older than Linux 6.18 has refused the flag of the following.
extern std::atomic<bool> is_write_flag_unknown;
// To a pipe, without the signal that kills whoever has no reader left.
inline long write_without_signal(int fd, std::span<const std::byte> bytes) noexcept {
  const struct {
    const void* at;
    std::size_t bytes;
  } part{bytes.data(), bytes.size()};
  constexpr long where_it_stands = -1;
  constexpr long no_signal = 0x100;  // RWF_NOSIGNAL
  return enter_without_fifth(KernelCall::pwritev2, fd, address_of(&part), 1, where_it_stands,
                             no_signal);
}

}  // namespace signalbox::os::kernel
