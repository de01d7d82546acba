// lock_step.hpp: runs a sequence of steps on a bare object and on ours, and compares after each.
//
//   Threads  one driver     Crash  actors die with it     Fork  see Crew     Limits  see Crew
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "crew.hpp"
#include "family.hpp"
#include "operation.hpp"

namespace signalbox::differential {

struct Difference {
  std::size_t step = 0;
  bool hangs = false;
  std::string what{};  // bare and ours
  std::string row{};   // the sequence up to there as a scenario row
};

struct Efforts {
  std::uint64_t steps = 0;
  std::uint64_t sleeps = 0;
  std::uint64_t kills = 0;
  std::uint64_t signals = 0;
};

class LockStep {
 public:
  LockStep(const Family& family, std::chrono::seconds patience);
  // After a difference the two are out of step, and a new LockStep is needed.
  std::optional<Difference> run(const std::vector<Step>& steps);
  const Efforts& efforts() const { return efforts_; }

 private:
  std::optional<std::string> run(const Step& step);
  std::optional<std::string> compare(int asked);
  void compare_process(int process, bool was_asked, std::string& differs);
  std::optional<std::string> end();
  // What the step comes to while some sleep: an idle process acts; where all sleep, one is woken.
  Step possible(Step step) const;
  bool would_race(const Operation& operation) const;
  void say(const std::string& line) { lines_.push_back(line); }
  std::string row(const std::string& what) const;

  const Family& family_;
  Crew bare_;
  Crew ours_;
  Efforts efforts_;
  std::vector<std::string> lines_;
};

// Leaves out what the difference does not need, by halves, quarters and so on (delta debugging).
// Answers the shortest sequence found that still differs, with its difference.
std::pair<std::vector<Step>, Difference> shrunk(const Family& family, std::vector<Step> steps,
                                                Difference difference);

std::vector<Step> random_steps(const Family& family, std::uint64_t seed, std::size_t count);

}  // namespace signalbox::differential
