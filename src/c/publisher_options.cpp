#include "c/publisher_options.hpp"

#include <cstddef>
#include <cstdint>

#include "c/edge.hpp"

namespace signalbox::c {
namespace {

static_assert(SBX_WHEN_BEHIND_WAIT == static_cast<int>(WhenBehind::wait));
static_assert(SBX_WHEN_BEHIND_DROP_NEW == static_cast<int>(WhenBehind::drop_new));
static_assert(SBX_WHEN_BEHIND_EVICT == static_cast<int>(WhenBehind::evict));
static_assert(SBX_TIER_PLAIN == static_cast<int>(Tier::plain));
static_assert(SBX_TIER_HARDENED == static_cast<int>(Tier::hardened));
static_assert(SBX_WAKE_SLEEPERS_YES == static_cast<int>(WakeSleepers::yes));
static_assert(SBX_WAKE_SLEEPERS_NO == static_cast<int>(WakeSleepers::no));

int check_choices(std::string_view function, const sbx_publisher_options& read,
                  sbx_error* error) noexcept {
  if (read.when_behind > SBX_WHEN_BEHIND_EVICT) {
    return bad_argument(function, "options->when_behind is no SBX_WHEN_BEHIND_...", error);
  }
  if (read.wake > SBX_WAKE_SLEEPERS_NO) {
    return bad_argument(function, "options->wake is no SBX_WAKE_SLEEPERS_...", error);
  }
  if (read.tier > SBX_TIER_HARDENED) {
    return bad_argument(function, "options->tier is no SBX_TIER_...", error);
  }
  if (read.reserved != 0) return bad_argument(function, "options->reserved is not 0", error);
  return SBX_OK;
}

}  // namespace

int read_publisher_options(std::string_view function, const sbx_publisher_options* given,
                           PublisherOptions& out, sbx_error* error) {
  if (given == nullptr) return SBX_OK;
  sbx_publisher_options read{};
  sbx_publisher_options_init(&read);
  // The first version of this struct ended with `domain`.
  constexpr std::size_t first_size =
      offsetof(sbx_publisher_options, domain) + sizeof(sbx_publisher_options::domain);
  if (const int bad = read_options(function, given, &read, sizeof(read), first_size, error)) {
    return bad;
  }
  if (const int bad = check_choices(function, read, error)) return bad;
  out = {.depth = read.depth,
         .loans_max = read.loans_max,
         .held_max = read.held_max,
         .tail_bytes_max = read.tail_bytes_max,
         .grown_tail_bytes_max = read.grown_tail_bytes_max,
         .domain = std::string(text_of(read.domain)),
         .when_behind = static_cast<WhenBehind>(read.when_behind),
         .wake = static_cast<WakeSleepers>(read.wake),
         .tier = static_cast<Tier>(read.tier)};
  return SBX_OK;
}

}  // namespace signalbox::c

extern "C" void sbx_publisher_options_init_sized(sbx_publisher_options* options, size_t size) {
  const signalbox::PublisherOptions defaults;
  sbx_publisher_options whole{};
  whole.depth = defaults.depth;
  whole.loans_max = defaults.loans_max;
  whole.held_max = defaults.held_max;
  whole.tail_bytes_max = defaults.tail_bytes_max;
  whole.when_behind = static_cast<std::uint32_t>(defaults.when_behind);
  whole.wake = static_cast<std::uint32_t>(defaults.wake);
  whole.tier = static_cast<std::uint32_t>(defaults.tier);
  whole.grown_tail_bytes_max = defaults.grown_tail_bytes_max;
  signalbox::c::write_options(&whole, sizeof(whole), options, size);
}
