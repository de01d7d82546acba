// layout.hpp: the bytes of semaphores and locks that different programs share.
//
//   <domain>/+locks/<name>, '+' for '/'     one object; everybody who uses it writes
//   <domain>/+members/member-<hex16>        a process's life: its lock says whether it lives
//   <domain>/+members/member-<hex16>.<n>    a named pipe that wakes its event loop
//
// A topic's directory never begins with '+', so neither is taken for one.
//
//   Threads  any     Crash  every word names its owner     Fork  see shared_object.hpp
//   Limits   shm::line_places waiters in line
#pragma once

#include <cstddef>
#include <cstdint>

#include "shm/lock_word.hpp"
#include "topic/layout.hpp"

namespace signalbox::sync {

using topic::Atomics;

// Of the objects' own bytes; the header's layout number is that of the header.
inline constexpr std::uint32_t object_version = 1;

inline constexpr topic::SegmentKind member_kind{16};
inline constexpr topic::SegmentKind object_kind{17};

enum class Kind : std::uint32_t {
  mutex = 1,
  semaphore = 2,
  read_write_lock = 3,
  condition = 4,
  barrier = 5
};

// What all its users must agree on.
struct Terms {
  Kind kind;
  shm::Fairness fairness = shm::Fairness::newcomers_may_overtake;
  std::uint32_t capacity = 0;  // units of a semaphore, parties of a barrier
};

//  192 version (4) | 196 kind (4) | 200 fairness (4) | 204 capacity (4) | 256 the kind's own state
struct ObjectPage {
  topic::SegmentHeader header;
  std::uint32_t version;
  Terms terms;
};
static_assert(offsetof(ObjectPage, terms) == 196 && sizeof(ObjectPage) == 208);
inline constexpr std::uint64_t state_offset = 256;

//  256 word (8) | 264 thread (4) | 320 line: 64, then 256 places of 64
using Lock = shm::LockState<Atomics>;
static_assert(sizeof(Lock) == 64 + 64 + shm::line_places * 64 && offsetof(Lock, line) == 64);

}  // namespace signalbox::sync
