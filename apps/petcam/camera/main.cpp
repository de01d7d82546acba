// petcam-camera: publishes what a camera sees. See apps/petcam/README.md.
#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "config.hpp"
#include "daemon.hpp"
#include "failure.hpp"
#include "v4l2_camera.hpp"

namespace {

using petcam::ExitCode;

struct CommandLine {
  std::optional<std::string> config;
  petcam::ConfigOverrides overrides;
  bool check_config = false;
  bool list_formats = false;
};

void describe(CLI::App& app, CommandLine& line) {
  app.add_option("--config", line.config, "petcam.yaml; read again on SIGHUP");
  app.add_flag("--check-config", line.check_config, "Say whether the configuration is good");
  app.add_flag("--list-formats", line.list_formats, "Show what the cameras can do, or --device");
  auto* video = app.add_option("--video", line.overrides.video, "A video file, or a URL (RTSP)");
  app.add_option("--device", line.overrides.device, "A V4L2 camera such as /dev/video0")
      ->excludes(video);
  app.add_option("--width", line.overrides.width, "Pixels a row")->check(CLI::Range(2, 8192));
  app.add_option("--height", line.overrides.height, "Rows")->check(CLI::Range(2, 8192));
  app.add_option("--fps", line.overrides.frames_per_s, "Pictures a second")
      ->check(CLI::Range(1, 240));
  app.add_option("--seed", line.overrides.seed, "Of the synthetic room");
}

int fail(const petcam::Failure& failure) {
  spdlog::error("{}", failure.text);
  return static_cast<int>(failure.code);
}

std::vector<std::string> video_devices() {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/dev")) {
    if (entry.path().filename().string().starts_with("video")) found.push_back(entry.path());
  }
  std::ranges::sort(found);
  return found;
}

int list_formats(const std::optional<std::string>& device) {
  const auto devices = device ? std::vector{*device} : video_devices();
  if (devices.empty()) {
    return fail({ExitCode::system, "there is no camera: no /dev/video* exists; plug one in"});
  }
  bool any = false;
  for (const std::string& path : devices) {
    const auto formats = petcam::list_camera_formats(path, petcam::kernel_v4l2_calls());
    if (formats) {
      fmt::print("{}", *formats);
      any = true;
    } else {
      spdlog::error("{}", formats.error());
    }
  }
  return static_cast<int>(any ? ExitCode::ok : ExitCode::system);
}

int run(const CommandLine& line) {
  if (line.list_formats) return list_formats(line.overrides.device);
  auto config = petcam::load_config(line.config, line.overrides);
  if (!config) return fail(config.error());
  if (line.check_config) return static_cast<int>(ExitCode::ok);
  spdlog::set_level(spdlog::level::from_str(config->log_level));
  petcam::Daemon daemon(std::move(*config), line.config, line.overrides);
  if (const auto ended = daemon.run(); !ended) return fail(ended.error());
  return static_cast<int>(ExitCode::ok);
}

}  // namespace

int main(int argc, char** argv) {
  // A log that nobody reads any more is no reason to die without leaving the topics.
  std::signal(SIGPIPE, SIG_IGN);
  spdlog::set_default_logger(spdlog::stderr_color_st("camera"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");

  CommandLine line;
  CLI::App app("petcam-camera: publishes what a camera, a video or a synthetic room shows");
  describe(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? code : static_cast<int>(ExitCode::usage);
  }
  try {
    return run(line);
  } catch (const std::exception& error) {
    return fail({ExitCode::system,
                 std::string("the system refused what petcam-camera needs: ") + error.what()});
  }
}
