// subscriber_handle.hpp: what an sbx_subscriber is, for those who take from it and who watch it.
//
//   Threads  one thread at a time
//   Crash    nothing to lose that is not the subscriber's
//   Fork     belongs to the process that opened it
//   Limits   those of a subscriber
#pragma once

#include <cstddef>
#include <utility>

#include "c/held_samples.hpp"
#include "signalbox/raw_topic.hpp"
#include "signalbox/signalbox.h"

struct sbx_subscriber {
  signalbox::RawSubscriber raw;
  signalbox::c::HeldSamples* held;
  std::size_t fixed_bytes;

  sbx_subscriber(signalbox::RawSubscriber subscriber, signalbox::c::HeldSamples* pool,
                 std::size_t bytes) noexcept
      : raw(std::move(subscriber)), held(pool), fixed_bytes(bytes) {}
  sbx_subscriber(const sbx_subscriber&) = delete;
  sbx_subscriber& operator=(const sbx_subscriber&) = delete;
  ~sbx_subscriber() { held->leave(); }
};
