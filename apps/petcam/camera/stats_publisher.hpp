// stats_publisher.hpp: how the camera is, on petcam/stats/camera, once a second and at each change.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "failure.hpp"
#include "messages.hpp"
#include "signalbox/topic.hpp"

namespace petcam {

enum class DaemonState : std::uint32_t { starting = 0, running = 1, degraded = 2, stopping = 3 };

// Copies a text into a zero-padded field, shortened at the end of a UTF-8 character if need be.
void copy_text(std::string_view text, std::span<char> field);

class StatsPublisher {
 public:
  static Outcome<StatsPublisher> open(const std::string& domain);

  // Fill in what is known, then publish(); who and when is added there.
  Stats& stats() { return stats_; }
  void set_state(DaemonState state, std::string_view note);
  void publish();

 private:
  explicit StatsPublisher(signalbox::Publisher<Stats> publisher);
  signalbox::Publisher<Stats> publisher_;
  Stats stats_{};
};

}  // namespace petcam
