// scene.hpp: the operations that are made to fail, and what a process looks like before and after.
#pragma once

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "signalbox/barrier.hpp"
#include "signalbox/condition.hpp"
#include "signalbox/discovery.hpp"
#include "signalbox/lock.hpp"
#include "signalbox/lock_facts.hpp"
#include "signalbox/os/pipe.hpp"
#include "signalbox/read_write_lock.hpp"
#include "signalbox/semaphore.hpp"
#include "signalbox/topic.hpp"
#include "signalbox/wait_set.hpp"
#include "sync/other_process.hpp"

namespace fault {

struct Small {
  std::uint64_t number;
};
struct Large {
  std::uint64_t number;
  std::uint64_t words[63];
};

struct Tailed {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;
};

// What an operation works on. One topic for small messages, one for frames, one that grows.
struct Scene {
  std::optional<signalbox::Publisher<Small>> out;
  std::optional<signalbox::Publisher<Small>> other_out;
  std::optional<signalbox::Subscriber<Small>> in;
  std::optional<signalbox::Subscriber<Small>> other_in;
  std::optional<signalbox::Publisher<Large>> frames_out;
  std::optional<signalbox::Subscriber<Large>> frames_in;
  std::vector<signalbox::Sample<Large>> held;
  std::optional<signalbox::Publisher<Tailed>> grown_out;
  std::optional<signalbox::Subscriber<Tailed>> grown_in;
  std::optional<signalbox::WaitSet> set;
  std::vector<signalbox::Watch> watches;
  std::optional<signalbox::os::Pipe> pipe;
  std::optional<signalbox::TopicWatcher> watcher;
  std::optional<signalbox::OtherProcess> holder;  // of all locks
  std::optional<signalbox::Mutex> mutex;
  std::optional<signalbox::Semaphore> semaphore;
  std::optional<signalbox::ReadWriteLock> read_write;
  std::optional<signalbox::Condition> condition;
  std::optional<signalbox::Barrier> barrier;
  signalbox::MutexGuard guard;
  signalbox::Permit permit;
  signalbox::WriteGuard write_guard;
};

// "ok", or the code's name and the error's text.
using Act = std::string (*)(Scene&);

struct Operation {
  const char* name;
  void (*prepare)(Scene&);
  Act act;
  bool closes = false;   // what it fails to remove, the next visitor removes
  bool has_name = true;  // its errors name a topic, a lock or the domain
};

inline std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  return out << operation.name;
}
const std::vector<Operation>& operations();

// Ends who holds the locks of the scene elsewhere, and takes and gives back each; "" if all is
// well. Somebody is told of those who died then, so that the files may go.
std::string use_locks(Scene& scene);

// Everybody in the scene sends and receives; "" if all is well, else what is not.
std::string exchange(Scene& scene);

// Descriptors of this process, and mappings of files on /dev/shm.
struct Holdings {
  std::size_t descriptors;
  std::size_t mappings;
  bool operator==(const Holdings&) const = default;
};
Holdings holdings();

}  // namespace fault
