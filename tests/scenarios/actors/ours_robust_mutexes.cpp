// Robust mutexes by os::RobustMutex. What it locks it holds in an object; that the last holder died
// is told by that object, and is EOWNERDEAD here.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>

#include "actor.hpp"
#include "ours.hpp"
#include "signalbox/os/robust_mutex.hpp"

namespace signalbox::scenarios {

namespace {

using os::RobustMutex;

constexpr std::size_t size = 4096;
std::map<std::string, RobustMutex> mutexes;
std::map<std::string, RobustMutex::Held> held;

// A file of zeroes is empty memory.
RobustMutex::Memory* map(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (fd < 0 || ::ftruncate(fd, size) != 0) return nullptr;
  void* const bytes = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (bytes == MAP_FAILED) return nullptr;
  return RobustMutex::Memory::in({static_cast<std::byte*>(bytes), size}).value_or(nullptr);
}

std::string create(const Words& words) {
  RobustMutex::Memory* const memory = map(words[1], O_CREAT | O_EXCL);
  if (memory == nullptr) return answer_of(-1);
  return keep(mutexes, words[0],
              RobustMutex::create(*memory, {.priority_inheritance = words.contains("inherit")}));
}

std::string open(const Words& words) {
  RobustMutex::Memory* const memory = map(words[1], 0);
  if (memory == nullptr) return answer_of(-1);
  return keep(mutexes, words[0], RobustMutex::open(*memory));
}

std::string locked(const std::string& name, Result<RobustMutex::Held> result) {
  if (!result) return answer_of(result.error());
  if (!*result) return word_of_errno(EBUSY);  // empty is a value of ours
  const bool owner_died = result->owner_died();
  held.insert_or_assign(name, std::move(*result));
  return owner_died ? word_of_errno(EOWNERDEAD) : ok();
}

std::string unlock(const Words& words) {
  const std::string answer = answer_of(held.at(words[0]).unlock());
  held.erase(words[0]);
  return answer;
}

// What the cancelled thread holds lies outside its stack: at its end that is unwound, and there it
// would be unlocked.
struct Victim {
  std::vector<RobustMutex*> mutexes{};
  std::vector<RobustMutex::Held> held{};
  std::string answers{};
  std::atomic<bool> holds_all = false;
};

void* hold_for_ever(void* argument) {
  auto& victim = *static_cast<Victim*>(argument);
  for (RobustMutex* const mutex : victim.mutexes) {
    auto result = mutex->lock(Deadline::never());
    victim.answers += " " + answer_of(result);
    if (result) victim.held.push_back(std::move(*result));
  }
  victim.holds_all = true;
  for (;;) ::pause();  // a point of cancellation
  return nullptr;
}

std::string cancel_holder(const Words& words) {
  Victim victim;
  for (std::size_t i = 0; i < words.count(); ++i) victim.mutexes.push_back(&mutexes.at(words[i]));
  pthread_t thread{};
  if (::pthread_create(&thread, nullptr, hold_for_ever, &victim) != 0) return "EAGAIN";
  while (!victim.holds_all) ::sched_yield();
  ::pthread_cancel(thread);
  ::pthread_join(thread, nullptr);
  return "ok" + victim.answers;
}

}  // namespace

void offer_robust_mutexes(Actor& actor) {
  actor.offer("mutex_create", create);
  actor.offer("mutex_open", open);
  actor.offer("mutex_lock", [](const Words& words) {
    return locked(words[0], mutexes.at(words[0]).lock(Deadline::never()));
  });
  actor.offer("mutex_try",
              [](const Words& words) { return locked(words[0], mutexes.at(words[0]).try_lock()); });
  actor.offer("mutex_timed", [](const Words& words) {
    return locked(words[0], mutexes.at(words[0]).lock(deadline_of(words, 1)));
  });
  actor.offer("mutex_unlock", unlock);
  actor.offer("mutex_repaired",
              [](const Words& words) { return answer_of(held.at(words[0]).mark_consistent()); });
  actor.offer("mutex_destroy",
              [](const Words& words) { return answer_of(mutexes.at(words[0]).destroy()); });
  actor.offer("mutex_cancel_holder", cancel_holder);
}

}  // namespace signalbox::scenarios
