// spawn_plan.hpp: all that a child does between its birth and its program, decided beforehand,
// because it shares our memory until then and may neither allocate nor lock.
//
//   Threads  one at a time     Crash  nothing to lose     Fork  is what it is about
//   Limits   as os/child.hpp
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "signalbox/error.hpp"
#include "signalbox/os/child.hpp"
#include "signalbox/os/fd.hpp"

namespace signalbox::os {

enum class SpawnStep : int {
  none,
  group,
  death_signal,
  signals,
  descriptors,
  working_directory,
  close_others,
  program,
};

// Written by the child, read by us; in memory that both see even where the rest is copied.
struct SpawnReport {
  SpawnStep step;
  int refused;
};

struct SpawnPlan {
  struct Place {
    int source;
    int number;  // where the child shall find it
  };

  static Result<SpawnPlan> make(std::span<const std::string> argv, SpawnOptions options);

  std::vector<std::string> words;  // own what the pointers below point to
  std::vector<std::string> environment;
  std::vector<std::string> programs;  // to be tried in turn
  std::vector<char*> word_pointers;   // ends with null
  std::vector<char*> environment_pointers;
  char* const* environment_of_child = nullptr;
  std::vector<Place> places;  // by ascending number; no number twice
  std::vector<Fd> owned;      // closed here when the child has them
  std::string working_directory;
  SpawnOptions::Group group{};
  int death_signal = 0;
  bool keeps_signals = false;
  sigset_t mask{};  // what the child has where it keeps the signals
  pid_t parent = 0;
  SpawnReport* report = nullptr;

 private:
  Result<void> add(int number, ChildStream stream);
  Result<void> add_null(int number);
};

// In the child: ends with its program, or with a report and exit.
int run_plan(void* plan) noexcept;

}  // namespace signalbox::os
