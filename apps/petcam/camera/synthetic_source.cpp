#include "synthetic_source.hpp"

#include <chrono>

#include "clocks.hpp"

namespace petcam {

SyntheticSource::SyntheticSource(Geometry geometry, double frames_per_s, std::uint32_t seed)
    : room_(geometry, frames_per_s, seed) {
  const auto period = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(1 / frames_per_s));
  timer_.start(monotonic_ns(), period);
}

void SyntheticSource::advance(PictureOutlet& outlet) {
  const std::uint64_t due = timer_.fired();
  if (due == 0) return;
  // A machine that was too busy to render some pictures in time loses them, as a real camera would.
  lost_ += due - 1;

  const std::int64_t captured_ns = monotonic_ns();
  const Picture picture = outlet.begin(room_.geometry());
  const std::uint64_t before_ns = thread_cpu_ns();
  const TruthList truth = room_.paint(picture, outlet.next_number());
  work_cpu_ns_ += thread_cpu_ns() - before_ns;
  outlet.deliver({.captured_ns = captured_ns,
                  .truth = std::span(truth.items).first(truth.count),
                  .camera_jpeg = {}});
}

}  // namespace petcam
