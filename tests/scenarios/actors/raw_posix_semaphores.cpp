// POSIX semaphores by the C library's bare calls.
#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>

#include <ctime>
#include <new>

#include "actor.hpp"

namespace signalbox::scenarios {

namespace {

std::map<std::string, sem_t*> semaphores;

std::string keep(const std::string& name, sem_t* semaphore) {
  if (semaphore == SEM_FAILED) return answer_of(-1);
  semaphores[name] = semaphore;
  return ok();
}

// sem_create NAME OBJECT VALUE [MODE]
std::string create(const Words& words) {
  const auto mode = static_cast<mode_t>(words.has(3) ? std::stoi(words[3], nullptr, 8) : 0600);
  return keep(words[0], ::sem_open(words[1].c_str(), O_CREAT | O_EXCL, mode,
                                   static_cast<unsigned>(words.number(2))));
}

std::string open_or_create(const Words& words) {
  return keep(words[0],
              ::sem_open(words[1].c_str(), O_CREAT, 0600, static_cast<unsigned>(words.number(2))));
}

// sem_unnamed NAME VALUE: in memory that children share.
std::string unnamed(const Words& words) {
  void* const memory =
      ::mmap(nullptr, sizeof(sem_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return answer_of(-1);
  auto* const semaphore = new (memory) sem_t;
  if (::sem_init(semaphore, 1, static_cast<unsigned>(words.number(1))) != 0) return answer_of(-1);
  return keep(words[0], semaphore);
}

// sem_timed NAME SPAN | past | bad
std::string timed(const Words& words) {
  timespec until{};
  ::clock_gettime(CLOCK_REALTIME, &until);
  if (words[1] == "past") {
    until.tv_sec -= 1;
  } else if (words[1] == "bad") {
    until.tv_nsec = 1'000'000'000;
  } else {
    const long long ns = until.tv_nsec + words.span_ns(1);
    until.tv_sec += ns / 1'000'000'000;
    until.tv_nsec = ns % 1'000'000'000;
  }
  return answer_of(::sem_timedwait(semaphores.at(words[0]), &until));
}

std::string value(const Words& words) {
  int value = 0;
  const int result = ::sem_getvalue(semaphores.at(words[0]), &value);
  return result < 0 ? answer_of(result) : ok(value);
}

std::string call(const Words& words, int (*function)(sem_t*)) {
  return answer_of(function(semaphores.at(words[0])));
}

}  // namespace

void offer_posix_semaphores(Actor& actor) {
  actor.offer("sem_create", create);
  actor.offer("sem_open_or_create", open_or_create);
  actor.offer("sem_open",
              [](const Words& words) { return keep(words[0], ::sem_open(words[1].c_str(), 0)); });
  actor.offer("sem_unnamed", unnamed);
  actor.offer("sem_wait", [](const Words& words) { return call(words, ::sem_wait); });
  actor.offer("sem_try", [](const Words& words) { return call(words, ::sem_trywait); });
  actor.offer("sem_timed", timed);
  actor.offer("sem_post", [](const Words& words) { return call(words, ::sem_post); });
  actor.offer("sem_value", value);
  actor.offer("sem_close", [](const Words& words) { return call(words, ::sem_close); });
  actor.offer("sem_destroy", [](const Words& words) { return call(words, ::sem_destroy); });
  actor.offer("sem_unlink",
              [](const Words& words) { return answer_of(::sem_unlink(words[0].c_str())); });
}

}  // namespace signalbox::scenarios
