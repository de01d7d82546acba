// frame_publisher.hpp: puts pictures on petcam/frames and, while somebody watches, on petcam/jpeg.
//
// A source renders straight into the memory that the subscribers read. The frame is published
// before it is compressed, so that no detector waits for a viewer; the encoder reads it back as one
// more subscriber, which pins it in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "failure.hpp"
#include "jpeg.hpp"
#include "messages.hpp"
#include "picture.hpp"
#include "signalbox/topic.hpp"
#include "source.hpp"

namespace petcam {

struct FrameCounters {
  std::uint64_t delivered = 0;  // by the source
  std::uint64_t published = 0;
  std::uint64_t dropped = 0;  // because subscribers held all the memory
  std::uint64_t jpeg_encodes = 0;
  std::uint64_t jpeg_cpu_ns = 0;
};

class FramePublisher final : public PictureOutlet {
 public:
  FramePublisher(std::string domain, int jpeg_quality);

  Picture begin(Geometry geometry) override;
  std::uint64_t next_number() const override { return number_; }
  void deliver(const Capture& capture) override;

  // The frames that follow come from another source or with another geometry.
  void start_generation(SourceKind source);
  void set_jpeg_quality(int quality);

  // Opens the topics for this geometry at once instead of with the first picture.
  Outcome<void> open(Geometry geometry);
  // Set when the topics cannot be opened; nothing is published any more.
  const std::optional<Failure>& failure() const { return failure_; }
  const FrameCounters& counters() const { return counters_; }

 private:
  struct Topics {
    Geometry geometry;
    signalbox::Publisher<Frame> frames;
    signalbox::Subscriber<Frame> own_frames;
    signalbox::Publisher<Jpeg> jpeg;
  };
  Outcome<Topics> open_topics(Geometry geometry) const;
  bool publish_frame(const Capture& capture);
  void publish_jpeg(const Capture& capture);
  std::span<const std::byte> encode_own_frame();

  std::string domain_;
  std::optional<Topics> topics_;
  signalbox::Loan<Frame> loan_;  // after topics_: it must die before its publisher
  signalbox::Sample<Frame> own_frame_;
  std::vector<std::byte> scratch_;
  JpegEncoder encoder_;
  std::uint64_t number_ = 0;
  std::uint32_t generation_ = 0;
  SourceKind source_ = SourceKind::synthetic;
  Frame last_{};  // the fixed part of the frame published last
  FrameCounters counters_;
  std::optional<Failure> failure_;
};

}  // namespace petcam
