// v4l2_source.hpp: a camera on this machine. When it is unplugged, or not there yet, the source
// says so and looks for it once a second.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "file_descriptor.hpp"
#include "jpeg.hpp"
#include "source.hpp"
#include "v4l2_camera.hpp"

namespace petcam {

class V4l2Source final : public Source {
 public:
  // `calls` outlives the source.
  explicit V4l2Source(CameraWish wish, V4l2Calls& calls = kernel_v4l2_calls());
  ~V4l2Source() override { close_camera(); }

  SourceKind kind() const override { return SourceKind::v4l2; }
  int descriptor() const override { return poller_.descriptor(); }
  void advance(PictureOutlet& outlet) override;
  void check_stall(std::int64_t now_ns) override;
  SourceState state() const override { return state_; }
  std::string note() const override { return note_; }
  std::uint64_t work_cpu_ns() const override { return work_cpu_ns_; }
  std::uint64_t lost_pictures() const override { return lost_; }

 private:
  enum Key : std::uint64_t { kReopen, kShot };

  void open_camera();
  void close_camera();
  void take_shot(PictureOutlet& outlet);
  // Makes I420 of the shot; the error says what is wrong with it.
  std::expected<void, std::string> develop(const CameraShot& shot, const Picture& picture);
  void fail(std::string note);

  CameraWish wish_;
  V4l2Calls& calls_;
  Poller poller_;
  Timer reopen_;
  std::optional<V4l2Camera> camera_;
  JpegDecoder decoder_;
  std::int64_t progress_ns_ = 0;  // when the last good picture came
  std::string last_fault_;        // why the last bad picture was bad
  SourceState state_ = SourceState::starting;
  std::string note_;
  std::uint64_t work_cpu_ns_ = 0;
  std::uint64_t lost_ = 0;
};

}  // namespace petcam
