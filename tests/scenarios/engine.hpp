// engine.hpp: plays a row with actors of one kind and says what differed from what it expects.
//
//   Threads  one Engine plays one row; the lanes of "together" are threads of its own
//   Crash    kernel objects of the row stay, unless the engine has an IPC name space of its own
//   Fork     actors are forked only while no lane runs
//   Limits   a question that nobody answers within patience_max is a hang
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "actor_process.hpp"
#include "scenario.hpp"

namespace signalbox::scenarios {

// A kind of actor: how its processes are started. One that is not complete may say of an operation
// that its language has none: rows that use it are skipped, and tell why.
struct ActorKind {
  std::string name;
  std::vector<std::string> command;
  bool complete = true;
  // The families that it plays; none said: all.
  std::vector<std::string> families{};
};

struct Verdict {
  enum class Kind { played, failed, skipped } kind = Kind::played;
  std::string text{};
  std::uint64_t steps = 0;
  std::uint64_t kills = 0;
};

class Engine {
 public:
  Engine(const Row& row, const ActorKind& actors, std::uint64_t seed);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  Verdict play();

 private:
  using Variables = std::map<std::string, std::string>;
  // What one thread of the play knows: the row's own, or that of one lane.
  struct Lane {
    Variables variables{};
    std::mt19937_64 random;
    int line = 0;
  };

  void run(const std::vector<Step>& steps, Lane& lane);
  void run(const Step& step, Lane& lane);
  void say(const Step& step, Lane& lane);
  void hear(const Step& step, const std::string& name, Lane& lane, std::int64_t asked_ns);
  void refuse_unoffered(const std::string& answer) const;
  void expect_asleep(const std::string& name);
  void verb(const std::vector<std::string>& words, Lane& lane);
  void fork_actor(const std::string& parent, const std::string& child);
  void kill_actor(const std::vector<std::string>& words, Lane& lane);
  void stop_actor(const std::string& name);
  void together(const Step& step, Lane& lane);

  ActorProcess& actor(const std::string& name);
  void start_all(const Step& lane);
  std::string expanded(const std::string& word, Lane& lane);
  std::vector<std::string> expanded(const std::vector<std::string>& words, Lane& lane);
  std::string value_of(const std::string& variable, const Lane& lane);
  std::string made_up(const std::string& variable);
  bool matches(const std::vector<std::string>& pattern, const std::vector<std::string>& answer,
               Lane& lane);
  void note(const std::string& text);
  std::string transcript() const;

  const Row& row_;
  const ActorKind& kind_;
  std::uint64_t seed_;
  std::string folder_;
  std::mutex mutex_;  // guards what follows while lanes run
  bool lanes_run_ = false;
  std::map<std::string, ActorProcess> actors_;
  Variables made_up_;  // names and keys that this play alone uses
  std::vector<std::string> notes_;
  std::uint64_t steps_ = 0;
  std::uint64_t kills_ = 0;
};

}  // namespace signalbox::scenarios
