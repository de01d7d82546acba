// barrier.cpp: sbx_barrier over Barrier.
#include "signalbox/c/barrier.h"

#include <string_view>

#include "c/object_calls.hpp"
#include "signalbox/barrier.hpp"

using signalbox::Barrier;
using signalbox::Deadline;

struct sbx_barrier {
  Barrier raw;
};

extern "C" {

int sbx_barrier_open(const char* name, uint32_t parties, const char* domain, sbx_barrier** out,
                     sbx_error* error) {
  constexpr std::string_view function = "sbx_barrier_open";
  if (const int bad = signalbox::c::need(function, {{name, "name"}}, error)) return bad;
  return signalbox::c::make(function, out, error, [&] {
    return Barrier::open(name, parties, signalbox::c::text_of(domain));
  });
}

void sbx_barrier_close(sbx_barrier* barrier) { delete barrier; }

int sbx_barrier_arrive_and_wait(sbx_barrier* barrier, int64_t deadline_ns, int on_signal,
                                sbx_error* error) {
  return signalbox::c::act("sbx_barrier_arrive_and_wait", barrier, "barrier", error,
                           [&](Barrier& raw) {
                             return raw.arrive_and_wait(Deadline::at_ns(deadline_ns),
                                                        signalbox::c::on_signal_of(on_signal));
                           });
}

}  // extern "C"
