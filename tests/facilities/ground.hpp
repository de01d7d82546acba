// ground.hpp: what a test of the os layer works on: names of its own, and what a process and the
// machine hold of ours before and after.
#pragma once

#include <cstddef>
#include <ostream>
#include <string>

#include "signalbox/os/sysv_key.hpp"

namespace facilities {

// Names that nobody else has. Whatever lies under them is removed when this is made and when it
// ends; a forked child leaves with _exit(), so it removes nothing.
class Ground {
 public:
  Ground();
  ~Ground();
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;

  const std::string& folder() const { return folder_; }  // for files, on tmpfs
  std::string path(const char* file) const { return folder_ + "/" + file; }
  // "/sbx-...": shared memory, a POSIX queue, a named semaphore.
  const std::string& name() const { return name_; }
  signalbox::os::SysvKey key() const { return signalbox::os::SysvKey::number(key_); }
  // A second one, for two objects of one kind.
  signalbox::os::SysvKey other_key() const { return signalbox::os::SysvKey::number(key_ ^ 2); }

  void clear() const;

 private:
  std::string folder_;
  std::string name_;
  std::int32_t key_;
};

// Everything of ours that outlives a call if somebody forgets it.
struct Holdings {
  std::size_t descriptors;
  std::size_t mappings;  // of files, shared memory, rings; the heap's own do not count
  std::size_t files;     // in the ground's folder, and in /dev/shm under its name
  std::size_t sysv;      // semaphore sets and queues
  std::size_t queues;    // POSIX
  bool operator==(const Holdings&) const = default;
};
Holdings holdings(const Ground& ground);
std::ostream& operator<<(std::ostream& out, const Holdings& all);

// An interprocess name space and a /dev/shm of our own, so that every object there is ours: true if
// this process may have them. Without, only what lies under the ground's names is counted.
bool enter_own_name_spaces();

}  // namespace facilities
