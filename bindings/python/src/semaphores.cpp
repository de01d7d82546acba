// semaphores.cpp: the compiled halves of signalbox.SemaphoreSet and signalbox.NamedSemaphore.
#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kernel_object.hpp"
#include "object_docs.hpp"
#include "signalbox/c/named_semaphore.h"
#include "signalbox/c/semaphore_set.h"
#include "sliced_wait.hpp"
#include "whole.hpp"

namespace nb = nanobind;

namespace signalbox_python {
namespace {

using SemaphoreSet = KernelObject<sbx_semaphore_set>;
using NamedSemaphore = KernelObject<sbx_named_semaphore>;
using Counts = std::vector<std::uint16_t>;
using Facts = std::tuple<int, int, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t,
                         std::uint32_t, std::uint32_t, std::int64_t, std::int64_t>;

// What a count may be, the kernel says, with its errno: here it only has to fit.
Counts counts_of(const std::vector<Whole>& numbers) {
  Counts counts;
  for (const Whole& number : numbers) {
    counts.push_back(narrow<std::uint16_t>(number, "the count of a semaphore", {}, "out_of_range"));
  }
  return counts;
}

std::uint16_t index_of(const Whole& index) {
  return narrow<std::uint16_t>(index, "the index of a semaphore", {}, "out_of_range");
}

// Any sequences of (index, delta, undo) will do.
std::vector<sbx_sem_op> operations_of(const nb::args& ops) {
  std::vector<sbx_sem_op> operations;
  operations.reserve(ops.size());
  for (const nb::handle op : ops) {
    std::tuple<Whole, Whole, bool> parts;
    if (!nb::try_cast(op, parts)) {
      throw nb::type_error("an operation is a SemOp, or a tuple of its index, delta and undo");
    }
    const auto& [index, delta, undo] = parts;
    operations.push_back(
        {.index = index_of(index),
         .delta = narrow<std::int16_t>(delta, "the delta of an operation", {}, "out_of_range"),
         .flags = undo ? SBX_SEM_UNDO : 0});
  }
  return operations;
}

template <class Make>
SemaphoreSet make_set(Make&& make) {
  SemaphoreSet set =
      made<SemaphoreSet>("semaphore set", sbx_semaphore_set_close, std::forward<Make>(make));
  const auto raw = set.open();
  return SemaphoreSet("semaphore set " + std::to_string(sbx_semaphore_set_id(raw.get())), raw);
}

SemaphoreSet create_set(const Whole& key, const std::vector<Whole>& initial, const Whole& mode) {
  const Counts counts = counts_of(initial);
  sbx_semaphore_set_options options;
  sbx_semaphore_set_options_init(&options);
  options.mode = narrow<std::uint32_t>(mode, "mode");
  return make_set([&](sbx_semaphore_set** out, sbx_error* error) {
    return sbx_semaphore_set_create(narrow<std::int32_t>(key, "key"), counts.data(), counts.size(),
                                    &options, out, error);
  });
}

// An open may wait for the creator to finish, in naps of the library that no signal ends: in the
// main thread they are cut, and signal handlers run in between. What a cut answers is what the
// deadline answers, that the creator seems to be dead. `call(until)` answers a code.
template <class Call>
int open_in_slices(std::int64_t deadline, Call&& call) {
  const bool is_sliced = is_main_thread() && deadline != SBX_IMMEDIATE;
  for (;;) {
    const std::int64_t until = is_sliced ? sleep_end(deadline, kWaitNsMax) : deadline;
    int code;
    {
      nb::gil_scoped_release others_run;
      code = call(until);
    }
    if (code != SBX_ABANDONED || until == deadline) return code;
    run_signal_handlers();
  }
}

SemaphoreSet open_set(const Whole& key, const Whole& count, std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto number = narrow<std::int32_t>(key, "key");
  const auto count_min = narrow<std::int32_t>(count, "count");
  return make_set([&](sbx_semaphore_set** out, sbx_error* error) {
    return open_in_slices(deadline, [&](std::int64_t until) {
      return sbx_semaphore_set_open(number, count_min, until, out, error);
    });
  });
}

SemaphoreSet open_or_create_set(const Whole& key, const std::vector<Whole>& initial,
                                std::optional<double> timeout, const Whole& mode) {
  const Counts counts = counts_of(initial);
  const auto number = narrow<std::int32_t>(key, "key");
  const std::int64_t deadline = deadline_after(timeout);
  sbx_semaphore_set_options options;
  sbx_semaphore_set_options_init(&options);
  options.mode = narrow<std::uint32_t>(mode, "mode");
  return make_set([&](sbx_semaphore_set** out, sbx_error* error) {
    return open_in_slices(deadline, [&](std::int64_t until) {
      return sbx_semaphore_set_open_or_create(number, counts.data(), counts.size(), until, &options,
                                              out, error);
    });
  });
}

void apply(const SemaphoreSet& self, const nb::args& ops, std::optional<double> timeout) {
  const auto operations = operations_of(ops);
  const auto set = self.open();
  sbx_error error;
  const int code = wait_in_slices(
      deadline_after(timeout), kWaitNsMax, error, [&](std::int64_t until, sbx_error* why) {
        return sbx_semaphore_set_apply(set.get(), operations.data(), operations.size(), until,
                                       SBX_ON_SIGNAL_GIVE_UP, why);
      });
  check(code, error);
}

bool try_apply(const SemaphoreSet& self, const nb::args& ops) {
  const auto operations = operations_of(ops);
  int done = 0;
  checked([&](sbx_error* error) {
    return sbx_semaphore_set_try_apply(self.open().get(), operations.data(), operations.size(),
                                       &done, error);
  });
  return done != 0;
}

std::uint16_t value_of(const SemaphoreSet& self, const Whole& index) {
  std::uint16_t value = 0;
  checked([&](sbx_error* error) {
    return sbx_semaphore_set_value(self.open().get(), index_of(index), &value, error);
  });
  return value;
}

Counts values_of(const SemaphoreSet& self) {
  Counts values(256);
  for (std::size_t count = 0;;) {
    checked([&](sbx_error* error) {
      return sbx_semaphore_set_values(self.open().get(), values.data(), values.size(), &count,
                                      error);
    });
    const bool were_all = count <= values.size();
    values.resize(count);
    if (were_all) return values;
  }
}

sbx_semaphore_users users_of(const SemaphoreSet& self, const Whole& index) {
  sbx_semaphore_users users;
  checked([&](sbx_error* error) {
    return sbx_semaphore_set_users(self.open().get(), index_of(index), &users, error);
  });
  return users;
}

Facts facts_of(const SemaphoreSet& self) {
  sbx_semaphore_set_facts facts{.struct_size = sizeof(facts)};
  checked(
      [&](sbx_error* error) { return sbx_semaphore_set_look(self.open().get(), &facts, error); });
  const sbx_sysv_access& access = facts.access;
  return {
      facts.id,           access.key,  access.owner_uid, access.owner_gid,     access.creator_uid,
      access.creator_gid, access.mode, facts.count,      facts.last_operation, facts.last_change};
}

nb::class_<SemaphoreSet> bind_set(nb::module_& module) {
  auto bound = bind_object<SemaphoreSet>(module, "SemaphoreSet", docs::kSemaphoreSet);
  bound.def("apply", &apply, nb::arg("ops"), nb::arg("timeout").none() = nb::none(), docs::kApply)
      .def("try_apply", &try_apply, nb::arg("ops"), docs::kTryApply)
      .def_prop_ro(
          "id", [](const SemaphoreSet& self) { return sbx_semaphore_set_id(self.open().get()); },
          docs::kSysvId)
      .def("value", &value_of, nb::arg("index"), docs::kSetValueOf)
      .def("values", &values_of, docs::kSetValues)
      .def(
          "last_pid",
          [](const SemaphoreSet& self, const Whole& index) {
            return users_of(self, index).last_pid;
          },
          nb::arg("index"), docs::kLastPid)
      .def(
          "waiting_to_take",
          [](const SemaphoreSet& self, const Whole& index) {
            return users_of(self, index).waiting_to_take;
          },
          nb::arg("index"), docs::kWaitingToTake)
      .def(
          "waiting_for_zero",
          [](const SemaphoreSet& self, const Whole& index) {
            return users_of(self, index).waiting_for_zero;
          },
          nb::arg("index"), docs::kWaitingForZero)
      .def("_facts", &facts_of);
  return bound;
}

// The rest of the class, which changes more than an operation does.
void bind_set_changes(nb::class_<SemaphoreSet>& bound) {
  bound
      .def(
          "set_value",
          [](const SemaphoreSet& self, const Whole& index, const Whole& value) {
            const auto count =
                narrow<std::int32_t>(value, "the count of a semaphore", {}, "out_of_range");
            checked([&](sbx_error* error) {
              return sbx_semaphore_set_set_value(self.open().get(), index_of(index), count, error);
            });
          },
          nb::arg("index"), nb::arg("value"), docs::kSetSetValue)
      .def(
          "set_values",
          [](const SemaphoreSet& self, const std::vector<Whole>& values) {
            const Counts counts = counts_of(values);
            checked([&](sbx_error* error) {
              return sbx_semaphore_set_set_values(self.open().get(), counts.data(), counts.size(),
                                                  error);
            });
          },
          nb::arg("values"), docs::kSetSetValues)
      .def(
          "set_mode",
          [](const SemaphoreSet& self, const Whole& mode) {
            checked([&](sbx_error* error) {
              return sbx_semaphore_set_set_mode(self.open().get(),
                                                narrow<std::uint32_t>(mode, "mode"), error);
            });
          },
          nb::arg("mode"), docs::kSetMode)
      .def(
          "remove",
          [](const SemaphoreSet& self) {
            checked([&](sbx_error* error) {
              return sbx_semaphore_set_remove(self.open().get(), error);
            });
          },
          docs::kRemove);
}

void bind_set_makers(nb::module_& module) {
  module.def("create_semaphore_set", &create_set);
  module.def("open_semaphore_set", &open_set, nb::arg("key"), nb::arg("count"),
             nb::arg("timeout").none());
  module.def("open_or_create_semaphore_set", &open_or_create_set, nb::arg("key"),
             nb::arg("initial"), nb::arg("timeout").none(), nb::arg("mode"));
  module.def("open_semaphore_set_as_is", [](const Whole& key) {
    return make_set([&](sbx_semaphore_set** out, sbx_error* error) {
      return sbx_semaphore_set_open_as_is(narrow<std::int32_t>(key, "key"), out, error);
    });
  });
  module.def("attach_semaphore_set", [](const Whole& id) {
    return make_set([&](sbx_semaphore_set** out, sbx_error* error) {
      return sbx_semaphore_set_attach(narrow<std::int32_t>(id, "id"), out, error);
    });
  });
  module.def(
      "sysv_key",
      [](const std::string& path, const Whole& project) {
        std::int32_t key = 0;
        const auto number =
            narrow<std::uint8_t>(project, "the project's number", {}, "out_of_range");
        checked([&](sbx_error* error) {
          return sbx_sysv_key_of_file(c_name(path), number, &key, error);
        });
        return key;
      },
      nb::arg("path"), nb::arg("project"), docs::kSysvKey);
}

// ---- with a name

template <class Make>
NamedSemaphore make_named(const std::string& name, Make&& make) {
  return made<NamedSemaphore>("semaphore " + name, sbx_named_semaphore_close,
                              std::forward<Make>(make));
}

using MakeNamed = int (*)(const char*, std::uint32_t, const sbx_named_semaphore_options*,
                          sbx_named_semaphore**, sbx_error*);

template <MakeNamed call>
NamedSemaphore create_named(const std::string& name, const Whole& initial, const Whole& mode) {
  const auto count = narrow<std::uint32_t>(initial, "the count of a semaphore", {}, "out_of_range");
  sbx_named_semaphore_options options;
  sbx_named_semaphore_options_init(&options);
  options.mode = narrow<std::uint32_t>(mode, "mode");
  return make_named(name, [&](sbx_named_semaphore** out, sbx_error* error) {
    return call(c_name(name), count, &options, out, error);
  });
}

bool try_wait(sbx_named_semaphore* semaphore) {
  int taken = 0;
  checked([&](sbx_error* error) { return sbx_named_semaphore_try_wait(semaphore, &taken, error); });
  return taken != 0;
}

// A unit that is there is taken with the GIL held, which costs less than letting go of it.
bool wait(const NamedSemaphore& self, std::optional<double> timeout) {
  const std::int64_t deadline = deadline_after(timeout);
  const auto semaphore = self.open();
  if (try_wait(semaphore.get())) return true;
  return done_in_time(deadline, [&](std::int64_t until, sbx_error* error) {
    return sbx_named_semaphore_wait(semaphore.get(), until, SBX_ON_SIGNAL_GIVE_UP, error);
  });
}

void bind_named(nb::module_& module) {
  bind_object<NamedSemaphore>(module, "NamedSemaphore", docs::kNamedSemaphore)
      .def("wait", &wait, nb::arg("timeout").none() = nb::none(), docs::kSemaphoreWait)
      .def(
          "try_wait", [](const NamedSemaphore& self) { return try_wait(self.open().get()); },
          docs::kSemaphoreTryWait)
      .def(
          "post",
          [](const NamedSemaphore& self) {
            checked([&](sbx_error* error) {
              return sbx_named_semaphore_post(self.open().get(), error);
            });
          },
          docs::kPost)
      .def(
          "value",
          [](const NamedSemaphore& self) {
            std::int32_t value = 0;
            checked([&](sbx_error* error) {
              return sbx_named_semaphore_value(self.open().get(), &value, error);
            });
            return value;
          },
          docs::kSemaphoreValue)
      .def_static(
          "unlink",
          [](const std::string& name) {
            checked(
                [&](sbx_error* error) { return sbx_named_semaphore_unlink(c_name(name), error); });
          },
          nb::arg("name"), docs::kUnlink);
  module.def("create_named_semaphore", &create_named<sbx_named_semaphore_create>);
  module.def("open_or_create_named_semaphore", &create_named<sbx_named_semaphore_open_or_create>);
  module.def("open_named_semaphore", [](const std::string& name) {
    return make_named(name, [&](sbx_named_semaphore** out, sbx_error* error) {
      return sbx_named_semaphore_open(c_name(name), out, error);
    });
  });
}

}  // namespace

void bind_semaphores(nb::module_& module) {
  auto set = bind_set(module);
  bind_set_changes(set);
  bind_set_makers(module);
  bind_named(module);
}

}  // namespace signalbox_python
