// wait_set.cpp: sbx_wait_set and sbx_watch over WaitSet and Watch.
#include "signalbox/c/wait_set.h"

#include <chrono>
#include <memory>
#include <vector>

#include "c/lock_handle.hpp"
#include "c/object_calls.hpp"
#include "c/semaphore_handle.hpp"
#include "c/subscriber_handle.hpp"
#include "signalbox/wait_set.hpp"

using signalbox::Deadline;
using signalbox::Events;
using signalbox::Result;
using signalbox::Waitable;
using signalbox::WaitSet;
using signalbox::Watch;
using signalbox::c::bad_argument;
using signalbox::c::guarded;
using signalbox::c::hand_out;
using signalbox::c::need;
using signalbox::c::report;

static_assert(SBX_READABLE == static_cast<int>(Events::readable));
static_assert(SBX_WRITABLE == static_cast<int>(Events::writable));
static_assert(SBX_HUNG_UP == static_cast<int>(Events::hung_up));
static_assert(SBX_DEADLINE_MISSED == static_cast<int>(Events::deadline_missed));

struct sbx_wait_set {
  WaitSet raw;
  std::vector<sbx_ready> ready{};  // the latest answer, in C's form
};

struct sbx_watch {
  Watch raw;
};

namespace {

int watch(std::string_view function, sbx_wait_set* set, const Waitable& source, Events events,
          std::uint64_t key, std::int64_t period_ns, sbx_watch** out, sbx_error* error) {
  if (period_ns < 0) return bad_argument(function, "'period_ns' is negative", error);
  if (period_ns == 0) return hand_out(set->raw.watch(source, key, events), out, error);
  if (events != Events::readable) {
    return bad_argument(function, "with a period 'events' has to be SBX_READABLE", error);
  }
  return hand_out(set->raw.watch_every(source, key, std::chrono::nanoseconds(period_ns)), out,
                  error);
}

template <class Handle>
int watch_handle(std::string_view function, sbx_wait_set* set, Handle* handle,
                 std::string_view name, std::uint64_t key, std::int64_t period_ns, sbx_watch** out,
                 sbx_error* error) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{out, "out"}, {set, "set"}, {handle, name}}, error))
      return bad;
    *out = nullptr;
    return watch(function, set, handle->raw.waitable(), Events::readable, key, period_ns, out,
                 error);
  });
}

}  // namespace

extern "C" {

int sbx_wait_set_create(uint32_t watches_max, sbx_wait_set** out, sbx_error* error) {
  constexpr std::string_view function = "sbx_wait_set_create";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{out, "out"}}, error)) return bad;
    *out = nullptr;
    auto made = WaitSet::create(watches_max);
    if (!made) return report(made.error(), error);
    auto set = std::make_unique<sbx_wait_set>(std::move(*made));
    set->ready.resize(watches_max);
    *out = set.release();
    return SBX_OK;
  });
}

void sbx_wait_set_close(sbx_wait_set* set) { delete set; }

int sbx_wait_set_watch_subscriber(sbx_wait_set* set, sbx_subscriber* subscriber, uint64_t key,
                                  int64_t period_ns, sbx_watch** out, sbx_error* error) {
  return watch_handle("sbx_wait_set_watch_subscriber", set, subscriber, "subscriber", key,
                      period_ns, out, error);
}

int sbx_wait_set_watch_descriptor(sbx_wait_set* set, int fd, uint32_t events, uint64_t key,
                                  int64_t period_ns, sbx_watch** out, sbx_error* error) {
  constexpr std::string_view function = "sbx_wait_set_watch_descriptor";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{out, "out"}, {set, "set"}}, error)) return bad;
    *out = nullptr;
    return watch(function, set, Waitable::descriptor(fd), static_cast<Events>(events), key,
                 period_ns, out, error);
  });
}

int sbx_wait_set_watch_mutex(sbx_wait_set* set, sbx_mutex* mutex, uint64_t key, int64_t period_ns,
                             sbx_watch** out, sbx_error* error) {
  return watch_handle("sbx_wait_set_watch_mutex", set, mutex, "mutex", key, period_ns, out, error);
}

int sbx_wait_set_watch_semaphore(sbx_wait_set* set, sbx_semaphore* semaphore, uint64_t key,
                                 int64_t period_ns, sbx_watch** out, sbx_error* error) {
  return watch_handle("sbx_wait_set_watch_semaphore", set, semaphore, "semaphore", key, period_ns,
                      out, error);
}

void sbx_watch_end(sbx_watch* watch) { delete watch; }

int sbx_wait_set_wait(sbx_wait_set* set, const sbx_ready** ready, size_t* count,
                      int64_t deadline_ns, sbx_error* error) {
  constexpr std::string_view function = "sbx_wait_set_wait";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{count, "count"}, {ready, "ready"}, {set, "set"}}, error))
      return bad;
    *count = 0;
    *ready = set->ready.data();
    const auto woken = set->raw.wait(Deadline::at_ns(deadline_ns));
    if (!woken) return report(woken.error(), error);
    for (const WaitSet::Ready& one : *woken) {
      set->ready[(*count)++] = {
          .key = one.key, .events = static_cast<std::uint32_t>(one.events), .reserved = 0};
    }
    return SBX_OK;
  });
}

void sbx_wait_set_wake(const sbx_wait_set* set) {
  if (set != nullptr) set->raw.wake();
}

}  // extern "C"
