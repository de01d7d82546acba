// daemon.hpp: petcam-camera's event loop: one source in, three topics out, signals, reload.
//
// Everything happens in one thread that sleeps until a descriptor is ready, so nothing here is
// locked and nothing polls.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "config.hpp"
#include "failure.hpp"
#include "file_descriptor.hpp"
#include "frame_publisher.hpp"
#include "source.hpp"
#include "stats_publisher.hpp"

namespace petcam {

class Daemon {
 public:
  // The configuration was loaded from these; SIGHUP loads it again.
  Daemon(CameraConfig config, std::optional<std::string> path, ConfigOverrides overrides);

  // Runs until SIGTERM or SIGINT. The error is why it could not start or go on.
  Outcome<void> run();

 private:
  enum Key : std::uint64_t { kSignal, kSecond, kPicture };

  static std::unique_ptr<Source> make_source(const CameraConfig& config);
  void replace_source();
  void handle_signals();
  void reload();
  void apply(CameraConfig config);
  void second_passed();
  void follow_source_state();
  void publish_stats(DaemonState state);

  CameraConfig config_;
  std::optional<std::string> path_;
  ConfigOverrides overrides_;
  Signals signals_;
  Timer second_;
  Poller poller_;
  FramePublisher frames_;
  std::optional<StatsPublisher> stats_;
  std::unique_ptr<Source> source_;
  std::uint64_t retired_work_cpu_ns_ = 0;  // of sources that were replaced
  std::uint64_t retired_lost_ = 0;
  DaemonState state_ = DaemonState::starting;
  std::string note_;
  bool stopping_ = false;
};

}  // namespace petcam
