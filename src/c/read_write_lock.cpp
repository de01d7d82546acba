// read_write_lock.cpp: sbx_read_write_lock over ReadWriteLock.
#include "signalbox/c/read_write_lock.h"

#include <string_view>

#include "c/guards.hpp"
#include "c/object_calls.hpp"
#include "signalbox/read_write_lock.hpp"

using signalbox::Deadline;
using signalbox::ReadGuard;
using signalbox::ReadWriteLock;
using signalbox::Recovered;
using signalbox::Result;
using signalbox::WriteGuard;
using signalbox::c::bad_argument;
using signalbox::c::check_held;
using signalbox::c::guarded;
using signalbox::c::keep;
using signalbox::c::need;
using signalbox::c::on_signal_of;
using signalbox::c::report;
using signalbox::c::take_out;

struct sbx_read_write_lock {
  ReadWriteLock raw;
  bool any_thread;
};

namespace {

using Writing = Recovered<WriteGuard>;

template <class Take>
int lock_to_read(std::string_view function, sbx_read_write_lock* lock, sbx_read_guard* guard,
                 sbx_error* error, Take&& take) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{lock, "lock"}, {guard, "guard"}}, error)) return bad;
    *guard = {};
    Result<ReadGuard> taken = take(lock->raw);
    if (!taken) return report(taken.error(), error);
    keep(std::move(*taken), lock->any_thread, *guard);
    return SBX_OK;
  });
}

template <class Take>
int lock_to_write(std::string_view function, sbx_read_write_lock* lock, sbx_write_guard* guard,
                  int* owner_died, sbx_error* error, Take&& take) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad =
            need(function, {{lock, "lock"}, {guard, "guard"}, {owner_died, "owner_died"}}, error))
      return bad;
    *guard = {};
    *owner_died = 0;
    Result<Writing> taken = take(lock->raw);
    if (!taken) return report(taken.error(), error);
    keep(std::move(*taken), lock->any_thread, *guard, *owner_died);
    return SBX_OK;
  });
}

}  // namespace

extern "C" {

int sbx_read_write_lock_open(const char* name, const sbx_lock_options* options,
                             sbx_read_write_lock** out, sbx_error* error) {
  constexpr std::string_view function = "sbx_read_write_lock_open";
  sbx_lock_options read{};
  sbx_lock_options_init(&read);
  if (const int bad = signalbox::c::read_first_options(function, options, read, error)) return bad;
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{out, "out"}, {name, "name"}}, error)) return bad;
    *out = nullptr;
    if (read.first_come_first_served != 0) {
      return bad_argument(function,
                          "options->first_come_first_served is not for this lock, which always is",
                          error);
    }
    auto opened = ReadWriteLock::open(name, signalbox::c::text_of(read.domain));
    if (!opened) return report(opened.error(), error);
    *out = new sbx_read_write_lock{std::move(*opened), read.any_thread != 0};
    return SBX_OK;
  });
}

void sbx_read_write_lock_close(sbx_read_write_lock* lock) { delete lock; }

int sbx_lock_to_read(sbx_read_write_lock* lock, int64_t deadline_ns, int on_signal,
                     sbx_read_guard* guard, sbx_error* error) {
  return lock_to_read("sbx_lock_to_read", lock, guard, error, [&](ReadWriteLock& raw) {
    return raw.lock_to_read(Deadline::at_ns(deadline_ns), on_signal_of(on_signal));
  });
}

int sbx_lock_to_write(sbx_read_write_lock* lock, int64_t deadline_ns, int on_signal,
                      sbx_write_guard* guard, int* owner_died, sbx_error* error) {
  return lock_to_write(
      "sbx_lock_to_write", lock, guard, owner_died, error, [&](ReadWriteLock& raw) {
        return raw.lock_to_write(Deadline::at_ns(deadline_ns), on_signal_of(on_signal));
      });
}

int sbx_try_lock_to_read(sbx_read_write_lock* lock, sbx_read_guard* guard, sbx_error* error) {
  return lock_to_read("sbx_try_lock_to_read", lock, guard, error,
                      [](ReadWriteLock& raw) { return raw.try_lock_to_read(); });
}

int sbx_try_lock_to_write(sbx_read_write_lock* lock, sbx_write_guard* guard, int* owner_died,
                          sbx_error* error) {
  return lock_to_write("sbx_try_lock_to_write", lock, guard, owner_died, error,
                       [](ReadWriteLock& raw) { return raw.try_lock_to_write(); });
}

int sbx_write_repaired(sbx_write_guard* guard, sbx_error* error) {
  return signalbox::c::repaired<Writing>("sbx_write_repaired", guard, error);
}

int sbx_read_release(sbx_read_guard* guard, sbx_error* error) {
  if (const int bad = check_held("sbx_read_release", guard, "guard", error)) return bad;
  const auto released = take_out<ReadGuard>(*guard);
  return SBX_OK;
}

int sbx_write_release(sbx_write_guard* guard, sbx_error* error) {
  if (const int bad = check_held("sbx_write_release", guard, "guard", error)) return bad;
  const auto released = take_out<Writing>(*guard);
  return SBX_OK;
}

}  // extern "C"
