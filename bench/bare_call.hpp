// bare_call.hpp: what the bare side of a row needs: calls that succeed, and memory that is shared.
//
//   Threads  any     Crash  nothing to lose     Fork  shared with children     Limits  none
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <new>
#include <stdexcept>

#include "base/must.hpp"

namespace bench {

using signalbox::must;

// What a program does that cannot go on. In loops that are counted: no more than a test.
inline void must(bool is_done) {
  if (!is_done) [[unlikely]]
    std::abort();
}

// A T in shared memory that goes with the process.
template <class T>
T* placed() {
  void* const at =
      ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::runtime_error("cannot map memory for a lock");
  return new (at) T{};
}

}  // namespace bench
