#include "frame_publisher.hpp"

#include <spdlog/spdlog.h>

#include <sched.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "clocks.hpp"

namespace petcam {
namespace {

constexpr std::uint32_t kDepth = 4;
// A detector that computes on one frame while it waits for the next holds two, as does the server;
// the encoder here holds one, and one is for whoever looks on with a tool.
constexpr std::uint32_t kHeldMax = 6;

// A picture of noise at the best quality takes about a byte a pixel; no camera comes near.
std::uint64_t jpeg_bytes_max(Geometry geometry) {
  return std::max<std::uint64_t>(64 * 1024, std::uint64_t{geometry.width} * geometry.height);
}

std::unexpected<Failure> topic_failure(const signalbox::Error& error) {
  return std::unexpected(Failure{ExitCode::topic, error.text});
}

std::uint64_t to_unsigned(std::int64_t ns) { return static_cast<std::uint64_t>(ns); }

}  // namespace

FramePublisher::FramePublisher(std::string domain, int jpeg_quality)
    : domain_(std::move(domain)), encoder_(jpeg_quality) {}

Outcome<FramePublisher::Topics> FramePublisher::open_topics(Geometry geometry) const {
  signalbox::PublisherOptions options{.depth = kDepth, .held_max = kHeldMax, .domain = domain_};
  options.tail_bytes_max = i420_bytes(geometry);
  auto frames = signalbox::Publisher<Frame>::open(kFramesTopic, options);
  if (!frames) return topic_failure(frames.error());
  auto own_frames = signalbox::Subscriber<Frame>::open(
      kFramesTopic, {.start = signalbox::Start::next, .domain = domain_});
  if (!own_frames) return topic_failure(own_frames.error());
  options.tail_bytes_max = jpeg_bytes_max(geometry);
  auto jpeg = signalbox::Publisher<Jpeg>::open(kJpegTopic, options);
  if (!jpeg) return topic_failure(jpeg.error());
  return Topics{geometry, std::move(*frames), std::move(*own_frames), std::move(*jpeg)};
}

Outcome<void> FramePublisher::open(Geometry geometry) {
  if (topics_ && topics_->geometry == geometry) return {};
  own_frame_ = {};
  loan_ = {};
  auto topics = open_topics(geometry);
  if (!topics && topics_) {
    // What the old geometry took may be what the new one lacks.
    topics_.reset();
    topics = open_topics(geometry);
  }
  if (!topics) return std::unexpected(topics.error());
  topics_.emplace(std::move(*topics));
  ++generation_;
  spdlog::info("publishing {} x {} pictures on {} and {}", geometry.width, geometry.height,
               kFramesTopic, kJpegTopic);
  return {};
}

Picture FramePublisher::begin(Geometry geometry) {
  if (!failure_) {
    if (const auto opened = open(geometry); !opened) failure_ = opened.error();
  }
  const std::size_t bytes = i420_bytes(geometry);
  if (!failure_) {
    if (!loan_) loan_ = topics_->frames.loan(bytes);
    if (loan_) return {loan_.tail(), geometry};
  }
  scratch_.resize(bytes);
  return {scratch_, geometry};
}

void FramePublisher::deliver(const Capture& capture) {
  ++counters_.delivered;
  if (!publish_frame(capture)) {
    ++counters_.dropped;
    return;
  }
  ++counters_.published;
  // A write to a pipe promises the kernel that its writer sleeps next, so the woken detector may be
  // put on our processor; without this it waits there until the picture is compressed.
  ::sched_yield();
  if (topics_->jpeg.subscriber_count() > 0) publish_jpeg(capture);
}

bool FramePublisher::publish_frame(const Capture& capture) {
  if (!loan_) return false;
  const Geometry geometry = topics_->geometry;
  Frame& frame = *loan_;
  frame = {};
  frame.number = number_;
  frame.capture_ns = to_unsigned(capture.captured_ns);
  frame.wall_ns = to_unsigned(wall_ns() - (monotonic_ns() - capture.captured_ns));
  frame.width = geometry.width;
  frame.height = geometry.height;
  frame.stride = geometry.width;
  frame.generation = generation_;
  frame.source = static_cast<std::uint32_t>(source_);
  const std::size_t truths = std::min(capture.truth.size(), std::size(frame.truth));
  frame.truth_count = static_cast<std::uint32_t>(truths);
  std::copy_n(capture.truth.begin(), truths, frame.truth);
  frame.published_ns = to_unsigned(monotonic_ns());
  last_ = frame;
  const auto published = topics_->frames.publish(std::move(loan_));
  if (!published) {
    // A reliable subscriber is a whole ring behind; the memory stays ours for the next picture.
    spdlog::debug("frame {} dropped: {}", number_, published.error().text);
    return false;
  }
  loan_ = {};
  ++number_;
  return true;
}

std::span<const std::byte> FramePublisher::encode_own_frame() {
  own_frame_ = topics_->own_frames.take_latest();
  if (!own_frame_ || own_frame_->number != last_.number) return {};
  // The view is of memory that is mapped read-only here; the encoder only reads it.
  const auto tail = own_frame_.tail();
  const Picture picture({const_cast<std::byte*>(tail.data()), tail.size()}, topics_->geometry);
  const std::uint64_t before_ns = thread_cpu_ns();
  const auto file = encoder_.encode(picture);
  counters_.jpeg_cpu_ns += thread_cpu_ns() - before_ns;
  if (!file) {
    spdlog::warn("frame {} could not be compressed: {}", last_.number, file.error());
    return {};
  }
  ++counters_.jpeg_encodes;
  return *file;
}

void FramePublisher::publish_jpeg(const Capture& capture) {
  const auto file = capture.camera_jpeg.empty() ? encode_own_frame() : capture.camera_jpeg;
  // Empty when the viewers hold all the memory: they are behind and want the newest only.
  if (auto loan = file.empty() ? signalbox::Loan<Jpeg>{} : topics_->jpeg.loan(file.size())) {
    *loan = {.number = last_.number,
             .capture_ns = last_.capture_ns,
             .wall_ns = last_.wall_ns,
             .published_ns = to_unsigned(monotonic_ns()),
             .width = last_.width,
             .height = last_.height};
    std::ranges::copy(file, loan.tail().begin());
    if (const auto published = topics_->jpeg.publish(std::move(loan)); !published) {
      spdlog::debug("JPEG of frame {} dropped: {}", last_.number, published.error().text);
    }
  }
  own_frame_ = {};
}

void FramePublisher::start_generation(SourceKind source) {
  source_ = source;
  ++generation_;
}

void FramePublisher::set_jpeg_quality(int quality) { encoder_ = JpegEncoder(quality); }

}  // namespace petcam
