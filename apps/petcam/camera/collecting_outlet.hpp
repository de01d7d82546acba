// collecting_outlet.hpp: for tests of sources: keeps the pictures, and drives a source until a
// condition holds.
#pragma once

#include <poll.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "clocks.hpp"
#include "source.hpp"

namespace petcam {

class CollectingOutlet final : public PictureOutlet {
 public:
  struct Delivered {
    std::vector<std::byte> bytes;
    Geometry geometry;
    std::int64_t captured_ns;
    std::vector<Truth> truth;
    std::vector<std::byte> camera_jpeg;
    Picture picture() { return {bytes, geometry}; }
  };

  Picture begin(Geometry geometry) override {
    geometry_ = geometry;
    current_.resize(i420_bytes(geometry));
    return {current_, geometry};
  }
  std::uint64_t next_number() const override { return delivered.size(); }
  void deliver(const Capture& capture) override {
    delivered.push_back({current_,
                         geometry_,
                         capture.captured_ns,
                         {capture.truth.begin(), capture.truth.end()},
                         {capture.camera_jpeg.begin(), capture.camera_jpeg.end()}});
  }

  std::vector<Delivered> delivered;

 private:
  Geometry geometry_{};
  std::vector<std::byte> current_;
};

// Sleeps on the source's descriptor and advances it until `done()`; false when the watchdog, which
// is there for hangs and not for speed, has had enough.
template <class Done>
bool drive(Source& source, CollectingOutlet& outlet, Done done, int watchdog_s = 30) {
  const std::int64_t end_ns = monotonic_ns() + watchdog_s * std::int64_t{1'000'000'000};
  while (!done()) {
    const std::int64_t left_ms = (end_ns - monotonic_ns()) / 1'000'000;
    if (left_ms <= 0) return false;
    pollfd ready{.fd = source.descriptor(), .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, static_cast<int>(left_ms)) > 0) source.advance(outlet);
  }
  return true;
}

}  // namespace petcam
