// config.hpp: what petcam-camera is told to do: defaults, then petcam.yaml, then the command line.
//
// A key that is not known is an error, because a misspelt key would silently do nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "failure.hpp"
#include "picture.hpp"
#include "source.hpp"

namespace petcam {

struct CameraConfig {
  SourceKind source = SourceKind::synthetic;
  Geometry geometry{1280, 720};  // of the room; asked of a camera; a video keeps its own
  double frames_per_s = 30;      // likewise
  std::uint32_t seed = 1;
  std::string video;  // a file or a URL
  std::string device = "/dev/video0";
  std::string format = "auto";  // asked of a camera: auto, mjpeg or yuyv
  int jpeg_quality = 80;
  std::string domain;  // of the topics; empty: as the environment says
  std::string log_level = "info";

  bool operator==(const CameraConfig&) const = default;
};

// What the command line said; it wins over the file, also when the file is read again.
struct ConfigOverrides {
  std::optional<std::string> video{};
  std::optional<std::string> device{};
  std::optional<std::uint32_t> width{}, height{};
  std::optional<double> frames_per_s{};
  std::optional<std::uint32_t> seed{};
};

// Reads the sections `common` and `camera` of the file; without a file, the defaults.
Outcome<CameraConfig> load_config(const std::optional<std::string>& path,
                                  const ConfigOverrides& overrides);

}  // namespace petcam
