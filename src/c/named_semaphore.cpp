// named_semaphore.cpp: sbx_named_semaphore over os::NamedSemaphore.
#include "signalbox/c/named_semaphore.h"

#include <string>

#include "c/object_calls.hpp"
#include "signalbox/os/posix_semaphore.hpp"

using signalbox::Deadline;
using signalbox::c::act;
using signalbox::c::answer;
using signalbox::c::ask;
using signalbox::c::guarded;
using signalbox::c::make;
using signalbox::c::need;
using signalbox::c::on_signal_of;
using signalbox::os::NamedSemaphore;
using signalbox::os::NamedSemaphoreOptions;

struct sbx_named_semaphore {
  NamedSemaphore raw;
};

namespace {

template <class Make>
int make_with(std::string_view function, const char* name,
              const sbx_named_semaphore_options* options, sbx_named_semaphore** out,
              sbx_error* error, Make&& made) noexcept {
  sbx_named_semaphore_options read{};
  sbx_named_semaphore_options_init(&read);
  if (const int bad = signalbox::c::read_first_options(function, options, read, error)) return bad;
  if (const int bad = need(function, {{name, "name"}}, error)) return bad;
  return make(function, out, error,
              [&] { return made(std::string(name), NamedSemaphoreOptions{.mode = read.mode}); });
}

}  // namespace

extern "C" {

void sbx_named_semaphore_options_init_sized(sbx_named_semaphore_options* options, size_t size) {
  const NamedSemaphoreOptions defaults{};
  const sbx_named_semaphore_options whole{.struct_size = sizeof(whole), .mode = defaults.mode};
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}

int sbx_named_semaphore_create(const char* name, uint32_t initial,
                               const sbx_named_semaphore_options* options,
                               sbx_named_semaphore** out, sbx_error* error) {
  return make_with("sbx_named_semaphore_create", name, options, out, error,
                   [&](const std::string& called, NamedSemaphoreOptions with) {
                     return NamedSemaphore::create(called, initial, with);
                   });
}

int sbx_named_semaphore_open(const char* name, sbx_named_semaphore** out, sbx_error* error) {
  return make_with(
      "sbx_named_semaphore_open", name, nullptr, out, error,
      [](const std::string& called, auto /*none*/) { return NamedSemaphore::open(called); });
}

int sbx_named_semaphore_open_or_create(const char* name, uint32_t initial,
                                       const sbx_named_semaphore_options* options,
                                       sbx_named_semaphore** out, sbx_error* error) {
  return make_with("sbx_named_semaphore_open_or_create", name, options, out, error,
                   [&](const std::string& called, NamedSemaphoreOptions with) {
                     return NamedSemaphore::open_or_create(called, initial, with);
                   });
}

int sbx_named_semaphore_unlink(const char* name, sbx_error* error) {
  constexpr std::string_view function = "sbx_named_semaphore_unlink";
  return guarded(function, error, [&]() -> int {
    if (const int bad = need(function, {{name, "name"}}, error)) return bad;
    return answer(NamedSemaphore::unlink(name), error);
  });
}

void sbx_named_semaphore_close(sbx_named_semaphore* semaphore) { delete semaphore; }

int sbx_named_semaphore_wait(sbx_named_semaphore* semaphore, int64_t deadline_ns, int on_signal,
                             sbx_error* error) {
  return act("sbx_named_semaphore_wait", semaphore, "semaphore", error, [&](NamedSemaphore& raw) {
    return raw.wait(Deadline::at_ns(deadline_ns), on_signal_of(on_signal));
  });
}

int sbx_named_semaphore_try_wait(sbx_named_semaphore* semaphore, int* taken, sbx_error* error) {
  return ask("sbx_named_semaphore_try_wait", semaphore, "semaphore", taken, "taken", error,
             [](NamedSemaphore& raw) { return raw.try_wait(); });
}

int sbx_named_semaphore_post(sbx_named_semaphore* semaphore, sbx_error* error) {
  return act("sbx_named_semaphore_post", semaphore, "semaphore", error,
             [](NamedSemaphore& raw) { return raw.post(); });
}

int sbx_named_semaphore_value(const sbx_named_semaphore* semaphore, int32_t* value,
                              sbx_error* error) {
  return ask("sbx_named_semaphore_value", semaphore, "semaphore", value, "value", error,
             [](const NamedSemaphore& raw) { return raw.value(); });
}

}  // extern "C"
