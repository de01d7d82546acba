// subscriber.cpp: sbx_subscriber and sbx_sample over RawSubscriber and RawSample.
#include <chrono>
#include <cstring>
#include <span>
#include <string>

#include "c/edge.hpp"
#include "c/subscriber_handle.hpp"
#include "signalbox/raw_topic.hpp"
#include "signalbox/signalbox.h"

using signalbox::Deadline;
using signalbox::Errc;
using signalbox::RawSample;
using signalbox::RawSubscriber;
using signalbox::Start;
using signalbox::Tier;
using signalbox::Wake;
using signalbox::c::bad_argument;
using signalbox::c::guarded;
using signalbox::c::HeldSamples;
using signalbox::c::report;

static_assert(SBX_PINS_MAX == signalbox::pins_max);
static_assert(SBX_START_NEXT == Start::next.messages_back());
static_assert(SBX_START_LATEST == Start::latest.messages_back());
static_assert(SBX_START_OLDEST == Start::oldest.messages_back());
static_assert(SBX_WAKE_READY == static_cast<int>(Wake::ready));
static_assert(SBX_WAKE_TIMED_OUT == static_cast<int>(Wake::timed_out));
static_assert(SBX_WAKE_INTERRUPTED == static_cast<int>(Wake::interrupted));
static_assert(sizeof(sbx_sample::inline_) == signalbox::inline_bytes_max);

namespace {

// Whether `part` lies inside `object`, as the bytes of a small message do.
template <class Object>
bool inside(const void* part, const Object& object) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(part);
  const auto start = reinterpret_cast<std::uintptr_t>(&object);
  return at >= start && at < start + sizeof(Object);
}

// A pointer that moves with its message when it points into it.
const void* moved(const void* part, const sbx_sample& from, const sbx_sample& to) noexcept {
  if (!inside(part, from)) return part;
  const auto offset =
      reinterpret_cast<std::uintptr_t>(part) - reinterpret_cast<std::uintptr_t>(&from);
  return reinterpret_cast<const char*>(&to) + offset;
}

// The most frequent message: a fixed part that came in its slot. All of one line's words are
// copied, which a compiler makes three instructions of, where a copy of the right length would be a
// call.
bool hand_over_plain(const RawSample& raw, sbx_sample& sample) noexcept {
  const auto data = raw.data();
  if (data.empty() || !inside(data.data(), raw) || !raw.tail().empty()) return false;
  if (data.size() <= signalbox::one_line_bytes_max) {
    std::memcpy(sample.inline_, data.data(), signalbox::one_line_bytes_max);
  } else {
    std::memcpy(sample.inline_, data.data(), data.size());
  }
  sample.data = sample.inline_;
  sample.tail = nullptr;
  sample.data_bytes = data.size();
  sample.tail_bytes = 0;
  sample.position = raw.position();
  sample.publisher = raw.publisher();
  sample.hold_ = nullptr;
  return true;
}

// Copies a small message into `sample`; data and tail keep their distance.
void copy_inline(const RawSample& raw, sbx_sample& sample) noexcept {
  const auto data = raw.data();
  const auto tail = raw.tail();
  auto* out = reinterpret_cast<std::byte*>(sample.inline_);
  if (!data.empty()) {
    std::memcpy(out, data.data(), data.size());
    sample.data = out;
  }
  if (!tail.empty()) {
    const std::size_t at = data.empty() ? 0 : static_cast<std::size_t>(tail.data() - data.data());
    std::memcpy(out + at, tail.data(), tail.size());
    sample.tail = out + at;
  }
}

// All but the words of inline_, which would cost more than all the rest.
void describe(sbx_sample& sample, std::span<const std::byte> data, std::span<const std::byte> tail,
              std::uint64_t position, std::uint64_t publisher) noexcept {
  sample.data = data.empty() ? nullptr : data.data();
  sample.tail = tail.empty() ? nullptr : tail.data();
  sample.data_bytes = data.size();
  sample.tail_bytes = tail.size();
  sample.position = position;
  sample.publisher = publisher;
  sample.hold_ = nullptr;
}

// Hands a taken message to the caller: small ones as a copy, large ones pinned until released.
bool hand_over(sbx_subscriber& subscriber, RawSample& raw, sbx_sample& sample) noexcept {
  if (hand_over_plain(raw, sample)) return true;
  const auto data = raw.data();
  const auto tail = raw.tail();
  const auto position = raw.position();
  const auto publisher = raw.publisher();
  const void* first = data.empty() ? tail.data() : data.data();
  const bool is_in_place = inside(first, raw) || data.size() + tail.size() == 0;
  auto* const hold = is_in_place ? nullptr : subscriber.held->hold(raw);
  if (!is_in_place && hold == nullptr) return false;
  describe(sample, data, tail, position, publisher);
  sample.hold_ = hold;
  if (is_in_place) copy_inline(raw, sample);
  return true;
}

int take(std::string_view function, sbx_subscriber* subscriber, sbx_sample* sample, int* taken,
         sbx_error* error, bool (RawSubscriber::*take_one)(RawSample&) noexcept) noexcept {
  return guarded(function, error, [&]() -> int {
    if (taken == nullptr) return bad_argument(function, "'taken' is NULL", error);
    *taken = 0;
    if (subscriber == nullptr) return bad_argument(function, "'subscriber' is NULL", error);
    if (sample == nullptr) return bad_argument(function, "'sample' is NULL", error);
    RawSample raw;
    if (!(subscriber->raw.*take_one)(raw)) {
      const signalbox::Error* status = subscriber->raw.status();
      return status == nullptr ? SBX_OK : report(*status, error);
    }
    if (!hand_over(*subscriber, raw, *sample)) {
      return report(Errc::limit_reached, 0, "every slot for held samples is taken: release one",
                    error);
    }
    *taken = 1;
    return SBX_OK;
  });
}

int read_subscriber_options(std::string_view function, const sbx_subscriber_options* given,
                            sbx_subscriber_options& out, sbx_error* error) noexcept {
  sbx_subscriber_options_init(&out);
  if (given == nullptr) return SBX_OK;
  // The first version of this struct ended with `domain`.
  constexpr std::size_t first_size =
      offsetof(sbx_subscriber_options, domain) + sizeof(sbx_subscriber_options::domain);
  const int code =
      signalbox::c::read_options(function, given, &out, sizeof(out), first_size, error);
  if (code != SBX_OK) return code;
  if (out.reliable > 1) return bad_argument(function, "options->reliable is not 0 or 1", error);
  if (out.spin_max_ns < 0) return bad_argument(function, "options->spin_max_ns is negative", error);
  if (out.tier > SBX_TIER_HARDENED) {
    return bad_argument(function, "options->tier is no SBX_TIER_...", error);
  }
  if (out.writable_ring > 1) {
    return bad_argument(function, "options->writable_ring is not 0 or 1", error);
  }
  return SBX_OK;
}

}  // namespace

extern "C" {

void sbx_subscriber_options_init_sized(sbx_subscriber_options* options, size_t size) {
  const signalbox::SubscriberOptions defaults;
  sbx_subscriber_options whole{};
  whole.reliable = defaults.reliable ? 1 : 0;
  whole.start = defaults.start.messages_back();
  whole.spin_max_ns = defaults.spin_max.count();
  whole.tier = static_cast<std::uint32_t>(defaults.tier);
  whole.writable_ring = defaults.writable_ring ? 1 : 0;
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}

int sbx_subscriber_open(const char* topic, const sbx_type* type,
                        const sbx_subscriber_options* options, sbx_subscriber** out,
                        sbx_error* error) {
  constexpr std::string_view function = "sbx_subscriber_open";
  return guarded(function, error, [&]() -> int {
    if (out == nullptr) return bad_argument(function, "'out' is NULL", error);
    *out = nullptr;
    if (topic == nullptr) return bad_argument(function, "'topic' is NULL", error);
    if (type == nullptr || type->description == nullptr) {
      return bad_argument(function, "'type' or its description is NULL", error);
    }
    sbx_subscriber_options read{};
    if (const int code = read_subscriber_options(function, options, read, error)) return code;

    auto raw = RawSubscriber::open(topic, signalbox::c::described(*type),
                                   {.start = Start::back(read.start),
                                    .reliable = read.reliable != 0,
                                    .domain = read.domain == nullptr ? "" : read.domain,
                                    .spin_max = std::chrono::nanoseconds(read.spin_max_ns),
                                    .tier = static_cast<Tier>(read.tier),
                                    .writable_ring = read.writable_ring != 0});
    if (!raw) return report(raw.error(), error);
    const std::size_t fixed_bytes = signalbox::c::shape_of(*type).fixed_bytes;
    HeldSamples* held = HeldSamples::create();
    *out = new (std::nothrow) sbx_subscriber(std::move(*raw), held, fixed_bytes);
    if (*out == nullptr) {
      held->leave();
      throw std::bad_alloc();
    }
    return SBX_OK;
  });
}

void sbx_subscriber_close(sbx_subscriber* subscriber) { delete subscriber; }

int sbx_subscriber_take(sbx_subscriber* subscriber, sbx_sample* sample, int* taken,
                        sbx_error* error) {
  return take("sbx_subscriber_take", subscriber, sample, taken, error, &RawSubscriber::take);
}

int sbx_subscriber_take_latest(sbx_subscriber* subscriber, sbx_sample* sample, int* taken,
                               sbx_error* error) {
  return take("sbx_subscriber_take_latest", subscriber, sample, taken, error,
              &RawSubscriber::take_latest);
}

int sbx_subscriber_take_batch(sbx_subscriber* subscriber, void* messages, size_t room,
                              size_t* taken, sbx_error* error) {
  constexpr std::string_view function = "sbx_subscriber_take_batch";
  return guarded(function, error, [&]() -> int {
    if (taken == nullptr) return bad_argument(function, "'taken' is NULL", error);
    *taken = 0;
    if (subscriber == nullptr) return bad_argument(function, "'subscriber' is NULL", error);
    if (subscriber->fixed_bytes == 0) {
      return bad_argument(function, "the type has no fixed part", error);
    }
    if (room == 0) return SBX_OK;
    if (messages == nullptr) return bad_argument(function, "'messages' is NULL", error);
    *taken = subscriber->raw.take_batch(static_cast<std::byte*>(messages), room);
    // Fewer than there is room for: nothing more is there, or the next one could not be taken.
    const signalbox::Error* status = *taken < room ? subscriber->raw.status() : nullptr;
    return status == nullptr ? SBX_OK : report(*status, error);
  });
}

void sbx_sample_release(sbx_sample* sample) {
  if (sample == nullptr) return;
  if (sample->hold_ != nullptr) {
    HeldSamples::release(static_cast<HeldSamples::Slot*>(sample->hold_));
  }
  describe(*sample, {}, {}, 0, 0);
}

void sbx_sample_move(sbx_sample* to, sbx_sample* from) {
  if (to == nullptr || from == nullptr || to == from) return;
  const sbx_sample before = *from;
  *to = before;
  to->data = moved(before.data, *from, *to);
  to->tail = moved(before.tail, *from, *to);
  describe(*from, {}, {}, 0, 0);
}

int sbx_subscriber_wait(sbx_subscriber* subscriber, int64_t deadline_ns, int* wake,
                        sbx_error* error) {
  constexpr std::string_view function = "sbx_subscriber_wait";
  return guarded(function, error, [&]() -> int {
    if (subscriber == nullptr) return bad_argument(function, "'subscriber' is NULL", error);
    if (wake == nullptr) return bad_argument(function, "'wake' is NULL", error);
    const auto woken = subscriber->raw.wait(Deadline::at_ns(deadline_ns));
    if (!woken) return report(woken.error(), error);
    *wake = static_cast<int>(*woken);
    return SBX_OK;
  });
}

int sbx_subscriber_descriptor(sbx_subscriber* subscriber, int* fd, sbx_error* error) {
  constexpr std::string_view function = "sbx_subscriber_descriptor";
  return guarded(function, error, [&]() -> int {
    if (subscriber == nullptr) return bad_argument(function, "'subscriber' is NULL", error);
    if (fd == nullptr) return bad_argument(function, "'fd' is NULL", error);
    const auto descriptor = subscriber->raw.descriptor();
    if (!descriptor) return report(descriptor.error(), error);
    *fd = *descriptor;
    return SBX_OK;
  });
}

uint64_t sbx_subscriber_lost_count(const sbx_subscriber* subscriber) {
  return subscriber == nullptr ? 0 : subscriber->raw.lost_count();
}

uint64_t sbx_subscriber_skipped_count(const sbx_subscriber* subscriber) {
  return subscriber == nullptr ? 0 : subscriber->raw.skipped_count();
}

uint64_t sbx_subscriber_dropped_count(sbx_subscriber* subscriber) {
  return subscriber == nullptr ? 0 : subscriber->raw.dropped_count();
}

uint32_t sbx_subscriber_publisher_count(sbx_subscriber* subscriber) {
  std::uint32_t count = 0;
  guarded("sbx_subscriber_publisher_count", nullptr, [&] {
    if (subscriber != nullptr) count = subscriber->raw.publisher_count();
    return SBX_OK;
  });
  return count;
}

}  // extern "C"
