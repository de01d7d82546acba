// held_samples.hpp: the large samples a C caller holds, in slots that need no allocation.
//
// An sbx_sample is plain C data, so the RawSample with its destructor must live elsewhere until
// sbx_sample_release(). That call may come from any thread and after the subscriber is closed: a
// pool therefore lives until its subscriber and its last sample are gone.
//
//   Threads  hold() and the subscriber's close by one thread; release() by any
//   Crash    private memory of this process
//   Fork     as RawSample
//   Limits   pins_max samples, the number a subscriber may pin
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <utility>

#include "signalbox/raw_topic.hpp"

namespace signalbox::c {

class HeldSamples {
 public:
  struct Slot {
    HeldSamples* pool = nullptr;
    RawSample sample;
  };

  // The subscriber's own share of the pool; end it with leave().
  static HeldSamples* create() { return new HeldSamples; }
  void leave() noexcept;

  // Keeps the sample in a slot; null (and `sample` untouched) when all are taken, which pins_max
  // rules out: a slot is free again before its pin is.
  Slot* hold(RawSample& sample) noexcept;
  static void release(Slot* slot) noexcept;

 private:
  HeldSamples() = default;
  static_assert(pins_max == 64, "one bit of free_ a slot");

  std::atomic<std::uint64_t> free_{~std::uint64_t{0}};
  std::atomic<std::uint32_t> shares_{1};  // the subscriber and every slot in use
  std::array<Slot, pins_max> slots_;
};

// ---- definitions --------------------------------------------------------------------------------

inline void HeldSamples::leave() noexcept {
  if (--shares_ == 0) delete this;
}

inline HeldSamples::Slot* HeldSamples::hold(RawSample& sample) noexcept {
  // Only this thread takes bits away, so a bit seen set stays set until it is cleared below.
  const std::uint64_t free = free_.load();
  if (free == 0) return nullptr;
  const int index = std::countr_zero(free);
  free_ &= ~(std::uint64_t{1} << index);
  ++shares_;
  Slot& slot = slots_[static_cast<std::size_t>(index)];
  slot.pool = this;
  slot.sample = std::move(sample);
  return &slot;
}

inline void HeldSamples::release(Slot* slot) noexcept {
  HeldSamples& pool = *slot->pool;
  {
    // The slot goes back before the pin is cleared at the end of this block, so that a subscriber
    // that may pin again always finds a slot.
    const RawSample ending = std::move(slot->sample);
    pool.free_ |= std::uint64_t{1} << (slot - pool.slots_.data());
  }
  pool.leave();
}

}  // namespace signalbox::c
