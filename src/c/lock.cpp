// lock.cpp: sbx_mutex over Mutex.
#include "signalbox/c/lock.h"

#include <string_view>

#include "c/guards.hpp"
#include "c/lock_handle.hpp"
#include "c/object_calls.hpp"

using signalbox::Deadline;
using signalbox::Mutex;
using signalbox::MutexGuard;
using signalbox::Recovered;
using signalbox::Result;
using signalbox::c::check_held;
using signalbox::c::guarded;
using signalbox::c::keep;
using signalbox::c::need;
using signalbox::c::on_signal_of;
using signalbox::c::report;
using signalbox::c::take_out;

namespace {

using Held = Recovered<MutexGuard>;

template <class Take>
int lock(std::string_view function, sbx_mutex* mutex, sbx_mutex_guard* guard, int* owner_died,
         sbx_error* error, Take&& take) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad =
            need(function, {{mutex, "mutex"}, {guard, "guard"}, {owner_died, "owner_died"}}, error))
      return bad;
    *guard = {};
    *owner_died = 0;
    Result<Held> taken = take(mutex->raw);
    if (!taken) return report(taken.error(), error);
    keep(std::move(*taken), mutex->any_thread, *guard, *owner_died);
    return SBX_OK;
  });
}

}  // namespace

extern "C" {

void sbx_lock_options_init_sized(sbx_lock_options* options, size_t size) {
  const sbx_lock_options whole{.struct_size = sizeof(whole),
                               .first_come_first_served = 0,
                               .domain = nullptr,
                               .any_thread = 0,
                               .reserved = 0};
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}

int sbx_mutex_open(const char* name, const sbx_lock_options* options, sbx_mutex** out,
                   sbx_error* error) {
  constexpr std::string_view function = "sbx_mutex_open";
  sbx_lock_options read{};
  sbx_lock_options_init(&read);
  if (const int bad = signalbox::c::read_first_options(function, options, read, error)) return bad;
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{out, "out"}, {name, "name"}}, error)) return bad;
    *out = nullptr;
    auto opened = Mutex::open(name, {.domain = signalbox::c::text_of(read.domain),
                                     .first_come_first_served = read.first_come_first_served != 0});
    if (!opened) return report(opened.error(), error);
    *out = new sbx_mutex{std::move(*opened), read.any_thread != 0};
    return SBX_OK;
  });
}

void sbx_mutex_close(sbx_mutex* mutex) { delete mutex; }

int sbx_mutex_lock(sbx_mutex* mutex, int64_t deadline_ns, int on_signal, sbx_mutex_guard* guard,
                   int* owner_died, sbx_error* error) {
  return lock("sbx_mutex_lock", mutex, guard, owner_died, error, [&](Mutex& raw) {
    return raw.lock(Deadline::at_ns(deadline_ns), on_signal_of(on_signal));
  });
}

int sbx_mutex_try_lock(sbx_mutex* mutex, sbx_mutex_guard* guard, int* owner_died,
                       sbx_error* error) {
  return lock("sbx_mutex_try_lock", mutex, guard, owner_died, error,
              [](Mutex& raw) { return raw.try_lock(); });
}

int sbx_mutex_repaired(sbx_mutex_guard* guard, sbx_error* error) {
  return signalbox::c::repaired<Held>("sbx_mutex_repaired", guard, error);
}

int sbx_mutex_release(sbx_mutex_guard* guard, sbx_error* error) {
  if (const int bad = check_held("sbx_mutex_release", guard, "guard", error)) return bad;
  const Held released = take_out<Held>(*guard);
  return SBX_OK;
}

}  // extern "C"
