// actor.hpp: a program that plays in a scenario: one operation a line on its standard input, one
// answer for each on its standard output.
//
// An answer is "ok" with values behind it, or the errno's name: EAGAIN. Texts stand as they are;
// x*16 is sixteen x, and - is no byte at all.
//
//   Threads  operations run in the only thread that reads, unless they say otherwise
//   Crash    that is what it is for
//   Fork     the operation "fork" makes a child that goes on with what its parent held
//   Limits   ends itself after ten minutes, so that one that sleeps in the kernel does not outlive
//            a killed engine for ever
#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace signalbox::scenarios {

class Words {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}
  std::size_t count() const { return words_.size(); }
  bool has(std::size_t index) const { return index < words_.size(); }
  const std::string& operator[](std::size_t index) const { return words_.at(index); }
  long number(std::size_t index) const { return std::stol(words_.at(index)); }
  // The bytes that a text stands for.
  std::string bytes(std::size_t index) const;
  // "50ms" and the like in nanoseconds.
  long long span_ns(std::size_t index) const;
  bool contains(const std::string& word) const;

 private:
  std::vector<std::string> words_;
};

using Operation = std::function<std::string(const Words&)>;

class Actor {
 public:
  void offer(const std::string& name, Operation operation);
  // Until the end of the input.
  int run();

 private:
  std::map<std::string, Operation> operations_;
};

// The word for bytes.
std::string word_of(const std::string& bytes);
std::string word_of_errno(int number);
// "ok" for 0 and above, else the name of errno.
std::string answer_of(long result);
inline std::string word_of_value(const std::string& value) { return value; }
std::string word_of_value(std::integral auto value) { return std::to_string(value); }

// "ok" with these values behind it.
template <class... Values>
std::string ok(const Values&... values) {
  std::string text = "ok";
  ((text += " " + word_of_value(values)), ...);
  return text;
}

// At the start: it ends with its engine, or after a while.
void prepare();
// What all actors of ours do alike: processes, signals, rights, limits. None of it is judged.
void offer_surroundings(Actor& actor);

// What is judged; each actor program links one definition of each.
void offer_semaphore_sets(Actor& actor);
void offer_posix_semaphores(Actor& actor);
void offer_sysv_queues(Actor& actor);
void offer_posix_queues(Actor& actor);
void offer_shared_memory(Actor& actor);
void offer_robust_mutexes(Actor& actor);
void offer_streams(Actor& actor);

}  // namespace signalbox::scenarios
