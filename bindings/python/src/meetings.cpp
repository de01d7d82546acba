// meetings.cpp: the compiled halves of signalbox.ReadWriteLock, Condition and Barrier.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "kernel_object.hpp"
#include "lock_docs.hpp"
#include "locks.hpp"
#include "signalbox/c/barrier.h"
#include "signalbox/c/condition.h"
#include "signalbox/c/read_write_lock.h"
#include "sliced_wait.hpp"
#include "whole.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

using ReadWriteLock = KernelObject<sbx_read_write_lock>;
using ReadGuard = HeldLock<sbx_read_guard, sbx_read_release>;
using WriteGuard = HeldLock<sbx_write_guard, sbx_write_release>;
using Condition = KernelObject<sbx_condition>;
using Barrier = KernelObject<sbx_barrier>;

// ---- the reader/writer lock

ReadWriteLock open_read_write_lock(const std::string& name, const Domain& domain) {
  sbx_lock_options options;
  sbx_lock_options_init(&options);
  options.domain = c_domain(domain);
  return made<ReadWriteLock>("reader/writer lock \"" + name + "\"", sbx_read_write_lock_close,
                             [&](sbx_read_write_lock** out, sbx_error* error) {
                               return sbx_read_write_lock_open(c_name(name), &options, out, error);
                             });
}

std::optional<ReadGuard> try_lock_to_read(const ReadWriteLock& self) {
  sbx_read_guard kept{};
  sbx_error error;
  const int code = sbx_try_lock_to_read(self.open().get(), &kept, &error);
  if (code == SBX_WOULD_BLOCK) return std::nullopt;
  check(code, error);
  return ReadGuard(self.name(), kept);
}

ReadGuard lock_to_read(const ReadWriteLock& self, Timeout timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto raw = self.open();
  if (auto taken = try_lock_to_read(self)) return std::move(*taken);
  sbx_read_guard kept{};
  sbx_error error;
  const int code =
      wait_in_slices(deadline, kWaitNsMax, error, [&](std::int64_t until, sbx_error* why) {
        return sbx_lock_to_read(raw.get(), until, SBX_ON_SIGNAL_GIVE_UP, &kept, why);
      });
  check(code, error);
  return ReadGuard(self.name(), kept);
}

std::optional<WriteGuard> try_lock_to_write(const ReadWriteLock& self) {
  sbx_write_guard kept{};
  int owner_died = 0;
  sbx_error error;
  const int code = sbx_try_lock_to_write(self.open().get(), &kept, &owner_died, &error);
  if (code == SBX_WOULD_BLOCK) return std::nullopt;
  check(code, error);
  return WriteGuard(self.name(), kept, owner_died != 0);
}

WriteGuard lock_to_write(const ReadWriteLock& self, Timeout timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto raw = self.open();
  if (auto taken = try_lock_to_write(self)) return std::move(*taken);
  sbx_write_guard kept{};
  int owner_died = 0;
  sbx_error error;
  const int code =
      wait_in_slices(deadline, kWaitNsMax, error, [&](std::int64_t until, sbx_error* why) {
        return sbx_lock_to_write(raw.get(), until, SBX_ON_SIGNAL_GIVE_UP, &kept, &owner_died, why);
      });
  check(code, error);
  return WriteGuard(self.name(), kept, owner_died != 0);
}

void bind_read_write_lock(nb::module_& module) {
  bind_held<ReadGuard>(module, "ReadGuard", docs::kReadGuard);
  bind_held<WriteGuard>(module, "WriteGuard", docs::kWriteGuard)
      .def_prop_ro("owner_died", &WriteGuard::owner_died, kOwnerDied)
      .def("_repaired", [](WriteGuard& self) { self.finish(sbx_write_repaired); });
  bind_object<ReadWriteLock>(module, "ReadWriteLock", docs::kReadWriteLock)
      .def("lock_to_read", &lock_to_read, nb::arg("timeout").none() = nb::none(), docs::kLockToRead)
      .def("try_lock_to_read", &try_lock_to_read, docs::kTryLockToRead)
      .def("_lock_to_write", &lock_to_write, nb::arg("timeout").none())
      .def("_try_lock_to_write", &try_lock_to_write);
  module.def("open_read_write_lock", &open_read_write_lock, nb::arg("name"),
             nb::arg("domain").none());
}

// ---- the condition

Condition open_condition(const std::string& name, const Domain& domain) {
  return made<Condition>("condition \"" + name + "\"", sbx_condition_close,
                         [&](sbx_condition** out, sbx_error* error) {
                           return sbx_condition_open(c_name(name), c_domain(domain), out, error);
                         });
}

// One sleep, after which the mutex is held again. In the main thread it is short, and ends for
// nothing: a signal that came just before it would otherwise be noticed after it. Answers whether
// the owner of the mutex died meanwhile; what a signal handler raises comes after.
bool wait(const Condition& self, MutexGuard& guard, Timeout timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto raw = self.open();
  const std::int64_t until = is_main_thread() ? sleep_end(deadline, kWaitNsMax) : deadline;
  int owner_died = 0;
  sbx_error error;
  int code = SBX_OK;
  {
    nb::gil_scoped_release others_run;
    code = sbx_condition_wait(raw.get(), &guard.kept(), until, SBX_ON_SIGNAL_GIVE_UP, &owner_died,
                              &error);
  }
  check(code, error);
  guard.heard_of_death(owner_died != 0);
  return owner_died != 0;
}

template <int (*call)(sbx_condition*, sbx_error*)>
void notify(const Condition& self) {
  checked([&](sbx_error* error) { return call(self.open().get(), error); });
}

void bind_condition(nb::module_& module) {
  bind_object<Condition>(module, "Condition", docs::kCondition)
      .def("_wait", &wait, nb::arg("guard"), nb::arg("timeout").none())
      .def("notify_one", &notify<sbx_condition_notify_one>, docs::kNotifyOne)
      .def("notify_all", &notify<sbx_condition_notify_all>, docs::kNotifyAll);
  module.def("open_condition", &open_condition, nb::arg("name"), nb::arg("domain").none());
  module.def("run_signal_handlers", &run_signal_handlers);
}

// ---- the barrier

Barrier open_barrier(const std::string& name, const Whole& parties, const Domain& domain) {
  constexpr std::uint32_t kPartiesLimit = 256;
  const auto count = narrow<std::uint32_t>(parties, "parties", {1, kPartiesLimit});
  return made<Barrier>("barrier \"" + name + "\"", sbx_barrier_close,
                       [&](sbx_barrier** out, sbx_error* error) {
                         return sbx_barrier_open(c_name(name), count, c_domain(domain), out, error);
                       });
}

void arrive_and_wait(const Barrier& self, Timeout timeout) {
  const auto raw = self.open();
  sbx_error error;
  const int code = wait_in_slices(
      deadline_after(timeout), kWaitNsMax, error, [&](std::int64_t until, sbx_error* why) {
        return sbx_barrier_arrive_and_wait(raw.get(), until, SBX_ON_SIGNAL_GIVE_UP, why);
      });
  check(code, error);
}

void bind_barrier(nb::module_& module) {
  bind_object<Barrier>(module, "Barrier", docs::kBarrier)
      .def("arrive_and_wait", &arrive_and_wait, nb::arg("timeout").none() = nb::none(),
           docs::kArriveAndWait);
  module.def("open_barrier", &open_barrier, nb::arg("name"), nb::arg("parties"),
             nb::arg("domain").none());
}

}  // namespace

void bind_meetings(nb::module_& module) {
  bind_read_write_lock(module);
  bind_condition(module);
  bind_barrier(module);
}

}  // namespace signalbox_python
