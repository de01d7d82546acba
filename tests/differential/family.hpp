// family.hpp: a kind of object that exists twice, bare and wrapped, and what can be done to it.
//
//   Threads  one     Crash  objects in the kernel stay     Fork  actors are forked from the driver
//   Limits   none
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "operation.hpp"

namespace signalbox::differential {

// Which process of a crew a pid is: 0 to 3; -1 for the driver, -2 for nobody.
using WhoIs = std::function<int(std::int64_t pid)>;

// One of the two: the bare object or ours. It is made by the driver before a sequence; every actor
// meets it through a copy of the address that make() left in shared memory.
class Side {
 public:
  virtual ~Side() = default;

  // In the driver: a new object, whose address (an id, the number in a name) is answered.
  virtual std::int64_t make() = 0;
  // In an actor, before its first operation on it.
  virtual void meet(std::int64_t address) = 0;
  // In an actor.
  virtual Answer perform(const Operation& operation) = 0;
  // In the driver, while every actor sleeps or has answered.
  virtual Facts look(const WhoIs& who_is) = 0;
  // In the driver, at the end. Sleepers of objects that can tell them wake with an answer.
  virtual void remove() = 0;
};

std::string text_of_values(const Answer& answer);
// "ok KIND x*31", where the answer's values are a kind (a type, a priority), a length, a letter.
std::string text_of_message(const Answer& answer);

struct Family {
  std::string name;
  // For a row that repeats a sequence: how A makes the object, how others meet it.
  std::string setting;
  std::string meeting;
  std::string facts;  // what look() tells, in words
  std::function<std::unique_ptr<Side>()> bare;
  std::function<std::unique_ptr<Side>()> ours;
  std::function<Operation(std::mt19937_64&)> random_operation;
  std::function<std::string(const Operation&)> text_of;  // as a scenario row says it
  // Whether removing the object wakes who sleeps; the others are woken by a signal.
  bool removal_wakes = false;
  // Where it is not settled who of several sleepers goes first, they race even on one object. Of a
  // class of such operations one sleeps at a time. -1: no race.
  std::function<int(const Operation&)> race_class = [](const Operation&) { return -1; };
  // What an answer says of a message: its values, but for those that stand for a text.
  std::function<std::string(const Answer&)> text_of_answer = text_of_values;
};

Family semaphore_sets();
Family sysv_queues();
Family posix_queues();
Family posix_semaphores();
Family own_semaphores();

inline int number_below(std::mt19937_64& random, int bound) {
  return static_cast<int>(random() % static_cast<std::uint64_t>(bound));
}

// One in so many.
inline bool once_in(std::mt19937_64& random, int times) { return number_below(random, times) == 0; }

inline Wait random_wait(std::mt19937_64& random) {
  const int choice = number_below(random, 400);
  if (choice < 280) return Wait::never;
  if (choice == 280) return Wait::shortly;
  return choice < 340 ? Wait::until_done : Wait::until_done_or_signal;
}

}  // namespace signalbox::differential
