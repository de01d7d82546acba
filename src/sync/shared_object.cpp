#include "sync/shared_object.hpp"

#include <algorithm>
#include <cstring>

#include "os/event_descriptor.hpp"
#include "signalbox/os/file_lock.hpp"
#include "sync/level_source.hpp"
#include "topic/segment.hpp"

namespace signalbox::sync {

namespace {

std::string described(const Terms& terms) {
  std::string text = word_for(terms.kind);
  if (terms.kind == Kind::semaphore) text += " of " + std::to_string(terms.capacity) + " units";
  if (terms.kind == Kind::barrier) text += " of " + std::to_string(terms.capacity) + " parties";
  if (terms.fairness == shm::Fairness::first_come_first_served) text += ", first come first served";
  return text;
}

bool is_same(const Terms& a, const Terms& b) noexcept {
  return a.kind == b.kind && a.fairness == b.fairness && a.capacity == b.capacity;
}

Error other_terms(const std::string& name, const Terms& theirs, const Terms& ours) {
  return {Errc::type_mismatch,
          0,
          {},
          "cannot open \"" + name + "\": it is a " + described(theirs) +
              ", the caller asks for a " + described(ours) +
              ". All users must ask for the same; stop every user of it first."};
}

// The terms in a file, which were copied once, are believed if its size agrees.
Result<Terms> terms_of(const os::Mapping& mapping, const std::string& path) {
  ObjectPage page;
  std::memcpy(&page, mapping.data(), sizeof(page));
  const bool is_known = page.terms.kind >= Kind::mutex && page.terms.kind <= Kind::barrier;
  if (page.version == object_version && is_known &&
      page.terms.fairness <= shm::Fairness::first_come_first_served &&
      mapping.size() == state_offset + bytes_of(page.terms)) {
    return page.terms;
  }
  if (page.version != object_version) {
    return std::unexpected(
        Error{Errc::layout_mismatch,
              0,
              {},
              "cannot use " + path + ": it has version " + std::to_string(page.version) +
                  " of the locks' layout, this library has " + std::to_string(object_version) +
                  ". Run both programs with the same Signalbox version."});
  }
  return std::unexpected(Error{Errc::damaged,
                               0,
                               {},
                               "cannot use " + path +
                                   ": it is no lock that holds together. It was left as it is; "
                                   "remove it by hand if no program needs it."});
}

// What finding and making an object's file needs at each try.
struct Search {
  const std::shared_ptr<Membership>& members;
  const topic::Place& place;
  const Terms& terms;
  std::uint32_t units;
  std::string file;
  std::string path;
};

// Empty: the directory or the file is on its way out.
using Found = std::shared_ptr<SharedObject>;

Result<Found> unless_gone(Error& error) {
  const bool is_gone = error.code == Errc::not_found || error.sys_errno == ENOENT;
  return is_gone ? Result<Found>(Found()) : std::unexpected(std::move(error));
}

// Says that somebody has the object open, as long as the descriptor it answers is; with none,
// whoever was last is about to remove the file. It is a descriptor of its own because a mapping
// keeps the file that it was made from open, locks and all, and there are kernels that take the
// memory of the dead away some milliseconds after their end.
Result<os::Fd> hold(const os::Fd& mapped) {
  auto own = os::reopen(mapped);
  if (!own) return own;
  const auto locked = os::try_lock(*own, os::LockKind::shared);
  if (!locked) return std::unexpected(locked.error());
  return *locked ? std::move(own) : os::Fd();
}

Found adopt(const Search& search, os::Fd file, os::Mapping mapping, const Terms& terms) {
  return Found(make_core(OpenObject{search.members, search.place.name, os::LifeFd(std::move(file)),
                                    std::move(mapping), terms})
                   .release(),
               &SharedObject::retire);
}

Result<Found> make(const Search& search, const os::Fd& directory) {
  const std::uint64_t bytes = state_offset + bytes_of(search.terms);
  auto fresh = topic::create_segment(directory, search.path, object_kind, 0, bytes,
                                     sizeof(ObjectPage), search.members->sharing().files);
  if (!fresh) return unless_gone(fresh.error());
  auto& page = *fresh->mapping.at<ObjectPage>(0);
  page.version = object_version;
  page.terms = search.terms;
  begin_state(search.terms, search.units, fresh->mapping.data() + state_offset);
  auto held = hold(fresh->file);
  if (!held) return std::unexpected(std::move(held.error()));
  // Whole before it has a name: what fails for want of memory leaves no file.
  auto made = adopt(search, std::move(*held), std::move(fresh->mapping), search.terms);
  if (auto linked = os::link_unnamed(fresh->file, directory, search.file); !linked) {
    // Somebody was quicker: the next try finds his.
    if (linked.error().code == Errc::already_exists) return Found();
    return unless_gone(linked.error());
  }
  return made;
}

Result<Found> find_or_make(const Search& search) {
  const auto& sharing = search.members->sharing();
  if (auto made = os::make_directories(search.members->objects_path(), sharing.directories);
      !made) {
    return unless_gone(made.error());
  }
  auto directory = os::open_directory(search.members->objects_path());
  if (!directory) {
    const bool is_passing =
        directory.error().code == Errc::permission_denied && sharing.group.has_value();
    return is_passing ? Result<Found>(Found()) : unless_gone(directory.error());
  }
  auto segment = topic::open_segment(*directory, search.file, search.path, object_kind,
                                     sizeof(ObjectPage), os::Access::read_write);
  if (!segment) {
    if (segment.error().code == Errc::not_found) return make(search, *directory);
    return std::unexpected(std::move(segment.error()));
  }
  auto held = hold(segment->file);
  if (!held) return std::unexpected(std::move(held.error()));
  const auto facts = os::facts_of(segment->file);
  if (!facts) return std::unexpected(facts.error());
  if (!held->is_open() || facts->links == 0) return Found();
  const auto theirs = terms_of(segment->mapping, search.path);
  if (!theirs) return std::unexpected(theirs.error());
  if (!is_same(*theirs, search.terms)) {
    return std::unexpected(other_terms(search.place.name, *theirs, search.terms));
  }
  return adopt(search, std::move(*held), std::move(segment->mapping), *theirs);
}

// The one that this process has open already. Called with the members' lock.
Found known(Membership& members, const std::string& name) {
  for (SharedObject* const object : members.objects()) {
    if (object->name() != name) continue;
    if (auto alive = object->weak_from_this().lock()) return alive;
  }
  return {};
}

}  // namespace

const char* word_for(Kind kind) noexcept {
  switch (kind) {
    case Kind::mutex:
      return "mutex";
    case Kind::semaphore:
      return "semaphore";
    case Kind::read_write_lock:
      return "reader/writer lock";
    case Kind::condition:
      return "condition";
    case Kind::barrier:
      break;
  }
  return "barrier";
}

Result<std::shared_ptr<SharedObject>> share(std::string_view name, std::string_view domain,
                                            const Terms& terms, std::uint32_t units) {
  const auto place = topic::locate(name, domain);
  if (!place) return std::unexpected(place.error());
  auto members = Membership::of_this_process(*place);
  if (!members) return std::unexpected(std::move(members.error()));
  const std::string file = place->topic_path.substr(place->domain_path.size() + 1);
  const Search search{*members, *place, terms,
                      units,    file,   (*members)->objects_path() + "/" + file};
  const std::lock_guard lock((*members)->mutex());
  if (auto object = known(**members, place->name)) {
    if (is_same(object->terms(), terms)) return object;
    return std::unexpected(other_terms(place->name, object->terms(), terms));
  }
  // Kept from an earlier handle that went while the object was held.
  auto& objects = (*members)->objects();
  const auto kept = std::ranges::find_if(objects, [&](const SharedObject* object) {
    return object->is_kept_ && object->name() == place->name;
  });
  if (kept != objects.end() && is_same((*kept)->terms(), terms)) {
    (*kept)->is_kept_ = false;
    (*members)->let_go();
    return Found(*kept, &SharedObject::retire);
  }
  objects.reserve(objects.size() + 1);
  const Deadline deadline = Deadline::after(join_patience);
  for (;;) {
    auto found = find_or_make(search);
    if (!found) return found;
    if (*found != nullptr) {
      objects.push_back(found->get());
      RollCall roll(**members);
      (*found)->recover(roll);
      return found;
    }
    if (deadline.passed()) {
      return std::unexpected(Error{Errc::abandoned,
                                   0,
                                   {},
                                   "cannot open \"" + place->name +
                                       "\": another process has been making or removing " +
                                       search.path +
                                       " for 2 s; is it stopped? Let it go on or "
                                       "kill it."});
    }
    let_the_other_finish();
  }
}

SharedObject::SharedObject(OpenObject&& opened)
    : members_(std::move(opened.members)),
      name_(std::move(opened.name)),
      terms_(opened.terms),
      file_(std::move(opened.file)),
      mapping_(std::move(opened.mapping)),
      token_(members_->token()) {}

void SharedObject::retire(SharedObject* object) noexcept {
  // The members must outlive the lock that they lend us.
  const std::shared_ptr<Membership> members = object->members_;
  if (members->is_foreign()) {
    delete object;
    return;
  }
  const std::lock_guard lock(members->mutex());
  if (object->is_held_here() && signalbox::detail::done_unless_out_of_memory([&] {
        members->keep();
        return true;
      })) {
    // A lock must not be held for ever by nobody: what came of the handle can still give it back,
    // and so does the end of the process.
    object->is_kept_ = true;
    return;
  }
  std::erase(members->objects(), object);
  object->leave();
  delete object;
}

// Two that leave at once must not each see the other inside, so we leave first and look second.
void SharedObject::leave() noexcept {
  // A set may still watch what it will never hear of again.
  for (std::uint32_t i = 0; i < shm::places_used(line()); ++i) {
    const auto& place = line().places[i];
    const bool is_news = static_cast<shm::Wants>(place.wants.load()) == shm::Wants::news;
    if (is_news && place.owner.load() == token()) shm::leave(line(), i);
  }
  static_cast<void>(signalbox::detail::done_unless_out_of_memory([this] {
    os::unlock(file_.fd());
    const auto alone = os::try_lock(file_.fd(), os::LockKind::exclusive);
    if (!alone || !*alone || is_lost() || !is_as_made()) return true;
    const auto facts = os::facts_of(file_.fd());
    const auto directory = os::open_directory(members_->objects_path());
    std::string file = name_;
    std::ranges::replace(file, '/', '+');
    if (facts && facts->links != 0 && directory) os::unlink_file(*directory, file);
    return true;
  }));
}

void SharedObject::look_for_the_dead() noexcept {
  RollCall roll(*members_);
  recover(roll);
}

void SharedObject::wake(shm::Place<Atomics>& place) const noexcept {
  if (static_cast<shm::Wants>(place.wants.load()) != shm::Wants::news) {
    os::futex_wake(&place.call, 1);
    return;
  }
  // Where that fails it counts as called all the same, and finds out by itself (level_source.hpp).
  static_cast<void>(signalbox::detail::done_unless_out_of_memory([&] {
    const std::string pipe = pipe_name(place.owner.load(), place.pipe.load());
    if (const auto opened = os::open_signal(members_->directory(), pipe)) os::send_signal(*opened);
    return true;
  }));
}

shm::Stand SharedObject::stand(shm::Wants wants) const noexcept {
  return {.token = token(), .thread = os::thread_number(), .wants = wants};
}

shm::Turn SharedObject::rest(shm::Place<Atomics>* place, Deadline deadline,
                             os::OnSignal on_signal) noexcept {
  if (deadline.passed()) return shm::Turn::timed_out;
  const bool is_told = members_->tells_of_deaths();
  const std::int64_t longest = place == nullptr ? look_without_place_ns
                               : is_told        ? look_seldom_ns
                                                : look_often_ns;
  const Deadline until = std::min(deadline, Deadline::at_ns(monotonic_now_ns() + longest));
  const std::atomic<std::uint32_t> uncalled{0};
  const os::FutexWord word{place == nullptr ? &uncalled : &place->call, 0};
  const auto slept = os::futex_wait(word, until, on_signal);
  if (!slept) return shm::Turn::refused;
  if (*slept == os::FutexWake::timed_out && !deadline.passed() && place != nullptr) {
    look_for_the_dead();
  }
  const bool gives_up = *slept == os::FutexWake::interrupted;
  return gives_up ? shm::Turn::interrupted : shm::Turn::not_yet;
}

Error SharedObject::failed_because(Errc code, const char* tried, const char* why) const noexcept {
  return signalbox::detail::explained(code, [&] {
    return Error{code, 0, {}, std::string("cannot ") + tried + " \"" + name_ + "\": " + why};
  });
}

Error SharedObject::wrong_process(const char* tried) const noexcept {
  return failed_because(Errc::wrong_process, tried,
                        "the handle belongs to the parent of a fork; open one here.");
}

Error SharedObject::failed(shm::Turn turn, const char* tried) const noexcept {
  switch (turn) {
    case shm::Turn::timed_out:
      return failed_because(Errc::timed_out, tried,
                            "it was not free before the deadline; nothing was changed.");
    case shm::Turn::interrupted:
      return failed_because(Errc::interrupted, tried, "a signal handler ran; nothing was changed.");
    case shm::Turn::lost:
      return failed_because(Errc::damaged, tried,
                            "its file was shortened, or its words were overwritten by somebody. "
                            "Stop its users and remove the file.");
    default:
      return failed_because(Errc::system, tried,
                            "the kernel does not let this thread sleep. Look at the filter of its "
                            "system calls (seccomp).");
  }
}

}  // namespace signalbox::sync
