// condition.cpp: sbx_condition over Condition.
#include "signalbox/c/condition.h"

#include <string_view>

#include "c/guards.hpp"
#include "c/object_calls.hpp"
#include "signalbox/condition.hpp"

using signalbox::Condition;
using signalbox::Deadline;
using signalbox::MutexGuard;
using signalbox::Recovered;
using signalbox::c::guarded;
using signalbox::c::need;

struct sbx_condition {
  Condition raw;
};

namespace {

template <class Notify>
int notify(std::string_view function, sbx_condition* condition, sbx_error* error,
           Notify&& notified) noexcept {
  if (const int bad = need(function, {{condition, "condition"}}, error)) return bad;
  notified(condition->raw);
  return SBX_OK;
}

}  // namespace

extern "C" {

int sbx_condition_open(const char* name, const char* domain, sbx_condition** out,
                       sbx_error* error) {
  constexpr std::string_view function = "sbx_condition_open";
  if (const int bad = need(function, {{name, "name"}}, error)) return bad;
  return signalbox::c::make(function, out, error,
                            [&] { return Condition::open(name, signalbox::c::text_of(domain)); });
}

void sbx_condition_close(sbx_condition* condition) { delete condition; }

int sbx_condition_wait(sbx_condition* condition, sbx_mutex_guard* guard, int64_t deadline_ns,
                       int on_signal, int* owner_died, sbx_error* error) {
  constexpr std::string_view function = "sbx_condition_wait";
  return guarded(function, error, [&]() -> int {
    if (const int bad =
            need(function, {{condition, "condition"}, {owner_died, "owner_died"}}, error))
      return bad;
    *owner_died = 0;
    if (const int bad = signalbox::c::check_held(function, guard, "guard", error)) return bad;
    const bool any_thread = guard->thread == 0;
    if (signalbox::c::inside<Recovered<MutexGuard>>(*guard).owner_died()) {
      return signalbox::c::bad_argument(
          function, "the last owner of the mutex died: repair first, and say sbx_mutex_repaired()",
          error);
    }
    auto held = signalbox::c::take_out<Recovered<MutexGuard>>(*guard);
    auto again = condition->raw.wait(std::move(held).regardless(), Deadline::at_ns(deadline_ns),
                                     signalbox::c::on_signal_of(on_signal));
    if (!again) return signalbox::c::report(again.error(), error);
    signalbox::c::keep(std::move(*again), any_thread, *guard, *owner_died);
    return SBX_OK;
  });
}

int sbx_condition_notify_one(sbx_condition* condition, sbx_error* error) {
  return notify("sbx_condition_notify_one", condition, error,
                [](Condition& raw) { raw.notify_one(); });
}

int sbx_condition_notify_all(sbx_condition* condition, sbx_error* error) {
  return notify("sbx_condition_notify_all", condition, error,
                [](Condition& raw) { raw.notify_all(); });
}

}  // extern "C"
