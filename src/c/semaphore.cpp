// semaphore.cpp: sbx_semaphore over Semaphore.
#include "signalbox/c/semaphore.h"

#include <optional>
#include <string_view>

#include "c/guards.hpp"
#include "c/object_calls.hpp"
#include "c/semaphore_handle.hpp"

using signalbox::Deadline;
using signalbox::Permit;
using signalbox::Result;
using signalbox::Semaphore;
using signalbox::c::act;
using signalbox::c::check_held;
using signalbox::c::guarded;
using signalbox::c::make;
using signalbox::c::need;
using signalbox::c::on_signal_of;
using signalbox::c::put_in;
using signalbox::c::report;
using signalbox::c::take_out;

namespace {

template <class Take>
int acquire(std::string_view function, sbx_semaphore* semaphore, sbx_permit* permit,
            sbx_error* error, Take&& take) noexcept {
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{semaphore, "semaphore"}, {permit, "permit"}}, error))
      return bad;
    *permit = {};
    Result<Permit> taken = take(semaphore->raw);
    if (!taken) return report(taken.error(), error);
    put_in(*permit, std::move(*taken));
    return SBX_OK;
  });
}

}  // namespace

extern "C" {

void sbx_semaphore_options_init_sized(sbx_semaphore_options* options, size_t size) {
  const sbx_semaphore_options whole{.struct_size = sizeof(whole),
                                    .units = SBX_ALL_UNITS,
                                    .domain = nullptr,
                                    .first_come_first_served = 0,
                                    .reserved = 0};
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}

int sbx_semaphore_open(const char* name, uint32_t units_max, const sbx_semaphore_options* options,
                       sbx_semaphore** out, sbx_error* error) {
  constexpr std::string_view function = "sbx_semaphore_open";
  sbx_semaphore_options read{};
  sbx_semaphore_options_init(&read);
  if (const int bad = signalbox::c::read_first_options(function, options, read, error)) return bad;
  if (const int bad = need(function, {{name, "name"}}, error)) return bad;
  return make(function, out, error, [&] {
    const auto units =
        read.units == SBX_ALL_UNITS ? std::nullopt : std::optional<std::uint32_t>(read.units);
    return Semaphore::open(name, {.units_max = units_max,
                                  .units = units,
                                  .domain = signalbox::c::text_of(read.domain),
                                  .first_come_first_served = read.first_come_first_served != 0});
  });
}

void sbx_semaphore_close(sbx_semaphore* semaphore) { delete semaphore; }

int sbx_semaphore_acquire(sbx_semaphore* semaphore, int64_t deadline_ns, int on_signal,
                          sbx_permit* permit, sbx_error* error) {
  return acquire("sbx_semaphore_acquire", semaphore, permit, error, [&](Semaphore& raw) {
    return raw.acquire(Deadline::at_ns(deadline_ns), on_signal_of(on_signal));
  });
}

int sbx_semaphore_try_acquire(sbx_semaphore* semaphore, sbx_permit* permit, sbx_error* error) {
  return acquire("sbx_semaphore_try_acquire", semaphore, permit, error,
                 [](Semaphore& raw) { return raw.try_acquire(); });
}

int sbx_permit_release(sbx_permit* permit, sbx_error* error) {
  if (const int bad = check_held("sbx_permit_release", permit, "permit", error)) return bad;
  const Permit released = take_out<Permit>(*permit);
  return SBX_OK;
}

int sbx_permit_use_up(sbx_permit* permit, sbx_error* error) {
  if (const int bad = check_held("sbx_permit_use_up", permit, "permit", error)) return bad;
  take_out<Permit>(*permit).use_up();
  return SBX_OK;
}

int sbx_semaphore_consume(sbx_semaphore* semaphore, int64_t deadline_ns, int on_signal,
                          sbx_error* error) {
  return act("sbx_semaphore_consume", semaphore, "semaphore", error, [&](Semaphore& raw) {
    return raw.consume(Deadline::at_ns(deadline_ns), on_signal_of(on_signal));
  });
}

int sbx_semaphore_try_consume(sbx_semaphore* semaphore, sbx_error* error) {
  return act("sbx_semaphore_try_consume", semaphore, "semaphore", error,
             [](Semaphore& raw) { return raw.try_consume(); });
}

int sbx_semaphore_post(sbx_semaphore* semaphore, sbx_error* error) {
  return act("sbx_semaphore_post", semaphore, "semaphore", error,
             [](Semaphore& raw) { return raw.post(); });
}

int sbx_semaphore_value(const sbx_semaphore* semaphore, uint32_t* value, sbx_error* error) {
  constexpr std::string_view function = "sbx_semaphore_value";
  if (const int bad = need(function, {{semaphore, "semaphore"}, {value, "value"}}, error))
    return bad;
  *value = semaphore->raw.value();
  return SBX_OK;
}

}  // extern "C"
