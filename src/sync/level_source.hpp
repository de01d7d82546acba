// level_source.hpp: a lock or semaphore as a WaitSet watches it: ready while an attempt to take it
// would succeed.
//
// While it is not ready it stands in the object's line as one who only wants news: whoever frees
// something calls it besides those who wait for their turn, so it takes nobody's call. A call to it
// is a byte in a named pipe beside its process's file among the members. Whoever cannot open that,
// for want of descriptors say, wakes nobody, so its set glances at it ten times a second.
//
//   Threads  one at a time, with the set that watches it
//   Crash    its place is cleared and its pipe removed with all else of the dead
//   Fork     a child's copy changes nothing
//   Limits   two descriptors; a place in line, or it looks ten times a second
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "os/event_descriptor.hpp"
#include "sync/shared_object.hpp"
#include "topic/wait_source.hpp"

namespace signalbox::sync {

class LevelSource final : public WaitSource {
 public:
  explicit LevelSource(std::weak_ptr<SharedObject> object) noexcept : object_(std::move(object)) {}
  ~LevelSource() override;

  bool is_there() const noexcept override { return !object_.expired(); }
  Result<int> descriptor() override;
  bool look() noexcept override;
  // Also once it was called, whether or not it heard: nobody else calls it before it looks.
  bool glance() const noexcept override;

 private:
  // Is the place still ours? The object may have been closed and opened meanwhile.
  bool stands_in(SharedObject& object) const noexcept;
  std::weak_ptr<SharedObject> object_;
  std::shared_ptr<Membership> members_;
  os::EventDescriptor event_;
  std::string pipe_;
  std::uint64_t number_ = 0;
  std::uint32_t place_ = shm::no_place;
};

// The pipe of the member's source of that number.
std::string pipe_name(std::uint64_t token, std::uint64_t number);

}  // namespace signalbox::sync
