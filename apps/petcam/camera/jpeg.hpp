// jpeg.hpp: pictures to JPEG and back, by libjpeg-turbo.
//
//   Threads  one thread at a time per object
//   Limits   sides up to 65500 pixels, the format's own limit
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "picture.hpp"

namespace petcam {

// Closes a libjpeg-turbo handle, whose type is void*.
struct JpegHandleCloser {
  void operator()(void* handle) const noexcept;
};
using JpegHandle = std::unique_ptr<void, JpegHandleCloser>;

class JpegEncoder {
 public:
  explicit JpegEncoder(int quality);

  // The picture as a JPEG file, converted to the full range; valid until the next call.
  // The error is a sentence of libjpeg-turbo.
  std::expected<std::span<const std::byte>, std::string> encode(const Picture& picture);

 private:
  JpegHandle handle_;
  int quality_;
  std::vector<std::byte> full_range_;
  std::vector<std::byte> file_;
};

class JpegDecoder {
 public:
  JpegDecoder();

  // Reads only the header.
  std::expected<Geometry, std::string> geometry(std::span<const std::byte> file);
  // Decodes into a picture of the same geometry, with any chroma subsampling, to the studio range.
  // Damage inside the file is an error: half a picture is not shown.
  std::expected<void, std::string> decode(std::span<const std::byte> file, const Picture& picture);

 private:
  std::unexpected<std::string> fail(std::string why);

  JpegHandle handle_;
  std::vector<std::uint8_t> planes_;
};

}  // namespace petcam
