// lock_facts.hpp: what semaphores and locks there are in a domain, who holds them and who waits.
//
// Everything is read from the files; nothing is joined, locked, mapped or written, so looking
// cannot disturb anybody. It is a view of a moment: what is told may have changed already.
//
//   Threads  any
//   Crash    nothing to lose
//   Fork     safe
//   Limits   reading rights for the domain's files
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "signalbox/error.hpp"

namespace signalbox {

enum class LockKind : std::uint32_t {
  mutex = 1,
  semaphore = 2,
  read_write_lock = 3,
  condition = 4,
  barrier = 5
};

// A thread that holds a part of a lock, or waits for it. pid and thread are what the kernel of its
// own pid name space calls them; 0: not known (a semaphore's holders are known as processes only,
// and of a dead one whose file is gone nothing is).
struct LockUser {
  std::uint32_t pid = 0;
  std::uint32_t thread = 0;
  std::string program;
  bool is_alive = false;  // false: it died, and nobody has come by yet to give back what it had
  bool reads = false;     // of a reader/writer lock: to read
};

struct LockFacts {
  std::string name;
  LockKind kind = LockKind::mutex;
  bool first_come_first_served = false;
  bool last_owner_died = false;  // and nobody was told
  std::uint32_t value = 0;       // free units; of a barrier: how many have arrived
  std::uint32_t units_max = 0;   // of a semaphore; of a barrier: how many parties
  std::vector<LockUser> holders;
  std::vector<LockUser> waiters;  // in the order in which they came
  std::optional<Error> error;     // what is not known, and why: damaged, permission_denied
};

// One object. Errors: bad_name, not_found, permission_denied, damaged, layout_mismatch, system.
Result<LockFacts> look_at_lock(std::string_view name, std::string_view domain = {});

// All of a domain, by name. A domain that nobody uses has none. Errors: bad_name, system.
Result<std::vector<LockFacts>> list_locks(std::string_view domain = {});

}  // namespace signalbox
