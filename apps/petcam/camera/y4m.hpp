// y4m.hpp: the YUV4MPEG2 stream that ffmpeg writes: a header line with the size, then for every
// picture the line "FRAME" and the planes of I420.
//
// It is asked for instead of bare planes because it says the size of what really comes, after the
// rotation and cropping that a separate probe of the file would not know about.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "picture.hpp"

namespace petcam {

inline constexpr std::string_view y4m_frame_marker = "FRAME\n";

struct Y4mHeader {
  Geometry geometry;
  double frames_per_s = 0;  // 0: the stream does not say
};

// Reads the header line, without its newline. The error says what is wrong with it.
std::expected<Y4mHeader, std::string> parse_y4m_header(std::string_view line);

}  // namespace petcam
