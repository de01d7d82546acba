// Robust, process-shared mutexes by the C library's bare calls.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>

#include "actor.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, pthread_mutex_t*> mutexes;

pthread_mutex_t* map(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (fd < 0 || ::ftruncate(fd, 4096) != 0) return nullptr;
  void* const bytes = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return bytes == MAP_FAILED ? nullptr : static_cast<pthread_mutex_t*>(bytes);
}

std::string answer_of_code(int code) { return code == 0 ? "ok" : word_of_errno(code); }

// mutex_create NAME PATH [inherit]
std::string create(const Words& words) {
  pthread_mutex_t* const mutex = map(words[1], O_CREAT | O_EXCL);
  if (mutex == nullptr) return answer_of(-1);
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
  if (words.contains("inherit")) {
    ::pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
  }
  mutexes[words[0]] = mutex;
  return answer_of_code(::pthread_mutex_init(mutex, &attributes));
}

std::string open(const Words& words) {
  pthread_mutex_t* const mutex = map(words[1], 0);
  if (mutex == nullptr) return answer_of(-1);
  mutexes[words[0]] = mutex;
  return ok();
}

// mutex_timed NAME SPAN
std::string timed(const Words& words) {
  timespec until{};
  ::clock_gettime(CLOCK_MONOTONIC, &until);
  const long long ns = until.tv_nsec + words.span_ns(1);
  until.tv_sec += ns / 1'000'000'000;
  until.tv_nsec = ns % 1'000'000'000;
  return answer_of_code(::pthread_mutex_clocklock(mutexes.at(words[0]), CLOCK_MONOTONIC, &until));
}

std::string call(const Words& words, int (*function)(pthread_mutex_t*)) {
  return answer_of_code(function(mutexes.at(words[0])));
}

struct Victim {
  std::vector<pthread_mutex_t*> mutexes{};
  std::string answers{};
  std::atomic<bool> holds_all = false;
};

void* hold_for_ever(void* argument) {
  auto& victim = *static_cast<Victim*>(argument);
  for (pthread_mutex_t* const mutex : victim.mutexes) {
    victim.answers += " " + answer_of_code(::pthread_mutex_lock(mutex));
  }
  victim.holds_all = true;
  for (;;) ::pause();  // a point of cancellation
  return nullptr;
}

// mutex_cancel_holder NAME...: a thread takes all of them and is cancelled. Answers what it got.
std::string cancel_holder(const Words& words) {
  Victim victim;
  for (std::size_t i = 0; i < words.count(); ++i) victim.mutexes.push_back(mutexes.at(words[i]));
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
  actor.offer("mutex_lock", [](const Words& words) { return call(words, ::pthread_mutex_lock); });
  actor.offer("mutex_try", [](const Words& words) { return call(words, ::pthread_mutex_trylock); });
  actor.offer("mutex_timed", timed);
  actor.offer("mutex_unlock",
              [](const Words& words) { return call(words, ::pthread_mutex_unlock); });
  actor.offer("mutex_repaired",
              [](const Words& words) { return call(words, ::pthread_mutex_consistent); });
  actor.offer("mutex_destroy",
              [](const Words& words) { return call(words, ::pthread_mutex_destroy); });
  actor.offer("mutex_cancel_holder", cancel_holder);
}

}  // namespace signalbox::scenarios
