#include "lock_step.hpp"

#include <algorithm>
#include <cstring>

namespace signalbox::differential {

namespace {

std::string name_of(int process) { return std::string(1, static_cast<char>('A' + process)); }

std::string text_of(const Family& family, const Answer& answer) {
  if (answer.error == 0) return family.text_of_answer(answer);
  const char* const name = ::strerrorname_np(answer.error);
  return name == nullptr ? "errno-" + std::to_string(answer.error) : name;
}

}  // namespace

std::string text_of_values(const Answer& answer) {
  std::string text = "ok";
  for (std::size_t i = 0; i < answer.count; ++i) text += " " + std::to_string(answer.values.at(i));
  return text;
}

std::string text_of_message(const Answer& answer) {
  if (answer.count != 3) return text_of_values(answer);
  const std::int64_t length = answer.values[1];
  const std::string kind = "ok " + std::to_string(answer.values[0]) + " ";
  if (length == 0) return kind + "-";
  if (answer.values[2] < 0) return kind + "of-several-letters";
  const auto letter = static_cast<char>(answer.values[2]);
  return kind + (length > 8 ? std::string(1, letter) + "*" + std::to_string(length)
                            : std::string(static_cast<std::size_t>(length), letter));
}

std::string text_of(const Facts& facts) {
  std::string text;
  for (std::size_t i = 0; i < facts.count; ++i) {
    text += (i == 0 ? "" : " ") + std::to_string(facts.values.at(i));
  }
  return text;
}

LockStep::LockStep(const Family& family, std::chrono::seconds patience)
    : family_(family), bare_(family.bare(), patience), ours_(family.ours(), patience) {}

std::optional<Difference> LockStep::run(const std::vector<Step>& steps) {
  lines_.clear();
  std::size_t at = 0;
  std::optional<std::string> difference;
  try {
    bare_.begin();
    ours_.begin();
    for (; at < steps.size() && !difference; ++at) difference = run(steps[at]);
    if (!difference) difference = end();
  } catch (const Hang& hang) {
    difference = std::string("hangs: ") + hang.what();
  }
  if (!difference) return std::nullopt;
  return Difference{std::min(at, steps.size()), difference->starts_with("hangs"), *difference,
                    row(*difference)};
}

Step LockStep::possible(Step step) const {
  if (step.kind != Step::Kind::act) return step;
  for (int i = 0; i < processes; ++i) {
    const int process = (step.process + i) % processes;
    if (bare_.is_busy(process)) continue;
    step.process = static_cast<std::uint8_t>(process);
    if (step.operation.may_sleep() && would_race(step.operation)) {
      step.operation.wait = Wait::never;
    }
    return step;
  }
  // All sleep: one is woken, and if it would go on after a signal it goes.
  const bool goes_on = bare_.operation(step.process).wait == Wait::until_done;
  step.kind = goes_on ? Step::Kind::kill : Step::Kind::signal;
  return step;
}

std::optional<std::string> LockStep::run(const Step& wanted) {
  const Step step = possible(wanted);
  const int process = step.process;
  ++efforts_.steps;
  if (step.kind == Step::Kind::act) {
    bare_.ask(process, step.operation);
    ours_.ask(process, step.operation);
    say(name_of(process) + " " + family_.text_of(step.operation));
  } else if (step.kind == Step::Kind::signal) {
    if (!bare_.is_busy(process)) return std::nullopt;
    ++efforts_.signals;
    bare_.signal(process);
    ours_.signal(process);
    say("signal " + name_of(process) + " USR1");
  }
  if (step.kind == Step::Kind::kill) {
    ++efforts_.kills;
    bare_.kill(process);
    ours_.kill(process);
    say("kill " + name_of(process));
    say(name_of(process) + " " + family_.meeting);
  }
  bare_.settle();
  ours_.settle();
  return compare(step.kind == Step::Kind::act ? process : -1);
}

bool LockStep::would_race(const Operation& operation) const {
  const int race = family_.race_class(operation);
  if (race < 0) return false;
  for (int process = 0; process < processes; ++process) {
    if (!bare_.is_busy(process)) continue;
    if (family_.race_class(bare_.operation(process)) == race) return true;
  }
  return false;
}

void LockStep::compare_process(int process, bool was_asked, std::string& differs) {
  Answer bare;
  Answer ours;
  const bool bare_answers = bare_.take_answer(process, bare);
  const bool ours_answers = ours_.take_answer(process, ours);
  const std::string bare_text = bare_answers ? text_of(family_, bare) : "sleeps";
  const std::string ours_text = ours_answers ? text_of(family_, ours) : "sleeps";
  if (was_asked) {
    lines_.back() += " = " + bare_text;
    if (!bare_answers) ++efforts_.sleeps;
  } else if (bare_answers || ours_answers) {
    say(name_of(process) + " = " + bare_text);
  }
  if (bare_text == ours_text) return;
  lines_.back() += "   # ours: " + ours_text;
  differs += name_of(process) + ": bare " + bare_text + ", ours " + ours_text + "; ";
}

std::optional<std::string> LockStep::compare(int asked) {
  std::string differs;
  // Who was asked comes first: its answer stands behind its question.
  if (asked >= 0) compare_process(asked, true, differs);
  for (int process = 0; process < processes; ++process) {
    if (process == asked || (!bare_.is_busy(process) && !ours_.is_busy(process))) continue;
    compare_process(process, false, differs);
  }
  if (!differs.empty()) return differs;
  const Facts bare = bare_.look();
  const Facts ours = ours_.look();
  if (bare == ours) return std::nullopt;
  return family_.facts + ": bare " + text_of(bare) + ", ours " + text_of(ours);
}

std::optional<std::string> LockStep::end() {
  const auto bare = bare_.end(family_.removal_wakes);
  const auto ours = ours_.end(family_.removal_wakes);
  say(family_.removal_wakes ? "remove" : "signal all");
  for (std::size_t process = 0; process < processes; ++process) {
    if (bare.at(process) == ours.at(process)) continue;
    return "at the end " + name_of(static_cast<int>(process)) + ": bare " +
           text_of(family_, bare.at(process)) + ", ours " + text_of(family_, ours.at(process));
  }
  return std::nullopt;
}

std::string LockStep::row(const std::string& what) const {
  std::string text = "row X differential/" + family_.name + ": found by chance\n";
  text += "  A " + family_.setting + "\n";
  for (const char process : {'B', 'C', 'D'}) {
    text += "  " + std::string(1, process) + " " + family_.meeting + "\n";
  }
  for (const std::string& line : lines_) text += "  " + line + "\n";
  return text + "  # " + what + "\n";
}

std::pair<std::vector<Step>, Difference> shrunk(const Family& family, std::vector<Step> steps,
                                                Difference difference) {
  // What comes behind the difference is not needed.
  steps.resize(std::min(steps.size(), difference.step));
  const bool hangs = difference.hangs;
  const auto still_differs = [&](const std::vector<Step>& fewer) {
    // Enough patience for a machine that is busy; only hangs take it.
    auto found = LockStep(family, std::chrono::seconds(5)).run(fewer);
    if (!found || found->hangs != hangs) return false;
    difference = std::move(*found);
    return true;
  };
  for (std::size_t length = steps.size() / 2; length > 0;) {
    bool less = false;
    for (std::size_t at = 0; at < steps.size();) {
      std::vector<Step> fewer(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(at));
      const std::size_t rest = std::min(at + length, steps.size());
      fewer.insert(fewer.end(), steps.begin() + static_cast<std::ptrdiff_t>(rest), steps.end());
      if (still_differs(fewer)) {
        steps = std::move(fewer);
        less = true;
      } else {
        at += length;
      }
    }
    if (!less || length > 1) length /= 2;
  }
  return {std::move(steps), std::move(difference)};
}

std::vector<Step> random_steps(const Family& family, std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<Step> steps;
  for (std::size_t i = 0; i < count; ++i) {
    Step step;
    step.process = static_cast<std::uint8_t>(number_below(random, processes));
    if (once_in(random, 400)) {
      step.kind = Step::Kind::kill;
    } else if (once_in(random, 25)) {
      step.kind = Step::Kind::signal;
    } else {
      step.operation = family.random_operation(random);
    }
    steps.push_back(step);
  }
  return steps;
}

}  // namespace signalbox::differential
