// locks.cpp: the compiled halves of signalbox.Mutex and signalbox.Semaphore.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "held_lock.hpp"
#include "kernel_object.hpp"
#include "lock_docs.hpp"
#include "locks.hpp"
#include "sliced_wait.hpp"
#include "whole.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

using Permit = HeldLock<sbx_permit, sbx_permit_release>;

// ---- the mutex

Mutex open_mutex(const std::string& name, const Domain& domain, bool first_come_first_served) {
  sbx_lock_options options;
  sbx_lock_options_init(&options);
  options.domain = c_domain(domain);
  options.first_come_first_served = first_come_first_served ? 1 : 0;
  return made<Mutex>("mutex \"" + name + "\"", sbx_mutex_close,
                     [&](sbx_mutex** out, sbx_error* error) {
                       return sbx_mutex_open(c_name(name), &options, out, error);
                     });
}

// Empty: somebody else holds it. With the GIL held, which costs less than letting go of it.
std::optional<MutexGuard> try_lock(const Mutex& self) {
  sbx_mutex_guard kept{};
  int owner_died = 0;
  sbx_error error;
  const int code = sbx_mutex_try_lock(self.open().get(), &kept, &owner_died, &error);
  if (code == SBX_WOULD_BLOCK) return std::nullopt;
  check(code, error);
  return MutexGuard(self.name(), kept, owner_died != 0);
}

MutexGuard lock(const Mutex& self, Timeout timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto raw = self.open();
  if (auto taken = try_lock(self)) return std::move(*taken);
  sbx_mutex_guard kept{};
  int owner_died = 0;
  sbx_error error;
  const int code =
      wait_in_slices(deadline, kWaitNsMax, error, [&](std::int64_t until, sbx_error* why) {
        return sbx_mutex_lock(raw.get(), until, SBX_ON_SIGNAL_GIVE_UP, &kept, &owner_died, why);
      });
  check(code, error);
  return MutexGuard(self.name(), kept, owner_died != 0);
}

void bind_mutex(nb::module_& module) {
  bind_held<MutexGuard>(module, "MutexGuard", docs::kMutexGuard)
      .def_prop_ro("owner_died", &MutexGuard::owner_died, kOwnerDied)
      .def("_repaired", [](MutexGuard& self) { self.finish(sbx_mutex_repaired); });
  bind_object<Mutex>(module, "Mutex", docs::kMutex)
      .def("_lock", &lock, nb::arg("timeout").none())
      .def("_try_lock", &try_lock);
  module.def("open_mutex", &open_mutex, nb::arg("name"), nb::arg("domain").none(),
             nb::arg("first_come_first_served"));
}

// ---- the semaphore

Semaphore open_semaphore(const std::string& name, const Whole& units_max,
                         const std::optional<Whole>& units, const Domain& domain,
                         bool first_come_first_served) {
  constexpr std::uint32_t kUnitsLimit = 4096;
  const auto count = narrow<std::uint32_t>(units_max, "units_max", {1, kUnitsLimit});
  sbx_semaphore_options options;
  sbx_semaphore_options_init(&options);
  if (units) options.units = narrow<std::uint32_t>(*units, "units", {0, count});
  options.domain = c_domain(domain);
  options.first_come_first_served = first_come_first_served ? 1 : 0;
  return made<Semaphore>("semaphore \"" + name + "\"", sbx_semaphore_close,
                         [&](sbx_semaphore** out, sbx_error* error) {
                           return sbx_semaphore_open(c_name(name), count, &options, out, error);
                         });
}

std::optional<Permit> try_acquire(const Semaphore& self) {
  sbx_permit kept{};
  sbx_error error;
  const int code = sbx_semaphore_try_acquire(self.open().get(), &kept, &error);
  if (code == SBX_WOULD_BLOCK) return std::nullopt;
  check(code, error);
  return Permit("unit of " + self.name(), kept);
}

Permit acquire(const Semaphore& self, Timeout timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto raw = self.open();
  if (auto taken = try_acquire(self)) return std::move(*taken);
  sbx_permit kept{};
  sbx_error error;
  const int code =
      wait_in_slices(deadline, kWaitNsMax, error, [&](std::int64_t until, sbx_error* why) {
        return sbx_semaphore_acquire(raw.get(), until, SBX_ON_SIGNAL_GIVE_UP, &kept, why);
      });
  check(code, error);
  return Permit("unit of " + self.name(), kept);
}

bool try_consume(const Semaphore& self) {
  sbx_error error;
  const int code = sbx_semaphore_try_consume(self.open().get(), &error);
  if (code == SBX_WOULD_BLOCK) return false;
  check(code, error);
  return true;
}

bool consume(const Semaphore& self, Timeout timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto raw = self.open();
  if (try_consume(self)) return true;
  return done_in_time(deadline, [&](std::int64_t until, sbx_error* error) {
    return sbx_semaphore_consume(raw.get(), until, SBX_ON_SIGNAL_GIVE_UP, error);
  });
}

void post(const Semaphore& self) {
  checked([&](sbx_error* error) { return sbx_semaphore_post(self.open().get(), error); });
}

std::uint32_t value_of(const Semaphore& self) {
  std::uint32_t value = 0;
  checked([&](sbx_error* error) { return sbx_semaphore_value(self.open().get(), &value, error); });
  return value;
}

void bind_semaphore(nb::module_& module) {
  bind_held<Permit>(module, "Permit", docs::kPermit)
      .def("use_up", [](Permit& self) { self.finish(sbx_permit_use_up); }, docs::kUseUp);
  bind_object<Semaphore>(module, "Semaphore", docs::kSemaphore)
      .def("acquire", &acquire, nb::arg("timeout").none() = nb::none(), docs::kAcquire)
      .def("try_acquire", &try_acquire, docs::kTryAcquire)
      .def("consume", &consume, nb::arg("timeout").none() = nb::none(), docs::kConsume)
      .def("try_consume", &try_consume, docs::kTryConsume)
      .def("post", &post, docs::kSemaphorePost)
      .def("value", &value_of, docs::kUnitsFree);
  module.def("open_semaphore", &open_semaphore, nb::arg("name"), nb::arg("units_max"),
             nb::arg("units").none(), nb::arg("domain").none(), nb::arg("first_come_first_served"));
}

}  // namespace

void bind_locks(nb::module_& module) {
  bind_mutex(module);
  bind_semaphore(module);
}

}  // namespace signalbox_python
