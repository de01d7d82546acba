#include "engine.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <thread>

#include "leftovers.hpp"
#include "signalbox/deadline.hpp"

namespace signalbox::scenarios {

namespace {

using namespace std::chrono_literals;

constexpr auto patience_max = 60s;
constexpr std::size_t notes_shown_max = 40;

// The row cannot be played here; the text says why.
struct Skip {
  std::string why;
};

std::chrono::nanoseconds span_of(const std::string& text) {
  std::size_t digits = 0;
  const long count = std::stol(text, &digits);
  const std::string unit = text.substr(digits);
  if (unit == "us") return std::chrono::microseconds(count);
  if (unit == "ms") return std::chrono::milliseconds(count);
  if (unit == "s") return std::chrono::seconds(count);
  throw Mismatch{"\"" + text + "\" is no span of time"};
}

int signal_number(const std::string& name) {
  static const std::map<std::string, int> numbers = {
      {"USR1", SIGUSR1}, {"USR2", SIGUSR2}, {"TERM", SIGTERM}, {"PIPE", SIGPIPE}};
  const auto found = numbers.find(name);
  if (found == numbers.end()) throw Mismatch{"no signal is called " + name};
  return found->second;
}

// Looks again and again until something is so; between two looks others get the processor, and
// after a while a millisecond.
template <class Condition>
void until(const std::string& what, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + patience_max;
  for (int looks = 0; !condition(); ++looks) {
    if (std::chrono::steady_clock::now() > end) throw Mismatch{"hangs: " + what};
    if (looks < 100) {
      ::sched_yield();
    } else {
      ::poll(nullptr, 0, 1);
    }
  }
}

// A pause that a row asks for, of random length: it only mixes the order in which lanes run.
void pause_up_to(std::chrono::nanoseconds most, std::mt19937_64& random) {
  const auto length =
      static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(most.count()));
  const std::int64_t end = monotonic_now_ns() + length;
  while (monotonic_now_ns() < end) ::sched_yield();
}

}  // namespace

Engine::Engine(const Row& row, const ActorKind& actors, std::uint64_t seed)
    : row_(row), kind_(actors), seed_(seed) {
  char folder[] = "/tmp/signalbox-scenario-XXXXXX";
  if (::mkdtemp(folder) == nullptr) throw std::runtime_error("no folder in /tmp");
  folder_ = folder;
  ::chmod(folder, 0711);  // an actor that became another user passes through it
}

Engine::~Engine() {
  actors_.clear();
  for (const auto& [variable, value] : made_up_) remove_leftovers(variable, value);
  std::error_code gone;
  std::filesystem::remove_all(folder_, gone);
}

Verdict Engine::play() {
  Lane lane{{}, std::mt19937_64(seed_)};
  Verdict verdict;
  try {
    if (std::ranges::count(row_.needs, "root") != 0 && ::geteuid() != 0) throw Skip{"needs root"};
    if (const auto found = row_.not_in.find(kind_.name); found != row_.not_in.end()) {
      throw Skip{"not in this language: " + found->second};
    }
    run(row_.steps, lane);
  } catch (const Mismatch& mismatch) {
    verdict = {Verdict::Kind::failed, row_.file + ":" + std::to_string(lane.line) + ": " +
                                          mismatch.what + "\n" + transcript() +
                                          "seed: SBX_SEED=" + std::to_string(seed_) + "\n"};
  } catch (const Skip& skip) {
    verdict = {Verdict::Kind::skipped, skip.why};
  }
  verdict.steps = steps_;
  verdict.kills = kills_;
  return verdict;
}

void Engine::run(const std::vector<Step>& steps, Lane& lane) {
  for (const Step& step : steps) run(step, lane);
}

void Engine::run(const Step& step, Lane& lane) {
  lane.line = step.line;
  switch (step.kind) {
    case Step::Kind::say:
      return say(step, lane);
    case Step::Kind::hear:
      return hear(step, expanded(step.words[0], lane), lane, 0);
    case Step::Kind::verb: {
      const std::vector<std::string> words = expanded(step.words, lane);
      note(joined(words));
      return verb(words, lane);
    }
    case Step::Kind::repeat:
      for (int round = 0; round < std::stoi(expanded(step.words[0], lane)); ++round) {
        lane.variables["round"] = std::to_string(round);
        run(step.body, lane);
      }
      return;
    case Step::Kind::together:
      return together(step, lane);
    case Step::Kind::lane:
      throw Mismatch{"a lane outside \"together\""};
  }
}

void Engine::say(const Step& step, Lane& lane) {
  std::vector<std::string> words = expanded(step.words, lane);
  const std::string name = words[0];
  words.erase(words.begin());
  note(name + " " + joined(words));
  const std::int64_t asked_ns = monotonic_now_ns();
  actor(name).say(joined(words));
  hear(step, name, lane, asked_ns);
}

void Engine::hear(const Step& step, const std::string& name, Lane& lane, std::int64_t asked_ns) {
  {
    const std::lock_guard lock(mutex_);
    ++steps_;
  }
  if (step.expected[0][0] == "sleeps") return expect_asleep(name);
  if (step.expected[0][0] == "later") return;
  const auto answer = actor(name).hear(patience_max);
  if (!answer) throw Mismatch{"hangs: " + name + " does not answer"};
  const std::int64_t took_ns = monotonic_now_ns() - asked_ns;
  note(name + "    answers " + *answer);
  refuse_unoffered(*answer);
  for (const auto& pattern : step.expected) {
    if (!matches(pattern, words_of(*answer), lane)) continue;
    if (!step.not_before.empty() && took_ns < span_of(step.not_before).count()) {
      throw Mismatch{name + " answered after " + std::to_string(took_ns / 1000) +
                     " us, before its deadline of " + step.not_before};
    }
    return;
  }
  std::string wanted;
  for (const auto& pattern : step.expected) {
    wanted += (wanted.empty() ? "" : " or ") + joined(expanded(pattern, lane));
  }
  throw Mismatch{name + " answers \"" + *answer + "\" where the row says \"" + wanted + "\""};
}

// An actor that does not know an operation is incomplete; one in another language may say instead
// that it has none, and why, and then the row is not for it.
void Engine::refuse_unoffered(const std::string& answer) const {
  if (answer == "unoffered") throw Mismatch{"the " + kind_.name + " actor lacks this operation"};
  constexpr std::string_view absent = "not-in-language";
  if (!answer.starts_with(absent)) return;
  if (kind_.complete) throw Mismatch{"the " + kind_.name + " actor must offer this operation"};
  throw Skip{"not in this language:" + answer.substr(absent.size())};
}

void Engine::expect_asleep(const std::string& name) {
  ActorProcess& sleeper = actor(name);
  until(name + " neither answers nor sleeps", [&] {
    if (sleeper.is_asleep_in_operation()) return true;
    if (const auto answer = sleeper.hear(0ms)) {
      refuse_unoffered(*answer);
      throw Mismatch{name + " answers \"" + *answer + "\" where the row says that it sleeps"};
    }
    return false;
  });
  note(name + "    sleeps");
}

void Engine::verb(const std::vector<std::string>& words, Lane& lane) {
  const std::string& name = words.at(1);
  if (words[0] == "start") {
    for (std::size_t i = 1; i < words.size(); ++i) actor(words[i]);
  } else if (words[0] == "fork") {
    fork_actor(name, words.at(2));
  } else if (words[0] == "kill") {
    kill_actor(words, lane);
  } else if (words[0] == "stop") {
    stop_actor(name);
  } else if (words[0] == "continue") {
    actor(name).signal(SIGCONT);
  } else if (words[0] == "signal") {
    actor(name).signal(signal_number(words.at(2)));
  } else if (words[0] == "leave") {
    const int status = actor(name).leave(patience_max);
    actors_.erase(name);
    if (status > 0) throw Mismatch{name + " leaves with status " + std::to_string(status)};
  } else if (words[0] == "pause") {
    pause_up_to(span_of(name), lane.random);
  } else if (words.at(2) == "random") {  // let NAME random LEAST MOST
    std::uniform_int_distribution<long> distribution(std::stol(words.at(3)),
                                                     std::stol(words.at(4)));
    lane.variables[name] = std::to_string(distribution(lane.random));
  } else {  // let NAME VALUE
    lane.variables[name] = words[2];
  }
}

// The child meets the engine at a socket of its own: it can share neither its parent's answers nor
// its questions.
void Engine::fork_actor(const std::string& parent, const std::string& child) {
  const std::string path = folder_ + "/fork-" + std::to_string(steps_) + "-" + child;
  os::Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 1) != 0) {
    throw Mismatch{"cannot listen at " + path};
  }
  actor(parent).say("fork " + path);
  const auto answer = actor(parent).hear(patience_max);
  if (answer) refuse_unoffered(*answer);
  if (!answer || !answer->starts_with("ok ")) throw Mismatch{parent + " does not fork"};
  pollfd arrived{listener.get(), POLLIN, 0};
  if (::poll(&arrived, 1, static_cast<int>(std::chrono::milliseconds(patience_max).count())) != 1) {
    throw Mismatch{"hangs: the child " + child + " does not come"};
  }
  os::Fd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  ::unlink(path.c_str());
  ++steps_;
  ActorProcess forked(std::move(socket), std::stoi(answer->substr(3)));
  if (forked.hear(patience_max) != answer) throw Mismatch{child + " does not say who it is"};
  actors_.erase(child);
  actors_.emplace(child, std::move(forked));
}

// kill NAME [within SPAN]
void Engine::kill_actor(const std::vector<std::string>& words, Lane& lane) {
  if (words.size() > 3) pause_up_to(span_of(words[3]), lane.random);
  actor(words[1]).kill();
  actors_.erase(words[1]);
  ++kills_;
}

void Engine::stop_actor(const std::string& name) {
  ActorProcess& stopped = actor(name);
  stopped.signal(SIGSTOP);
  until(name + " does not stop", [&] { return stopped.is_stopped(); });
}

void Engine::together(const Step& step, Lane& lane) {
  for (const Step& part : step.body) start_all(part);
  lanes_run_ = true;
  std::vector<std::thread> threads;
  std::string failure;
  std::optional<Skip> skipped;
  int failed_line = 0;
  for (const Step& part : step.body) {
    for (const std::string& name : part.words) {
      threads.emplace_back([&, name] {
        Lane own{lane.variables,
                 std::mt19937_64(seed_ + threads.size() + std::hash<std::string>{}(name))};
        own.variables["lane"] = name;
        try {
          run(part.body, own);
        } catch (const Mismatch& mismatch) {
          const std::lock_guard lock(mutex_);
          if (failure.empty()) failed_line = own.line;
          failure += (failure.empty() ? "" : "; and ") + mismatch.what;
        } catch (const Skip& skip) {
          const std::lock_guard lock(mutex_);
          skipped = skip;
        }
      });
    }
  }
  for (std::thread& thread : threads) thread.join();
  lanes_run_ = false;
  if (failure.empty() && skipped) throw Skip(*skipped);
  if (failure.empty()) return;
  lane.line = failed_line;
  throw Mismatch{failure};
}

// Processes start here and never in a lane: forking is for a process with one thread.
void Engine::start_all(const Step& lane) {
  for (const std::string& name : lane.words) actor(name);
  for (const Step& step : lane.body) {
    const bool plays = step.kind == Step::Kind::say || step.kind == Step::Kind::hear;
    if (plays && step.words[0] != "$lane") actor(step.words[0]);
    start_all({Step::Kind::lane, step.line, {}, {}, {}, step.body});
  }
}

ActorProcess& Engine::actor(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto found = actors_.find(name);
  if (found != actors_.end()) return found->second;
  if (lanes_run_) throw Mismatch{name + " would have to start inside a lane"};
  return actors_.emplace(name, ActorProcess(kind_.command)).first->second;
}

// Puts in what stands behind each $name or ${name}.
std::string Engine::expanded(const std::string& word, Lane& lane) {
  std::string text;
  for (std::size_t at = 0; at < word.size();) {
    if (word[at] != '$') {
      text += word[at++];
      continue;
    }
    const bool braced = word.compare(at, 2, "${") == 0;
    const std::size_t begin = at + (braced ? 2 : 1);
    std::size_t end = begin;
    while (end < word.size() &&
           (std::isalnum(static_cast<unsigned char>(word[end])) != 0 || word[end] == '_')) {
      ++end;
    }
    text += value_of(word.substr(begin, end - begin), lane);
    at = end + (braced ? 1 : 0);
  }
  return text;
}

std::vector<std::string> Engine::expanded(const std::vector<std::string>& words, Lane& lane) {
  std::vector<std::string> all;
  all.reserve(words.size());
  for (const std::string& word : words) all.push_back(expanded(word, lane));
  return all;
}

std::string Engine::value_of(const std::string& variable, const Lane& lane) {
  if (const auto found = lane.variables.find(variable); found != lane.variables.end()) {
    return found->second;
  }
  if (variable.starts_with("pid_")) return std::to_string(actor(variable.substr(4)).pid());
  if (variable == "uid") return std::to_string(::getuid());
  const std::lock_guard lock(mutex_);
  if (const auto found = made_up_.find(variable); found != made_up_.end()) return found->second;
  return made_up_[variable] = made_up(variable);
}

// $key..., $name..., $path... and $abstract... are made up when they are first used: nobody else
// has them.
std::string Engine::made_up(const std::string& variable) {
  const std::string own = folder_.substr(folder_.rfind('-') + 1);
  if (variable.starts_with("key")) return std::to_string(unused_key());
  if (variable.starts_with("name")) return "/sbx-" + own + "-" + variable;
  if (variable.starts_with("path")) return folder_ + "/" + variable;
  if (variable.starts_with("abstract")) return "@sbx-" + own + "-" + variable;
  throw Mismatch{"nothing is called $" + variable};
}

// Each word is itself, * (any one word), ... (any rest) or ?NAME (any word, called $NAME then).
bool Engine::matches(const std::vector<std::string>& pattern,
                     const std::vector<std::string>& answer, Lane& lane) {
  Variables found;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == "...") break;
    if (i >= answer.size()) return false;
    if (pattern[i][0] == '?') {
      found[pattern[i].substr(1)] = answer[i];
    } else if (pattern[i] != "*" && expanded(pattern[i], lane) != answer[i]) {
      return false;
    }
  }
  if (pattern.back() != "..." && pattern.size() != answer.size()) return false;
  for (auto& [name, value] : found) lane.variables[name] = value;
  return true;
}

void Engine::note(const std::string& text) {
  const std::lock_guard lock(mutex_);
  notes_.push_back(text);
}

std::string Engine::transcript() const {
  std::string text;
  const std::size_t left_out =
      notes_.size() > notes_shown_max ? notes_.size() - notes_shown_max : 0;
  if (left_out != 0) text += "  (" + std::to_string(left_out) + " earlier lines)\n";
  for (std::size_t i = left_out; i < notes_.size(); ++i) text += "  " + notes_[i] + "\n";
  return text;
}

}  // namespace signalbox::scenarios
