// synthetic_source.hpp: the synthetic room as a camera that takes a picture every 1/fps seconds.
#pragma once

#include <cstdint>
#include <string>

#include "file_descriptor.hpp"
#include "room.hpp"
#include "source.hpp"

namespace petcam {

class SyntheticSource final : public Source {
 public:
  // The geometry was accepted by Room::refusal().
  SyntheticSource(Geometry geometry, double frames_per_s, std::uint32_t seed);

  SourceKind kind() const override { return SourceKind::synthetic; }
  int descriptor() const override { return timer_.descriptor(); }
  void advance(PictureOutlet& outlet) override;
  void check_stall(std::int64_t) override {}
  SourceState state() const override { return SourceState::running; }
  std::string note() const override { return {}; }
  std::uint64_t work_cpu_ns() const override { return work_cpu_ns_; }
  std::uint64_t lost_pictures() const override { return lost_; }

 private:
  Room room_;
  Timer timer_;
  std::uint64_t work_cpu_ns_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace petcam
