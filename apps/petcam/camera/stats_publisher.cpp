#include "stats_publisher.hpp"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <utility>

#include "clocks.hpp"

namespace petcam {

void copy_text(std::string_view text, std::span<char> field) {
  std::size_t length = std::min(text.size(), field.size() - 1);
  if (length < text.size()) {
    // Bytes 10xxxxxx continue a character: do not cut before one.
    while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) --length;
  }
  std::ranges::fill(field, '\0');
  std::ranges::copy(text.substr(0, length), field.begin());
}

StatsPublisher::StatsPublisher(signalbox::Publisher<Stats> publisher)
    : publisher_(std::move(publisher)) {
  copy_text("camera", stats_.daemon);
  stats_.pid = static_cast<std::uint32_t>(getpid());
  stats_.started_ns = static_cast<std::uint64_t>(monotonic_ns());
}

Outcome<StatsPublisher> StatsPublisher::open(const std::string& domain) {
  auto publisher = signalbox::Publisher<Stats>::open(kCameraStatsTopic,
                                                     {.depth = 1, .held_max = 8, .domain = domain});
  if (!publisher) return std::unexpected(Failure{ExitCode::topic, publisher.error().text});
  return StatsPublisher(std::move(*publisher));
}

void StatsPublisher::set_state(DaemonState state, std::string_view note) {
  stats_.state = static_cast<std::uint32_t>(state);
  copy_text(note, stats_.note);
}

void StatsPublisher::publish() {
  stats_.updated_ns = static_cast<std::uint64_t>(monotonic_ns());
  stats_.total_cpu_ns = process_cpu_ns();
  if (const auto sent = publisher_.send(stats_); !sent) {
    spdlog::warn("could not publish {}: {}", kCameraStatsTopic, sent.error().text);
  }
}

}  // namespace petcam
