// source.hpp: where pictures come from. The daemon knows no more about a camera than this.
//
// A source owns what it needs (timers, a child process, a device) behind one descriptor. When that
// is readable the daemon calls advance(), and the source asks the outlet for memory, fills in the
// picture and delivers it. A source that cannot deliver says why in status() and goes on trying by
// itself; it never stops the daemon.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "messages.hpp"
#include "picture.hpp"

namespace petcam {

enum class SourceKind : std::uint32_t { synthetic = 0, video = 1, v4l2 = 2 };
enum class SourceState : std::uint32_t { starting = 0, running = 1, degraded = 2 };

// What is known about a picture besides its pixels.
struct Capture {
  std::int64_t captured_ns = 0;              // CLOCK_MONOTONIC
  std::span<const Truth> truth{};            // at most as many as Frame::truth holds
  std::span<const std::byte> camera_jpeg{};  // as the camera compressed it; empty if it did not
};

// Where pictures go.
class PictureOutlet {
 public:
  virtual ~PictureOutlet() = default;
  // The picture to fill next. The same one again until deliver() was called or the geometry is
  // another one. It is scratch memory while the subscribers hold every frame.
  virtual Picture begin(Geometry geometry) = 0;
  // The number this picture will carry.
  virtual std::uint64_t next_number() const = 0;
  virtual void deliver(const Capture& capture) = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual SourceKind kind() const = 0;
  // Readable when advance() has something to do; the same descriptor for the source's whole life.
  virtual int descriptor() const = 0;
  virtual void advance(PictureOutlet& outlet) = 0;
  // Called once a second, for what has no event of its own: noticing that nothing comes any more.
  virtual void check_stall(std::int64_t now_ns) = 0;

  virtual SourceState state() const = 0;
  // What is wrong and what to do; empty unless degraded.
  virtual std::string note() const = 0;
  // CPU this thread spent on making pictures: rendering, decoding.
  virtual std::uint64_t work_cpu_ns() const = 0;
  // Pictures that came but could not be used.
  virtual std::uint64_t lost_pictures() const = 0;
};

}  // namespace petcam
