// lock_kinds.hpp: the kernel's locks that a holder's death must free, behind one face.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "ground.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/robust_mutex.hpp"
#include "signalbox/os/semaphore_set.hpp"

namespace facilities {

inline constexpr unsigned locks_max = 100;

// Shared by everybody of a test: the memory of the locks, and what they have seen.
struct Arena {
  std::array<signalbox::os::RobustMutex::Memory, locks_max> mutexes;
  std::array<std::atomic<std::int32_t>, locks_max> inside;  // the pid that holds this lock, or 0
  std::atomic<std::int32_t> killing;                        // whose mark may be found
  std::atomic<std::uint32_t> held;                          // locks that the victim has taken
  std::array<std::atomic<std::uint64_t>, 2> progress;       // of the survivors
  std::atomic<std::uint64_t> marks;                         // found of somebody dead, in this round
  std::atomic<std::uint64_t> told;                          // that somebody had died, in this round
  std::atomic<std::uint64_t> intruders;                     // two held one lock
  std::atomic<std::uint64_t> errors;                        // calls that failed
  std::atomic<bool> stop;
};

// What all locks of a test lie in: made before anybody is forked.
struct Site {
  Site();
  ~Site();
  Site(const Site&) = delete;
  Site& operator=(const Site&) = delete;
  // Of a reader/writer lock, which is a set of its own.
  signalbox::os::SysvKey key_of(unsigned number) const {
    return signalbox::os::SysvKey::number(ground.key().value() + 1000 + static_cast<int>(number));
  }
  Ground ground;
  signalbox::os::Mapping memory;
  signalbox::os::SemaphoreSet set;
  Arena& arena() const { return *memory.at<Arena>(0); }
};

enum class Taken { free, owner_died, not_taken };

// One process's, or thread's, view of one lock.
class KernelLock {
 public:
  virtual ~KernelLock() = default;
  virtual Taken take(signalbox::Deadline deadline) = 0;
  virtual bool give() = 0;
};

struct LockKindOfKernel {
  const char* name;
  std::unique_ptr<KernelLock> (*open)(const Site& site, unsigned number);
  bool tells_of_death;
  // How the one who is killed opens it, where he shares it and those who go on want it alone.
  std::unique_ptr<KernelLock> (*open_to_share)(const Site& site, unsigned number) = nullptr;
  auto victims_open() const noexcept { return open_to_share != nullptr ? open_to_share : open; }
};
const std::array<LockKindOfKernel, 10>& lock_kinds();
inline std::ostream& operator<<(std::ostream& out, const LockKindOfKernel& kind) {
  return out << kind.name;
}

}  // namespace facilities
