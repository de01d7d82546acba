#include "topic/footprint.hpp"

#include <cstdio>
#include <utility>

#include "shm/frame_pool.hpp"
#include "signalbox/footprint.hpp"
#include "topic/layout.hpp"

namespace signalbox {

namespace topic {

namespace {

Error bad_option(const std::string& act, const std::string& problem) {
  return {Errc::bad_argument, 0, {}, "cannot " + act + ": " + problem};
}

// A number that was cast to a choice may be none of them.
Result<void> check_choices(const std::string& act, const PublisherOptions& options) {
  const auto behind = std::to_underlying(options.when_behind);
  if (behind > std::to_underlying(WhenBehind::evict)) {
    return std::unexpected(
        bad_option(act, "when_behind is " + std::to_string(behind) + ", which is no WhenBehind."));
  }
  const auto wake = std::to_underlying(options.wake);
  if (wake > std::to_underlying(WakeSleepers::no)) {
    return std::unexpected(
        bad_option(act, "wake is " + std::to_string(wake) + ", which is no WakeSleepers."));
  }
  return {};
}

}  // namespace

PublisherPlan plan_publisher(const wire::ParsedType& type,
                             const PublisherOptions& options) noexcept {
  PublisherPlan sum{};
  sum.slot_lines = slot_lines(type.fixed_bytes, type.has_tail);
  const std::uint64_t slot_bytes = shm::slot_pitch(sum.slot_lines) * sizeof(Slot);
  sum.ring_offset = round_up(sizeof(PublisherPage), slot_bytes);
  sum.ring_bytes = options.depth * slot_bytes;
  sum.frames_offset = sum.total = round_up(sum.ring_offset + sum.ring_bytes, page_bytes);
  if (fits_in_place(sum.slot_lines, type.fixed_bytes, options.tail_bytes_max)) return sum;
  const std::uint64_t bytes = tail_offset(type.fixed_bytes) + options.tail_bytes_max;
  // Frames larger than a page begin on one, so that touching one never faults in its neighbour.
  sum.frame_bytes = round_up(bytes, bytes < page_bytes ? cache_line : page_bytes);
  sum.frames = shm::frames_needed(options.depth, options.loans_max, options.held_max);
  sum.total = round_up(sum.frames_offset + sum.frames * sum.frame_bytes, page_bytes);
  return sum;
}

ArenaPlan plan_arena(const wire::ParsedType& type, const PublisherOptions& options,
                     std::uint32_t number) noexcept {
  ArenaPlan sum{};
  sum.tail_bytes_max =
      arena_tail_bytes(number, options.tail_bytes_max, options.grown_tail_bytes_max);
  sum.frame_bytes = round_up(tail_offset(type.fixed_bytes) + sum.tail_bytes_max, page_bytes);
  sum.frames = shm::frames_needed(options.depth, options.loans_max, options.held_max);
  sum.frames_offset = page_bytes;
  sum.total = sum.frames_offset + sum.frames * sum.frame_bytes;
  return sum;
}

Result<void> check_options(const std::string& act, const wire::ParsedType& type,
                           const PublisherOptions& options) {
  const auto is_power_of_two = options.depth != 0 && (options.depth & (options.depth - 1)) == 0;
  if (!is_power_of_two || options.depth > depth_max) {
    return std::unexpected(bad_option(act, "depth is " + std::to_string(options.depth) +
                                               "; use a power of two from 1 to 65536."));
  }
  if (options.loans_max == 0 || options.loans_max > loans_max) {
    return std::unexpected(
        bad_option(act, "loans_max is " + std::to_string(options.loans_max) + "; use 1 to 64."));
  }
  if (options.held_max > pins_max * subscribers_max) {
    return std::unexpected(bad_option(
        act, "held_max is " + std::to_string(options.held_max) + "; use at most 65536."));
  }
  if (options.tail_bytes_max != 0 && !type.has_tail) {
    return std::unexpected(
        bad_option(act, "tail_bytes_max is set, but the type's messages carry no tail."));
  }
  if (options.tail_bytes_max > wire::size_max) {
    return std::unexpected(bad_option(act, "tail_bytes_max is over 2^40 bytes."));
  }
  if (options.grown_tail_bytes_max != 0 && !type.has_tail) {
    return std::unexpected(
        bad_option(act, "grown_tail_bytes_max is set, but the type's messages carry no tail."));
  }
  if (options.grown_tail_bytes_max != 0 && options.grown_tail_bytes_max < options.tail_bytes_max) {
    return std::unexpected(bad_option(
        act, "grown_tail_bytes_max is " + std::to_string(options.grown_tail_bytes_max) +
                 ", below tail_bytes_max, which is " + std::to_string(options.tail_bytes_max) +
                 "; use 0 or the longest tail there may ever be."));
  }
  if (options.grown_tail_bytes_max > wire::size_max) {
    return std::unexpected(bad_option(act, "grown_tail_bytes_max is over 2^40 bytes."));
  }
  return check_choices(act, options);
}

std::string sum_of(const PublisherPlan& plan, const PublisherOptions& options) {
  std::string text = " Control and ring take " + std::to_string(plan.frames_offset) + " bytes";
  if (plan.frames != 0) {
    text += ", " + std::to_string(plan.frames) + " frames (depth " + std::to_string(options.depth) +
            ", loans_max " + std::to_string(options.loans_max) + ", held_max " +
            std::to_string(options.held_max) + ") of " + std::to_string(plan.frame_bytes) +
            " bytes take " + std::to_string(plan.total - plan.frames_offset);
  }
  return text + ".";
}

std::uint64_t subscriber_file_bytes() noexcept {
  return round_up(sizeof(SubscriberPage), page_bytes);
}

}  // namespace topic

Result<Footprint> footprint(const TypeDescription& type, const PublisherOptions& options) {
  return detail::or_out_of_memory([&]() -> Result<Footprint> {
    const auto parsed = wire::parse_description(type.text);
    if (!parsed) return std::unexpected(parsed.error());
    // No topic has a name yet, so messages name the type.
    const std::string act = "add up the memory of a topic of \"" + type.name + "\"";
    if (auto ok = topic::check_options(act, *parsed, options); !ok) {
      return std::unexpected(std::move(ok.error()));
    }
    const topic::PublisherPlan plan = topic::plan_publisher(*parsed, options);
    const std::uint64_t text_bytes = type.name.size() + type.text.size();
    Footprint sum;
    sum.description_bytes =
        topic::round_up(sizeof(topic::TopicPage) + text_bytes, topic::page_bytes);
    sum.bell_bytes = topic::round_up(sizeof(topic::BellPage), topic::page_bytes);
    sum.control_bytes = plan.ring_offset;
    sum.ring_bytes = plan.ring_bytes;
    sum.frames = plan.frames;
    sum.frame_bytes = plan.frame_bytes;
    sum.publisher_bytes = plan.total;
    sum.arenas = topic::arenas_of(options.tail_bytes_max, options.grown_tail_bytes_max);
    for (std::uint32_t number = 1; number <= sum.arenas; ++number) {
      sum.grown_bytes_max += topic::plan_arena(*parsed, options, number).total;
    }
    sum.subscriber_bytes = topic::subscriber_file_bytes();
    return sum;
  });
}

namespace {

std::string table_of(const Footprint& sum) {
  std::string table;
  const auto add = [&](const std::string& part, std::uint64_t bytes) {
    char line[96];
    std::snprintf(line, sizeof(line), "%-48s%16llu\n", part.c_str(),
                  static_cast<unsigned long long>(bytes));
    table += line;
  };
  const std::uint64_t frames_bytes = sum.frames * sum.frame_bytes;
  add("topic: type description", sum.description_bytes);
  add("topic: bell", sum.bell_bytes);
  add("publisher: control", sum.control_bytes);
  add("publisher: ring of " + std::to_string(sum.ring_bytes / sizeof(topic::Slot)) + " cache lines",
      sum.ring_bytes);
  add("publisher: " + std::to_string(sum.frames) + " frames of " + std::to_string(sum.frame_bytes),
      frames_bytes);
  add("publisher: rounded up to pages",
      sum.publisher_bytes - sum.control_bytes - sum.ring_bytes - frames_bytes);
  add("subscriber: control, pins and cursors", sum.subscriber_bytes);
  add("with one publisher and one subscriber", sum.total_bytes(1, 1));
  if (sum.arenas != 0) {
    add("publisher: when grown, up to " + std::to_string(sum.arenas) + " arenas more",
        sum.grown_bytes_max);
    add("with both, grown as far as it may", sum.total_bytes(1, 1) + sum.grown_bytes_max);
  }
  return table;
}

}  // namespace

std::string to_string(const Footprint& sum) noexcept {
  try {
    return table_of(sum);
  } catch (const std::bad_alloc&) {
    return detail::out_of_memory().text;
  }
}

}  // namespace signalbox
