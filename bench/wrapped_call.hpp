// wrapped_call.hpp: one operation on a kernel facility, made through our wrapper and bare, to count
// the instructions of both.
//
// Both do the same work: the same bytes to and fro, an answer looked at, what was read used. The
// bare side is what a careful program writes: glibc's function for the call, or syscall(2) where
// glibc has none.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/bare_call.hpp"

namespace bench {

using Prepared = std::function<std::function<void()>()>;

struct WrappedCall {
  std::string facility;
  std::string bare_name;  // the bare calls of one operation
  Prepared ours;
  Prepared bare;
};

inline constexpr int operations_a_run = 12;

// `make` runs in the process that is counted, and answers the operation. It is made several times a
// run, so that what a function does once at its begin and end weighs as in any loop.
template <class Make>
Prepared many_of(Make make) {
  return [make]() -> std::function<void()> {
    auto operation = std::make_shared<decltype(make())>(make());
    return [operation] {
      auto& one = *operation;
      for (int left = operations_a_run; left != 0; --left) {
        one();
        asm volatile("" ::: "memory");  // each is made, and none together with the next
      }
    };
  };
}

// Tells the compiler that the value is used.
template <class T>
void use(const T& value) {
  asm volatile("" ::"r"(value));
}

inline int opened(int fd) {
  if (fd < 0) throw std::runtime_error("a bare call refused to open");
  return fd;
}

// What every operation that moves bytes moves.
inline constexpr std::size_t message_bytes = 48;
struct Room {
  std::byte bytes[message_bytes] = {};
};

std::vector<WrappedCall> stream_calls();  // pipe, fifo, sockets, splice
std::vector<WrappedCall> queue_calls();   // both kinds of message queues
std::vector<WrappedCall> lock_calls();    // what waits for a turn
std::vector<WrappedCall> event_calls();   // what a descriptor tells
std::vector<WrappedCall> memory_calls();  // what is mapped

}  // namespace bench
