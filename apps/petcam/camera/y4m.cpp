#include "y4m.hpp"

#include <charconv>
#include <cstdint>
#include <optional>

namespace petcam {
namespace {

constexpr std::string_view kMagic = "YUV4MPEG2";
constexpr std::uint32_t kSideMax = 16384;

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

double ratio(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return 0;
  const auto above = number(text.substr(0, colon));
  const auto below = number(text.substr(colon + 1));
  return above && below && *below != 0 ? static_cast<double>(*above) / *below : 0;
}

}  // namespace

std::expected<Y4mHeader, std::string> parse_y4m_header(std::string_view line) {
  if (!line.starts_with(kMagic)) return std::unexpected("it does not begin with YUV4MPEG2");
  Y4mHeader header;
  std::string_view rest = line.substr(kMagic.size());
  while (!rest.empty()) {
    const std::size_t start = rest.find_first_not_of(' ');
    if (start == std::string_view::npos) break;
    const std::size_t end = std::min(rest.find(' ', start), rest.size());
    const std::string_view field = rest.substr(start, end - start);
    const std::string_view value = field.substr(1);
    rest.remove_prefix(end);
    if (field[0] == 'W') header.geometry.width = number(value).value_or(0);
    if (field[0] == 'H') header.geometry.height = number(value).value_or(0);
    if (field[0] == 'F') header.frames_per_s = ratio(value);
    if (field[0] == 'C' && !value.starts_with("420")) {
      return std::unexpected("its planes are not 4:2:0");
    }
  }
  const auto [width, height] = header.geometry;
  if (width < 2 || height < 2 || width > kSideMax || height > kSideMax || width % 2 != 0 ||
      height % 2 != 0) {
    return std::unexpected("its size is " + std::to_string(width) + " x " + std::to_string(height));
  }
  return header;
}

}  // namespace petcam
