// messages.hpp: what the three daemons of petcam tell each other, one struct a topic.
//
// The same structs stand in detector/petcam_detector/messages.py and server/messages.go; a drift is
// refused at open by Signalbox with the name of the field. All times are nanoseconds of
// CLOCK_MONOTONIC unless the name says wall. All boxes are pixels of the full frame.
#pragma once

#include <cstdint>

#include "signalbox/describe.hpp"

namespace petcam {

inline constexpr char kFramesTopic[] = "petcam/frames";
inline constexpr char kJpegTopic[] = "petcam/jpeg";
inline constexpr char kDetectionsTopic[] = "petcam/detections";
inline constexpr char kCameraStatsTopic[] = "petcam/stats/camera";
inline constexpr char kDetectorStatsTopic[] = "petcam/stats/detector";

// Where something truly is in a synthetic or composed frame.
struct Truth {
  char label[16];  // "cat", "dog"; zero-terminated unless full
  float x, y, w, h;
};

// petcam/frames: this, then the I420 picture as tail: height rows of Y (stride bytes each), then
// height/2 rows of U and of V (stride/2 bytes each).
struct Frame {
  static constexpr bool sbx_tail = true;
  std::uint64_t number;        // from 0, without gaps, at this camera daemon
  std::uint64_t capture_ns;    // the picture was taken
  std::uint64_t wall_ns;       // the same moment on the wall clock, since 1970
  std::uint64_t published_ns;  // just before publish
  std::uint32_t width, height, stride;
  std::uint32_t generation;  // changes with the geometry or the source
  std::uint32_t source;      // 0 synthetic, 1 file or RTSP, 2 V4L2
  std::uint32_t truth_count;
  Truth truth[4];
};

// petcam/jpeg: this, then the JPEG file as tail. Encoded only while the topic has a subscriber.
struct Jpeg {
  static constexpr bool sbx_tail = true;
  std::uint64_t number, capture_ns, wall_ns, published_ns;
  std::uint32_t width, height;
};

struct Detection {
  std::uint32_t track_id;  // stable while the tracker follows the same subject; 0: not tracked
  float score;             // 0..1
  float x, y, w, h;
  std::uint32_t age_frames;  // since the track began
  std::uint32_t state;       // 1 confirmed, 2 coasting (not seen in this frame)
  char label[24];            // "motion", "cat", "face" ...
  char zone[16];             // the named zone its foot point is in; empty if none
};

// petcam/detections: what was found in one frame; published for every frame examined.
struct Detections {
  std::uint64_t number, capture_ns, wall_ns;  // those of the frame
  std::uint64_t frame_published_ns;           // copied from the frame
  std::uint64_t taken_ns;                     // the detector had the frame in hand
  std::uint64_t published_ns;                 // just before publish
  std::uint32_t width, height;
  std::uint32_t demo_scene;  // 1: the labels are only good for the built-in scene
  std::uint32_t count;       // of items in use
  char detector[16];         // "motion", "yolo-onnx"
  Detection items[32];
};

// petcam/stats/<daemon>: how a daemon is; the last value counts (depth 1), once a second and at
// every change of state. Counters only grow and start at 0 with the process.
struct Stats {
  char daemon[16];
  std::uint32_t pid;
  std::uint32_t state;  // 0 starting, 1 running, 2 degraded (see note), 3 stopping
  std::uint64_t started_ns, updated_ns;
  std::uint64_t frames_in, frames_out, frames_dropped;  // dropped: lost or skipped
  std::uint64_t jpeg_encodes;
  std::uint64_t wakes_ready, wakes_timed_out, wakes_interrupted;
  std::uint64_t torn;           // frames whose content did not hold together
  std::uint64_t work_cpu_ns;    // CPU spent in the daemon's real work: rendering or detecting
  std::uint64_t total_cpu_ns;   // CPU of the whole process
  std::uint64_t latency_count;  // published by the camera -> in hand here
  std::uint64_t latency_sum_ns, latency_max_ns;
  std::uint64_t
      latency_us_log2[24];  // [i]: latencies in [2^i, 2^(i+1)) microseconds; [0] also less
  char note[128];           // what is wrong and what to do, for people; empty when all is well
};

}  // namespace petcam

SBX_DESCRIBE(petcam::Truth, label, x, y, w, h);
SBX_DESCRIBE(petcam::Frame, number, capture_ns, wall_ns, published_ns, width, height, stride,
             generation, source, truth_count, truth);
SBX_DESCRIBE(petcam::Jpeg, number, capture_ns, wall_ns, published_ns, width, height);
SBX_DESCRIBE(petcam::Detection, track_id, score, x, y, w, h, age_frames, state, label, zone);
SBX_DESCRIBE(petcam::Detections, number, capture_ns, wall_ns, frame_published_ns, taken_ns,
             published_ns, width, height, demo_scene, count, detector, items);
SBX_DESCRIBE(petcam::Stats, daemon, pid, state, started_ns, updated_ns, frames_in, frames_out,
             frames_dropped, jpeg_encodes, wakes_ready, wakes_timed_out, wakes_interrupted, torn,
             work_cpu_ns, total_cpu_ns, latency_count, latency_sum_ns, latency_max_ns,
             latency_us_log2, note);
