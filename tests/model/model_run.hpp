// model_run.hpp: runs one Relacy model: many random schedules, then a search through every schedule
// with few forced switches. `model_test --long` searches deeper and far longer.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <utility>

#include "../proof_counts.hpp"
#include "relacy_atomics.hpp"

namespace signalbox::model {

extern bool long_form;  // set by --long

// How hard to look. The bounded search has no other end than its own, so its bound is chosen to
// take a second or so; the long form allows one switch more.
struct Effort {
  unsigned switches = 2;
  std::uint64_t random_schedules = 30'000;
  std::uint64_t random_schedules_long = 10'000'000;
};

// Relacy frees what it did not allocate if a stream it writes to grows inside a model.
using Report = rl::ostringstream;

template <class Model>
rl::test_result_e search(rl::scheduler_type_e how, unsigned switches, std::uint64_t schedules,
                         Report& report) {
  std::ostream nowhere(nullptr);
  rl::test_params parameters;
  parameters.search_type = how;
  parameters.context_bound = switches;
  parameters.iteration_count = schedules;
  parameters.execution_depth_limit = 5000;
  parameters.output_stream = &report;
  parameters.progress_stream = &nowhere;
  rl::simulate<Model>(parameters);
  proof::count({{"schedules", parameters.stop_iteration}});
  return parameters.test_result;
}

template <class Model>
rl::test_result_e look_for_trouble(const Effort& effort, Report& report) {
  const unsigned switches = effort.switches + (long_form ? 1 : 0);
  const std::uint64_t schedules =
      long_form ? effort.random_schedules_long : effort.random_schedules;
  const auto random = search<Model>(rl::sched_random, 0, schedules, report);
  if (random != rl::test_result_success) return random;
  return search<Model>(rl::sched_bound, switches, 0, report);
}

// The model is right: no schedule breaks it.
template <class Model>
void expect_green(const Effort& effort = {}) {
  Report report;
  const auto found = look_for_trouble<Model>(effort, report);
  EXPECT_EQ(found, rl::test_result_success) << rl::test_result_str(found) << "\n"
                                            << report.str().c_str();
}

// The model carries a seeded bug: some schedule must show it, in this way.
template <class Model>
void expect_red(rl::test_result_e how, const Effort& effort = {}) {
  Report report;
  const auto found = look_for_trouble<Model>(effort, report);
  EXPECT_EQ(found, how) << "the seeded bug was to end in \"" << rl::test_result_str(how)
                        << "\", not in \"" << rl::test_result_str(found) << "\"\n"
                        << (found == rl::test_result_success ? "" : report.str().c_str());
}

// Memory that is allocated here is no part of the model: Relacy replaces operator new, counts what
// is left at the end and explores how freed memory is reused.
class OutsideTheModel {
 public:
  OutsideTheModel() : model_(std::exchange(rl::context_holder<>::instance_, nullptr)) {}
  ~OutsideTheModel() { rl::context_holder<>::instance_ = model_; }
  OutsideTheModel(const OutsideTheModel&) = delete;
  OutsideTheModel& operator=(const OutsideTheModel&) = delete;

 private:
  rl::context* model_;
};

// What the threads of a model share, at its full alignment: Relacy puts a model where malloc does.
template <class Shared>
class Placed {
 public:
  Placed() : object_(::new(place()) Shared) {}
  ~Placed() { object_->~Shared(); }
  Placed(const Placed&) = delete;
  Placed& operator=(const Placed&) = delete;
  Shared* operator->() { return object_; }
  Shared& operator*() { return *object_; }

 private:
  static void* place() {
    alignas(Shared) static std::byte bytes[sizeof(Shared)];
    return bytes;
  }
  Shared* object_;
};

}  // namespace signalbox::model
