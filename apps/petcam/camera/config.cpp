#include "config.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include "room.hpp"

namespace petcam {
namespace {

constexpr std::array<std::string_view, 4> kSections{"common", "camera", "detector", "server"};
// "warn" too, because that is what Go's logger calls it.
constexpr std::array<std::string_view, 6> kLogLevels{"debug", "info",  "warning",
                                                     "warn",  "error", "off"};
constexpr std::array<std::string_view, 3> kFormats{"auto", "mjpeg", "yuyv"};
constexpr std::array<std::string_view, 3> kSources{"synthetic", "video", "v4l2"};
constexpr std::uint32_t kSideMax = 8192;
constexpr double kFramesPerSecondMax = 240;

// Thrown inside this file only, because yaml-cpp reports by exceptions too.
struct BadConfig {
  YAML::Mark where;
  std::string text;
};

using Reader = std::function<void(const YAML::Node&, CameraConfig&)>;
using Readers = std::map<std::string, Reader, std::less<>>;

template <class T>
T scalar(const YAML::Node& node, std::string_view expected) {
  T value{};
  if (!node.IsScalar() || !YAML::convert<T>::decode(node, value)) {
    throw BadConfig{node.Mark(), fmt::format("expected {}", expected)};
  }
  return value;
}

template <class T>
T number_between(const YAML::Node& node, T low, T high) {
  const std::string expected = fmt::format("a number from {} to {}", low, high);
  const T value = scalar<T>(node, expected);
  // Written so that a NaN is refused too.
  if (!(value >= low && value <= high)) {
    throw BadConfig{node.Mark(), fmt::format("expected {}, not {}", expected, node.Scalar())};
  }
  return value;
}

template <std::size_t N>
std::string one_of(const YAML::Node& node, const std::array<std::string_view, N>& words) {
  const std::string expected = fmt::format("one of {}", fmt::join(words, ", "));
  auto value = scalar<std::string>(node, expected);
  if (std::ranges::find(words, value) == words.end()) {
    throw BadConfig{node.Mark(), fmt::format("expected {}, not \"{}\"", expected, value)};
  }
  return value;
}

SourceKind source_kind(const YAML::Node& node) {
  const std::string word = one_of(node, kSources);
  return static_cast<SourceKind>(std::ranges::find(kSources, word) - kSources.begin());
}

const Readers& common_readers() {
  static const Readers readers{
      {"domain",
       [](const YAML::Node& node, CameraConfig& to) {
         to.domain = scalar<std::string>(node, "the name of a domain");
       }},
      {"log_level",
       [](const YAML::Node& node, CameraConfig& to) { to.log_level = one_of(node, kLogLevels); }},
  };
  return readers;
}

const Readers& camera_readers() {
  static const Readers readers{
      {"source", [](const YAML::Node& node, CameraConfig& to) { to.source = source_kind(node); }},
      {"width",
       [](const YAML::Node& node, CameraConfig& to) {
         to.geometry.width = number_between<std::uint32_t>(node, 2, kSideMax);
       }},
      {"height",
       [](const YAML::Node& node, CameraConfig& to) {
         to.geometry.height = number_between<std::uint32_t>(node, 2, kSideMax);
       }},
      {"fps",
       [](const YAML::Node& node, CameraConfig& to) {
         to.frames_per_s = number_between<double>(node, 1, kFramesPerSecondMax);
       }},
      {"seed",
       [](const YAML::Node& node, CameraConfig& to) {
         to.seed = number_between<std::uint32_t>(node, 0, UINT32_MAX);
       }},
      {"video",
       [](const YAML::Node& node, CameraConfig& to) {
         to.video = scalar<std::string>(node, "a file name or a URL");
       }},
      {"device",
       [](const YAML::Node& node, CameraConfig& to) {
         to.device = scalar<std::string>(node, "a device such as /dev/video0");
       }},
      {"format",
       [](const YAML::Node& node, CameraConfig& to) { to.format = one_of(node, kFormats); }},
      {"jpeg_quality",
       [](const YAML::Node& node, CameraConfig& to) {
         to.jpeg_quality = number_between<int>(node, 1, 100);
       }},
  };
  return readers;
}

// How many letters differ at worst; enough to recognise a slip of the finger.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

std::string unknown_key(std::string_view key, const std::vector<std::string_view>& known) {
  const auto nearest = std::ranges::min(
      known, {}, [&](std::string_view candidate) { return distance(key, candidate); });
  if (distance(key, nearest) <= 2) {
    return fmt::format("\"{}\" is not a key; did you mean \"{}\"?", key, nearest);
  }
  return fmt::format("\"{}\" is not a key; there are {}", key, fmt::join(known, ", "));
}

void require_map(const YAML::Node& node, std::string_view what) {
  if (node.IsMap()) return;
  throw BadConfig{node.Mark(), fmt::format("{} must be \"key: value\" lines", what)};
}

void read_section(const YAML::Node& root, const std::string& name, const Readers& readers,
                  CameraConfig& to) {
  const YAML::Node section = root[name];
  if (!section || section.IsNull()) return;
  require_map(section, fmt::format("the section {}", name));
  for (const auto& entry : section) {
    const YAML::Node& key = entry.first;
    const auto word = key.as<std::string>();
    const auto reader = readers.find(word);
    if (reader == readers.end()) {
      std::vector<std::string_view> known;
      for (const auto& reader_entry : readers) known.push_back(reader_entry.first);
      throw BadConfig{key.Mark(), fmt::format("{}: {}", name, unknown_key(word, known))};
    }
    try {
      reader->second(entry.second, to);
    } catch (BadConfig& bad) {
      bad.text = fmt::format("{}.{}: {}", name, word, bad.text);
      throw;
    }
  }
}

void read_file(const std::string& path, CameraConfig& to) {
  const YAML::Node root = YAML::LoadFile(path);
  if (root.IsNull()) return;
  require_map(root, "the file");
  for (const auto& entry : root) {
    const auto section = entry.first.as<std::string>();
    if (std::ranges::find(kSections, section) == kSections.end()) {
      throw BadConfig{entry.first.Mark(),
                      unknown_key(section, {kSections.begin(), kSections.end()})};
    }
  }
  read_section(root, "common", common_readers(), to);
  read_section(root, "camera", camera_readers(), to);
}

void apply(const ConfigOverrides& overrides, CameraConfig& to) {
  if (overrides.video) {
    to.source = SourceKind::video;
    to.video = *overrides.video;
  }
  if (overrides.device) {
    to.source = SourceKind::v4l2;
    to.device = *overrides.device;
  }
  to.geometry.width = overrides.width.value_or(to.geometry.width);
  to.geometry.height = overrides.height.value_or(to.geometry.height);
  to.frames_per_s = overrides.frames_per_s.value_or(to.frames_per_s);
  to.seed = overrides.seed.value_or(to.seed);
}

std::optional<std::string> contradiction(const CameraConfig& config) {
  switch (config.source) {
    case SourceKind::synthetic:
      return Room::refusal(config.geometry);
    case SourceKind::video:
      if (config.video.empty()) return "the source is video, but camera.video names none";
      return std::nullopt;
    case SourceKind::v4l2:
      return std::nullopt;
  }
  return std::nullopt;
}

std::unexpected<Failure> refuse(std::string text) {
  return std::unexpected(Failure{ExitCode::configuration, std::move(text)});
}

}  // namespace

Outcome<CameraConfig> load_config(const std::optional<std::string>& path,
                                  const ConfigOverrides& overrides) {
  CameraConfig config;
  const std::string name = path.value_or("the command line");
  try {
    if (path) read_file(*path, config);
  } catch (const BadConfig& bad) {
    return refuse(fmt::format("{}:{}: {}", name, bad.where.line + 1, bad.text));
  } catch (const YAML::BadFile&) {
    return refuse(
        fmt::format("cannot read the configuration {}: check that it exists and may be "
                    "read, or leave out --config for the defaults",
                    name));
  } catch (const YAML::Exception& bad) {
    return refuse(fmt::format("{}:{}: this is not YAML: {}", name, bad.mark.line + 1, bad.msg));
  }
  apply(overrides, config);
  if (const auto text = contradiction(config)) return refuse(fmt::format("{}: {}", name, *text));
  return config;
}

}  // namespace petcam
