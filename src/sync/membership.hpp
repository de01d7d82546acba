// membership.hpp: this process among those that use the locks of a domain: its name there, whether
// others live, and what is done when one dies.
//
// A process is one member of a domain, whatever number of locks and threads it has. Its token is
// drawn at random and never used again; its file is named by it and locked for as long as it lives.
// Who has no file, or one without a lock, is dead. So nothing here ever asks for a process by its
// number.
//
// A thread of ours sleeps until something changes among the members (os/change_watch.hpp: the
// kernel tells when the last writer of a file is gone, by whatever death, exec or end), and then
// looks in each open object for what the dead still have. So waiters need no time limit, and whose
// holder dies are called like all others. Where the kernel gives no such watch, waiters look
// themselves (look_often_ns).
//
//   Threads  any
//   Crash    the lock falls; others give back what its token has and remove the file
//   Fork     a child is no member: it finds none of its parent's memberships
//   Limits   nine descriptors a domain, of which one stays with the process, and one thread
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "os/background_thread.hpp"
#include "os/change_watch.hpp"
#include "os/poll_set.hpp"
#include "os/process.hpp"
#include "signalbox/error.hpp"
#include "topic/place.hpp"
#include "topic/sharing.hpp"

namespace signalbox::sync {

class SharedObject;

// How long to keep meeting somebody who is removing a directory before calling him stuck.
inline constexpr auto join_patience = std::chrono::seconds(2);
void let_the_other_finish() noexcept;

class Membership : public std::enable_shared_from_this<Membership> {
 public:
  // This process's in that domain, which it joins if it is no member yet. Errors: those of making
  // files there, abandoned, limit_reached (descriptors, threads).
  static Result<std::shared_ptr<Membership>> of_this_process(const topic::Place& place);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // In the upper 61 bits; never 0, nor are the lower 32.
  std::uint64_t token() const noexcept { return token_; }
  bool is_foreign() const noexcept { return generation_ != os::fork_generation(); }
  // Is that process dead? When that cannot be learned, nobody is declared dead. Enters the kernel.
  bool is_dead(std::uint64_t token) const noexcept;
  // Are waiters told of deaths, or must they look?
  bool tells_of_deaths() const noexcept { return thread_ != nullptr; }

  const topic::Sharing& sharing() const noexcept { return sharing_; }
  const os::Fd& directory() const noexcept { return directory_; }
  const std::string& objects_path() const noexcept { return objects_path_; }
  std::string path_of(const std::string& file) const { return members_path_ + "/" + file; }
  const std::string& file() const noexcept { return file_; }

  // The objects that this process has open, each once. All calls with the lock.
  std::recursive_mutex& mutex() noexcept { return mutex_; }
  std::vector<SharedObject*>& objects() noexcept { return objects_; }
  // Keeps the membership for what is still held under it, until the process ends or lets it go.
  void keep();
  void let_go() noexcept;

 private:
  explicit Membership(const topic::Place& place);
  Result<void> join();
  Result<bool> try_join();
  void begin_watching();
  void watch(const os::BackgroundThread::Bell& bell);
  bool recover_all() noexcept;
  void reap() noexcept;
  void try_reap();
  void leave();

  topic::Place place_;
  std::string members_path_;
  std::string objects_path_;
  topic::Sharing sharing_;
  os::Fd directory_;
  os::LifeFd life_;
  std::string file_;
  std::uint64_t token_ = 0;
  unsigned generation_;
  // Recursive, because an object that could not be entered for want of memory retires at once.
  std::recursive_mutex mutex_;
  std::vector<SharedObject*> objects_;
  std::optional<os::ChangeWatch> changes_;
  int watched_ = -1;  // our directory's number there
  std::optional<os::PollSet> poll_;
  std::atomic<bool> ending_{false};
  std::unique_ptr<os::BackgroundThread> thread_;
};

std::string member_file_name(std::uint64_t token);
// The member whose file or pipe it is; 0: nobody's.
std::uint64_t member_of(const std::string& file) noexcept;

// One look at who lives: each is asked once.
class RollCall {
 public:
  explicit RollCall(const Membership& members) noexcept : members_(members) {}
  bool is_dead(std::uint64_t token) noexcept;
  bool found_dead() const noexcept { return found_dead_; }

 private:
  struct Answer {
    std::uint64_t token;
    bool is_dead;
  };
  const Membership& members_;
  std::array<Answer, 32> answers_{};
  std::size_t asked_ = 0;
  bool found_dead_ = false;
};

}  // namespace signalbox::sync
