// v4l2_stand_in.hpp: for tests: a camera at the level of its ioctls, because neither a camera nor
// the kernel's vivid module is to be had in continuous integration.
//
// It answers as uvcvideo does, as far as petcam asks: formats, sizes, buffers shared by mmap, a
// queue in each direction, a descriptor that is readable while a picture waits, and ENODEV once
// unplugged. It also holds the program to the rules: it refuses to stream without buffers, counts
// mappings and opened descriptors, and hands out only buffers that were queued.
#pragma once

#include <linux/videodev2.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "picture.hpp"
#include "v4l2_calls.hpp"

namespace petcam {

class V4l2StandIn final : public V4l2Calls {
 public:
  struct Offer {
    std::uint32_t pixel_format;
    const char* description;
  };
  explicit V4l2StandIn(std::vector<Offer> offers, Geometry only_size)
      : offers_(std::move(offers)), size_(only_size) {}
  ~V4l2StandIn() override { ::close(event_); }

  // What a person does to a camera.
  void unplug() {
    plugged_ = false;
    streaming_ = false;
    const std::uint64_t hang_up = 1;
    if (::write(event_, &hang_up, sizeof(hang_up)) < 0) std::abort();
  }
  void plug_in() {
    plugged_ = true;
    ::close(event_);
    event_ = new_event();
  }

  // The sensor delivers a picture; false when no buffer was queued for it.
  bool expose(std::span<const std::byte> bytes, std::int64_t captured_ns, bool damaged = false) {
    if (!streaming_ || queued_.empty()) return false;
    const std::uint32_t index = queued_.front();
    queued_.pop_front();
    std::ranges::copy(bytes, memory_[index].begin());
    done_.push_back({index, static_cast<std::uint32_t>(bytes.size()), captured_ns, damaged});
    const std::uint64_t one = 1;
    return ::write(event_, &one, sizeof(one)) == sizeof(one);
  }

  int opened() const { return opened_; }
  int mapped() const { return mapped_; }
  bool streaming() const { return streaming_; }
  std::size_t queued() const { return queued_.size(); }

  int open(const char*) override {
    if (!plugged_) return fail(ENOENT);
    ++opened_;
    return dup(event_);
  }
  void close(int descriptor) override {
    --opened_;
    streaming_ = false;
    ::close(descriptor);
  }
  void* map(int, std::size_t bytes, std::int64_t offset) override {
    const auto index = static_cast<std::size_t>(offset / kOffsetStep);
    if (index >= memory_.size() || bytes != memory_[index].size()) {
      errno = EINVAL;
      return nullptr;
    }
    ++mapped_;
    return memory_[index].data();
  }
  void unmap(void*, std::size_t) override { --mapped_; }

  int ioctl(int, unsigned long request, void* argument) override {
    if (!plugged_) return fail(ENODEV);
    switch (request) {
      case VIDIOC_QUERYCAP:
        return query(*static_cast<v4l2_capability*>(argument));
      case VIDIOC_ENUM_FMT:
        return enumerate(*static_cast<v4l2_fmtdesc*>(argument));
      case VIDIOC_ENUM_FRAMESIZES:
        return enumerate(*static_cast<v4l2_frmsizeenum*>(argument));
      case VIDIOC_ENUM_FRAMEINTERVALS:
        return enumerate(*static_cast<v4l2_frmivalenum*>(argument));
      case VIDIOC_S_FMT:
        return set(*static_cast<v4l2_format*>(argument));
      case VIDIOC_S_PARM:
        return set(*static_cast<v4l2_streamparm*>(argument));
      case VIDIOC_REQBUFS:
        return make_buffers(*static_cast<v4l2_requestbuffers*>(argument));
      case VIDIOC_QUERYBUF:
        return query(*static_cast<v4l2_buffer*>(argument));
      case VIDIOC_QBUF:
        return queue(*static_cast<v4l2_buffer*>(argument));
      case VIDIOC_DQBUF:
        return dequeue(*static_cast<v4l2_buffer*>(argument));
      case VIDIOC_STREAMON:
        return start();
      case VIDIOC_STREAMOFF:
        return stop();
      default:
        return fail(ENOTTY);
    }
  }

 private:
  static constexpr std::int64_t kOffsetStep = 1 << 24;
  struct Done {
    std::uint32_t index;
    std::uint32_t bytes;
    std::int64_t captured_ns;
    bool damaged;
  };

  static int new_event() { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE); }
  static int fail(int error) {
    errno = error;
    return -1;
  }
  template <std::size_t N>
  static void put(std::uint8_t (&field)[N], const char* text) {
    std::strncpy(reinterpret_cast<char*>(field), text, N - 1);
  }

  int query(v4l2_capability& to) const {
    put(to.driver, "stand-in");
    put(to.card, "Camera of the tests");
    to.capabilities = V4L2_CAP_DEVICE_CAPS;
    to.device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    return 0;
  }
  int enumerate(v4l2_fmtdesc& to) const {
    if (to.index >= offers_.size()) return fail(EINVAL);
    to.pixelformat = offers_[to.index].pixel_format;
    put(to.description, offers_[to.index].description);
    return 0;
  }
  int enumerate(v4l2_frmsizeenum& to) const {
    if (to.index != 0) return fail(EINVAL);
    to.type = V4L2_FRMSIZE_TYPE_DISCRETE;
    to.discrete = {size_.width, size_.height};
    return 0;
  }
  static int enumerate(v4l2_frmivalenum& to) {
    if (to.index >= 2) return fail(EINVAL);
    to.type = V4L2_FRMIVAL_TYPE_DISCRETE;
    to.discrete = {1, to.index == 0 ? 30U : 15U};
    return 0;
  }
  // Any size is answered with the only one there is, as drivers do.
  int set(v4l2_format& to) {
    if (std::ranges::find(offers_, to.fmt.pix.pixelformat, &Offer::pixel_format) == offers_.end()) {
      to.fmt.pix.pixelformat = offers_.front().pixel_format;
    }
    to.fmt.pix.width = size_.width;
    to.fmt.pix.height = size_.height;
    to.fmt.pix.bytesperline =
        to.fmt.pix.pixelformat == V4L2_PIX_FMT_YUYV ? size_.width * 2 + kRowPadding : 0;
    to.fmt.pix.sizeimage = (size_.width * 2 + kRowPadding) * size_.height;
    buffer_bytes_ = to.fmt.pix.sizeimage;
    return 0;
  }
  static int set(v4l2_streamparm& to) {
    to.parm.capture.timeperframe = {1, 30};
    return 0;
  }
  int make_buffers(v4l2_requestbuffers& to) {
    if (buffer_bytes_ == 0) return fail(EINVAL);
    to.count = std::min(to.count, 3U);  // drivers may give fewer
    memory_.assign(to.count, std::vector<std::byte>(buffer_bytes_));
    queued_.clear();
    done_.clear();
    return 0;
  }
  int query(v4l2_buffer& to) const {
    if (to.index >= memory_.size()) return fail(EINVAL);
    to.length = static_cast<std::uint32_t>(memory_[to.index].size());
    to.m.offset = static_cast<std::uint32_t>(to.index * kOffsetStep);
    return 0;
  }
  int queue(const v4l2_buffer& from) {
    if (from.index >= memory_.size() || std::ranges::count(queued_, from.index) != 0) {
      return fail(EINVAL);
    }
    queued_.push_back(from.index);
    return 0;
  }
  int dequeue(v4l2_buffer& to) {
    if (!streaming_) return fail(EINVAL);
    if (done_.empty()) return fail(EAGAIN);
    std::uint64_t one = 0;
    if (::read(event_, &one, sizeof(one)) < 0) return -1;
    const Done& done = done_.front();
    to.index = done.index;
    to.bytesused = done.bytes;
    to.flags = V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC | (done.damaged ? V4L2_BUF_FLAG_ERROR : 0U);
    to.timestamp = {done.captured_ns / 1'000'000'000, done.captured_ns % 1'000'000'000 / 1'000};
    done_.pop_front();
    return 0;
  }
  int start() {
    if (memory_.empty()) return fail(EINVAL);
    streaming_ = true;
    return 0;
  }
  int stop() {
    streaming_ = false;
    return 0;
  }

 public:
  static constexpr std::uint32_t kRowPadding = 16;

 private:
  std::vector<Offer> offers_;
  Geometry size_;
  int event_ = new_event();
  bool plugged_ = true;
  bool streaming_ = false;
  int opened_ = 0;
  int mapped_ = 0;
  std::uint32_t buffer_bytes_ = 0;
  std::vector<std::vector<std::byte>> memory_;
  std::deque<std::uint32_t> queued_;
  std::deque<Done> done_;
};

}  // namespace petcam
