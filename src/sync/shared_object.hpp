// shared_object.hpp: one named object of a domain as this process has it open: its file, found or
// made, and what all kinds of objects do alike.
//
// A process opens an object once, whatever number of handles it has. All who have it open hold a
// shared lock on its file; whoever can turn his into an exclusive one is the last, and removes it,
// unless its words still say something that the next to come must learn.
//
//   Threads  any
//   Crash    the lock falls; the next to open it finds the words as they are, and the dead in them
//   Fork     a child's calls answer wrong_process: the token that fast paths use is 0 there
//   Limits   one descriptor and one mapping an object
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "os/process.hpp"
#include "signalbox/deadline.hpp"
#include "signalbox/os/futex.hpp"
#include "signalbox/os/mapping.hpp"
#include "signalbox/os/on_signal.hpp"
#include "sync/layout.hpp"
#include "sync/membership.hpp"

namespace signalbox::sync {

// Who is not told of deaths looks this often.
inline constexpr std::int64_t look_often_ns = 50'000'000;
// And who is, in case something that no other process can be relied on for went wrong.
inline constexpr std::int64_t look_seldom_ns = 60'000'000'000;
// Who found no place in line cannot be called.
inline constexpr std::int64_t look_without_place_ns = 1'000'000;

struct OpenObject {
  std::shared_ptr<Membership> members;
  std::string name;
  os::LifeFd file;  // opened once more, for its lock alone
  os::Mapping mapping;
  Terms terms;
};

class SharedObject : public std::enable_shared_from_this<SharedObject> {
 public:
  // Throws std::bad_alloc: the fork handler has a list of tokens.
  explicit SharedObject(OpenObject&& opened);
  virtual ~SharedObject() = default;
  SharedObject(const SharedObject&) = delete;
  SharedObject& operator=(const SharedObject&) = delete;

  // Gives back what the dead have, and calls who waited for it. As often as anybody likes.
  virtual void recover(RollCall& roll) noexcept = 0;
  // Does this process still have anything of it?
  virtual bool is_held_here() const noexcept = 0;
  // For those who watch it: would an attempt to take it succeed? Where do they stand, and what
  // makes others look there? Of objects that cannot be watched nothing is asked.
  virtual bool is_free() const noexcept { return false; }
  virtual shm::Line<Atomics>& line() noexcept = 0;
  virtual void announce() noexcept {}
  // Do its words say what they said when it was made, so that it may go?
  virtual bool is_as_made() const noexcept = 0;

  const std::string& name() const noexcept { return name_; }
  const Terms& terms() const noexcept { return terms_; }
  // 0 in a forked child.
  std::uint64_t token() const noexcept { return token_.load(); }
  bool is_lost() const noexcept { return mapping_.is_lost(); }
  bool is_foreign() const noexcept { return members_->is_foreign(); }
  const std::shared_ptr<Membership>& members() const noexcept { return members_; }
  // The last handle of this process is gone.
  static void retire(SharedObject* object) noexcept;

  shm::Stand stand(shm::Wants wants) const noexcept;
  // Looks at once for what the dead have of this object. Enters the kernel.
  void look_for_the_dead() noexcept;

  Error wrong_process(const char* tried) const noexcept;
  Error failed(shm::Turn turn, const char* tried) const noexcept;
  Error failed_because(Errc code, const char* tried, const char* why) const noexcept;

 protected:
  template <class State>
  State& state() const noexcept {
    return *mapping_.at<State>(state_offset);
  }
  // Wakes whoever sleeps on this place.
  void wake(shm::Place<Atomics>& place) const noexcept;
  auto waker() const noexcept {
    return [this](shm::Place<Atomics>& place) { wake(place); };
  }
  // Sleeps until the place is called; not_yet: look again.
  shm::Turn rest(shm::Place<Atomics>* place, Deadline deadline, os::OnSignal on_signal) noexcept;

 private:
  friend Result<std::shared_ptr<SharedObject>> share(std::string_view, std::string_view,
                                                     const Terms&, std::uint32_t);
  void leave() noexcept;

  std::shared_ptr<Membership> members_;
  std::string name_;
  Terms terms_;
  os::LifeFd file_;
  os::Mapping mapping_;
  std::atomic<std::uint64_t> token_;
  os::ZeroedInChild no_token_in_child_{token_};
  bool is_kept_ = false;
};

// How a kind of object comes into being.
std::uint64_t bytes_of(const Terms& terms) noexcept;
// `units`: how many of a semaphore's are free.
void begin_state(const Terms& terms, std::uint32_t units, std::byte* state) noexcept;
std::unique_ptr<SharedObject> make_core(OpenObject&& opened);
const char* word_for(Kind kind) noexcept;

// The object of that name, made if nobody has it open. Errors: bad_name, type_mismatch (it is of
// another kind, or of other terms), damaged, layout_mismatch, no_space, permission_denied,
// limit_reached, abandoned, and what the kernel says.
Result<std::shared_ptr<SharedObject>> share(std::string_view name, std::string_view domain,
                                            const Terms& terms, std::uint32_t units);

// What failed below knows of files and directories: the caller asked for a lock.
inline Error naming(std::string_view name, Error error) {
  if (error.text.find(name) == std::string::npos) {
    error.text.insert(0, "lock \"" + std::string(name) + "\": ");
  }
  return error;
}

template <class Core>
Result<std::shared_ptr<Core>> share_as(std::string_view name, std::string_view domain,
                                       const Terms& terms, std::uint32_t units = 0) {
  return signalbox::detail::or_out_of_memory([&]() -> Result<std::shared_ptr<Core>> {
    auto object = share(name, domain, terms, units);
    if (!object) return std::unexpected(naming(name, std::move(object.error())));
    return std::static_pointer_cast<Core>(*object);
  });
}

}  // namespace signalbox::sync
