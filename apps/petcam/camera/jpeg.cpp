#include "jpeg.hpp"

#include <turbojpeg.h>

#include <algorithm>
#include <array>
#include <new>
#include <utility>

#include "yuv.hpp"

namespace petcam {
namespace {

struct JpegHeader {
  Geometry geometry;
  int subsampling;
};

std::string reason(void* handle) { return tjGetErrorStr2(handle); }

const unsigned char* bytes_of(std::span<const std::byte> file) {
  return reinterpret_cast<const unsigned char*>(file.data());
}

std::expected<JpegHeader, std::string> read_header(void* handle, std::span<const std::byte> file) {
  int width = 0;
  int height = 0;
  int subsampling = 0;
  int colour_space = 0;
  if (tjDecompressHeader3(handle, bytes_of(file), file.size(), &width, &height, &subsampling,
                          &colour_space) != 0) {
    return std::unexpected(reason(handle));
  }
  return JpegHeader{{static_cast<std::uint32_t>(width), static_cast<std::uint32_t>(height)},
                    subsampling};
}

// USB cameras pad their entropy-coded data, which costs nothing; libjpeg-turbo warns of it with the
// same code as of a picture that ends in the middle.
bool is_harmless(void* handle) {
  return tjGetErrorCode(handle) == TJERR_WARNING &&
         reason(handle).find("extraneous bytes") != std::string::npos;
}

// How many chroma samples of the file make one of I420, per direction; {0, 0} when it has fewer
// than I420 or none.
std::array<std::uint32_t, 2> samples_per_sample(int subsampling) {
  switch (subsampling) {
    case TJSAMP_444:
      return {2, 2};
    case TJSAMP_422:
      return {1, 2};
    case TJSAMP_440:
      return {2, 1};
    case TJSAMP_420:
      return {1, 1};
    default:
      return {0, 0};
  }
}

}  // namespace

void JpegHandleCloser::operator()(void* handle) const noexcept { tjDestroy(handle); }

JpegEncoder::JpegEncoder(int quality) : handle_(tjInitCompress()), quality_(quality) {
  if (!handle_) throw std::bad_alloc();
}

std::expected<std::span<const std::byte>, std::string> JpegEncoder::encode(const Picture& picture) {
  const Geometry geometry = picture.geometry();
  const auto width = static_cast<int>(geometry.width);
  const auto height = static_cast<int>(geometry.height);
  full_range_.resize(i420_bytes(geometry));
  file_.resize(tjBufSize(width, height, TJSAMP_420));

  const Picture full(full_range_, geometry);
  to_full_range(picture, full);
  std::array<const unsigned char*, 3> planes{full.y(), full.u(), full.v()};
  const std::array<int, 3> strides{width, width / 2, width / 2};
  auto* file = reinterpret_cast<unsigned char*>(file_.data());
  unsigned long size = file_.size();
  if (tjCompressFromYUVPlanes(handle_.get(), planes.data(), width, strides.data(), height,
                              TJSAMP_420, &file, &size, quality_, TJFLAG_NOREALLOC) != 0) {
    return std::unexpected(reason(handle_.get()));
  }
  return std::span<const std::byte>(file_).first(size);
}

JpegDecoder::JpegDecoder() : handle_(tjInitDecompress()) {
  if (!handle_) throw std::bad_alloc();
}

// libjpeg-turbo 2.1 can stay in the middle of a file that broke off and would then read the next
// one as its rest, so a failure costs a new handle.
std::unexpected<std::string> JpegDecoder::fail(std::string why) {
  handle_.reset(tjInitDecompress());
  if (!handle_) throw std::bad_alloc();
  return std::unexpected(std::move(why));
}

std::expected<Geometry, std::string> JpegDecoder::geometry(std::span<const std::byte> file) {
  const auto header = read_header(handle_.get(), file);
  if (!header) return fail(header.error());
  return header->geometry;
}

std::expected<void, std::string> JpegDecoder::decode(std::span<const std::byte> file,
                                                     const Picture& picture) {
  const auto header = read_header(handle_.get(), file);
  if (!header) return fail(header.error());
  const Geometry geometry = picture.geometry();
  if (header->geometry != geometry) return std::unexpected("its size is not the one announced");
  const auto [columns, rows] = samples_per_sample(header->subsampling);
  if (columns == 0 && header->subsampling != TJSAMP_GRAY) {
    return std::unexpected("its chroma subsampling is not supported");
  }

  const auto width = static_cast<int>(geometry.width);
  const auto height = static_cast<int>(geometry.height);
  const std::size_t luma = tjPlaneSizeYUV(0, width, 0, height, header->subsampling);
  const std::size_t chroma =
      columns == 0 ? 0 : tjPlaneSizeYUV(1, width, 0, height, header->subsampling);
  planes_.resize(luma + 2 * chroma);
  std::array<unsigned char*, 3> planes{planes_.data(), planes_.data() + luma,
                                       planes_.data() + luma + chroma};
  std::array<int, 3> strides{0, 0, 0};
  if (tjDecompressToYUVPlanes(handle_.get(), bytes_of(file), file.size(), planes.data(), width,
                              strides.data(), height, 0) != 0 &&
      !is_harmless(handle_.get())) {
    return fail(reason(handle_.get()));
  }

  std::copy_n(planes[0], picture.luma_bytes(), picture.y());
  const std::array<std::uint8_t*, 2> targets{picture.u(), picture.v()};
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (columns == 0) {
      std::fill_n(targets[i], picture.luma_bytes() / 4, std::uint8_t{128});
      continue;
    }
    const auto stride = static_cast<std::size_t>(tjPlaneWidth(1, width, header->subsampling));
    shrink_chroma({planes[i + 1], stride, columns, rows}, targets[i], geometry.width / 2,
                  geometry.height / 2);
  }
  to_studio_range(picture, picture);
  return {};
}

}  // namespace petcam
