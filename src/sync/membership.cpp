#include "sync/membership.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <map>
#include <span>

#include "signalbox/os/file_lock.hpp"
#include "sync/layout.hpp"
#include "sync/shared_object.hpp"
#include "topic/directory.hpp"
#include "topic/segment.hpp"

namespace signalbox::sync {

namespace {

constexpr std::size_t kFileNameBytes = 23;  // member-<hex16>

// The memberships of this process. A child begins with none, and without a lock that another thread
// of its parent may have held.
struct Registry {
  unsigned generation;
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Membership>> members;
  std::vector<std::shared_ptr<Membership>> kept;
};

Registry& registry() {
  static std::atomic<Registry*> current{nullptr};  // never destroyed: handles may outlive statics
  Registry* known = current.load();
  while (known == nullptr || known->generation != os::fork_generation()) {
    auto* const fresh =
        new Registry{.generation = os::fork_generation(), .mutex = {}, .members = {}, .kept = {}};
    if (current.compare_exchange_strong(known, fresh)) return *fresh;
    delete fresh;
  }
  return *known;
}

}  // namespace

void let_the_other_finish() noexcept {
  const timespec pause{.tv_sec = 0, .tv_nsec = 200'000};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, nullptr);
}

std::string member_file_name(std::uint64_t token) {
  char text[32];
  std::snprintf(text, sizeof(text), "member-%016llx", static_cast<unsigned long long>(token));
  return text;
}

std::uint64_t member_of(const std::string& file) noexcept {
  if (file.size() < kFileNameBytes || file.rfind("member-", 0) != 0) return 0;
  std::uint64_t token = 0;
  const char* const end = file.data() + kFileNameBytes;
  const auto parsed = std::from_chars(file.data() + 7, end, token, 16);
  return parsed.ec == std::errc{} && parsed.ptr == end ? token : 0;
}

Membership::Membership(const topic::Place& place)
    : place_(place),
      members_path_(place.domain_path + "/+members"),
      objects_path_(place.domain_path + "/+locks"),
      generation_(os::fork_generation()) {}

Result<std::shared_ptr<Membership>> Membership::of_this_process(const topic::Place& place) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  auto& known = all.members[place.domain_path];
  if (auto alive = known.lock()) return alive;
  std::shared_ptr<Membership> made(new Membership(place));
  if (auto joined = made->join(); !joined) return std::unexpected(std::move(joined.error()));
  made->begin_watching();
  known = made;
  return made;
}

void Membership::keep() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  all.kept.push_back(shared_from_this());
}

void Membership::let_go() noexcept {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  const auto kept = std::ranges::find(all.kept, this, &std::shared_ptr<Membership>::get);
  if (kept != all.kept.end()) all.kept.erase(kept);
}

Result<void> Membership::join() {
  const Deadline deadline = Deadline::after(join_patience);
  for (;;) {
    auto joined = try_join();
    if (!joined) return std::unexpected(std::move(joined.error()));
    if (*joined) return {};
    if (deadline.passed()) {
      return std::unexpected(Error{Errc::abandoned,
                                   0,
                                   {},
                                   "cannot use the locks of domain " + place_.domain_path +
                                       ": another process has been making or removing " +
                                       members_path_ +
                                       " for 2 s; is it stopped? Let it go on or kill it."});
    }
    let_the_other_finish();
  }
}

// One try. False: the directory went away under our hands.
Result<bool> Membership::try_join() {
  const auto unless_gone = [](Error& error) {
    const bool is_gone = error.code == Errc::not_found || error.sys_errno == ENOENT;
    return is_gone ? Result<bool>(false) : std::unexpected(std::move(error));
  };
  sharing_ = topic::sharing_of(place_.domain_path);
  if (auto usable = topic::make_root(place_); !usable) return std::unexpected(usable.error());
  if (auto made = os::make_directories(members_path_, sharing_.directories); !made) {
    return unless_gone(made.error());
  }
  auto directory = os::open_directory(members_path_);
  if (!directory) {
    // Whoever makes a shared directory needs a moment until the group may enter.
    const bool is_passing =
        directory.error().code == Errc::permission_denied && sharing_.group.has_value();
    return is_passing ? Result<bool>(false) : unless_gone(directory.error());
  }
  directory_ = std::move(*directory);
  const auto random = os::random_word();
  if (!random) return std::unexpected(random.error());
  token_ = *random & shm::lock_token_mask;
  // A sleeper compares half of a word, and nobody's half is 0.
  if ((token_ & UINT32_MAX) == 0) return false;
  file_ = member_file_name(token_);
  auto plate = topic::create_plate(directory_, path_of(file_), member_kind, token_, sharing_.files);
  if (!plate) return unless_gone(plate.error());
  const auto locked = os::try_lock(*plate, os::LockKind::exclusive);
  if (!locked) return std::unexpected(locked.error());
  // Before it has a name: what fails for want of memory leaves no file.
  life_ = os::LifeFd(std::move(*plate));
  if (auto linked = os::link_unnamed(life_.fd(), directory_, file_); !linked) {
    life_.close();
    return unless_gone(linked.error());
  }
  return true;
}

// Without a watch, or a thread to look at it, waiters look themselves.
void Membership::begin_watching() {
  auto changes = os::ChangeWatch::create();
  if (!changes) return;
  const auto watched = changes->watch_directory(members_path_);
  if (!watched) return;
  auto poll = os::PollSet::create(2);
  if (!poll || !poll->add(changes->get(), Events::readable, 0)) return;
  changes_ = std::move(*changes);
  watched_ = *watched;
  poll_ = std::move(*poll);
  auto thread = os::BackgroundThread::start([this](const auto& bell) { watch(bell); });
  if (thread) thread_ = std::move(*thread);
  reap();
}

void Membership::watch(const os::BackgroundThread::Bell& bell) {
  while (!ending_.load()) {
    const auto events =
        signalbox::detail::or_out_of_memory([this] { return poll_->wait(Deadline::never()); });
    if (!events) {
      let_the_other_finish();  // the kernel is out of memory, say
      continue;
    }
    bell.drain();
    if (changes_->drain() && recover_all()) reap();
  }
}

// True if somebody was found dead.
bool Membership::recover_all() noexcept {
  const std::lock_guard lock(mutex_);
  RollCall roll(*this);
  for (SharedObject* const object : objects_) object->recover(roll);
  return roll.found_dead();
}

bool Membership::is_dead(std::uint64_t token) const noexcept {
  return token != token_ && signalbox::detail::done_unless_out_of_memory([&] {
           const auto file = os::open_file(directory_, member_file_name(token), os::Access::read);
           if (file) return !topic::is_alive(*file);
           // A directory that somebody emptied by hand says nothing about who lives.
           return file.error().code == Errc::not_found &&
                  os::facts_of(directory_, file_).has_value();
         });
}

bool RollCall::is_dead(std::uint64_t token) noexcept {
  const std::size_t known = std::min(asked_, answers_.size());
  for (std::size_t i = 0; i < known; ++i) {
    if (answers_[i].token == token) return answers_[i].is_dead;
  }
  const bool answer = members_.is_dead(token);
  answers_[asked_++ % answers_.size()] = {token, answer};
  found_dead_ = found_dead_ || answer;
  return answer;
}

void Membership::reap() noexcept {
  static_cast<void>(signalbox::detail::done_unless_out_of_memory([this] {
    try_reap();
    return true;
  }));
}

// Removes the files of the dead. No lock is needed: who is dead stays dead, and his name is never
// used again.
void Membership::try_reap() {
  const auto names = os::list_directory(directory_, members_path_);
  if (!names) return;
  RollCall roll(*this);
  for (const std::string& name : *names) {
    const std::uint64_t member = member_of(name);
    if (member == 0 || member == token_ || !roll.is_dead(member)) continue;
    os::unlink_file(directory_, name);
  }
}

Membership::~Membership() {
  if (is_foreign()) {
    static_cast<void>(thread_.release());  // the child has no such thread
    return;
  }
  ending_.store(true);
  if (poll_) poll_->wake();
  thread_.reset();
  if (changes_) changes_->keep_for_the_next(watched_);
  // What could not be removed for want of memory, the next visitor removes.
  static_cast<void>(signalbox::detail::done_unless_out_of_memory([this] {
    leave();
    return true;
  }));
}

void Membership::leave() {
  if (life_.fd().is_open()) {
    reap();
    os::unlink_file(directory_, file_);
    life_.close();
  }
  os::remove_directory(objects_path_);
  os::remove_directory(members_path_);
  if (sharing_.group) return;
  os::remove_directory(place_.domain_path);
  if (place_.root_is_ours && !topic::sharing_of(place_.root).group) {
    os::remove_directory(place_.root);
  }
}

}  // namespace signalbox::sync
