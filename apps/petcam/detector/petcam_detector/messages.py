"""The messages of petcam as numpy dtypes: the twin of camera/messages.hpp.

Signalbox compares both descriptions at open and refuses a drift by the name of the field. All
times are nanoseconds of CLOCK_MONOTONIC unless the name says wall; all boxes are pixels of the full
frame.
"""

import numpy as np

FRAMES_TOPIC = "petcam/frames"
DETECTIONS_TOPIC = "petcam/detections"
STATS_TOPIC = "petcam/stats/detector"

# Values of FRAME["source"].
SOURCE_SYNTHETIC = 0
SOURCE_FILE = 1
SOURCE_CAMERA = 2

# Values of DETECTION["state"].
CONFIRMED = 1
COASTING = 2

# Values of STATS["state"].
STARTING = 0
RUNNING = 1
DEGRADED = 2
STOPPING = 3

TRUTH = np.dtype(
    [("label", "S16"), ("x", "f4"), ("y", "f4"), ("w", "f4"), ("h", "f4")],
    align=True,
)

# Its tail is the I420 picture: height rows of Y (stride bytes each), then height/2 rows of U and of
# V (stride/2 bytes each).
FRAME = np.dtype(
    [
        ("number", "u8"),
        ("capture_ns", "u8"),
        ("wall_ns", "u8"),
        ("published_ns", "u8"),
        ("width", "u4"),
        ("height", "u4"),
        ("stride", "u4"),
        ("generation", "u4"),
        ("source", "u4"),
        ("truth_count", "u4"),
        ("truth", TRUTH, 4),
    ],
    align=True,
)

DETECTION = np.dtype(
    [
        ("track_id", "u4"),
        ("score", "f4"),
        ("x", "f4"),
        ("y", "f4"),
        ("w", "f4"),
        ("h", "f4"),
        ("age_frames", "u4"),
        ("state", "u4"),
        ("label", "S24"),
        ("zone", "S16"),
    ],
    align=True,
)

DETECTIONS = np.dtype(
    [
        ("number", "u8"),
        ("capture_ns", "u8"),
        ("wall_ns", "u8"),
        ("frame_published_ns", "u8"),
        ("taken_ns", "u8"),
        ("published_ns", "u8"),
        ("width", "u4"),
        ("height", "u4"),
        ("demo_scene", "u4"),
        ("count", "u4"),
        ("detector", "S16"),
        ("items", DETECTION, 32),
    ],
    align=True,
)

STATS = np.dtype(
    [
        ("daemon", "S16"),
        ("pid", "u4"),
        ("state", "u4"),
        ("started_ns", "u8"),
        ("updated_ns", "u8"),
        ("frames_in", "u8"),
        ("frames_out", "u8"),
        ("frames_dropped", "u8"),
        ("jpeg_encodes", "u8"),
        ("wakes_ready", "u8"),
        ("wakes_timed_out", "u8"),
        ("wakes_interrupted", "u8"),
        ("torn", "u8"),
        ("work_cpu_ns", "u8"),
        ("total_cpu_ns", "u8"),
        ("latency_count", "u8"),
        ("latency_sum_ns", "u8"),
        ("latency_max_ns", "u8"),
        ("latency_us_log2", "u8", 24),
        ("note", "S128"),
    ],
    align=True,
)

ITEMS_MAX = DETECTIONS["items"].shape[0]
LABEL_BYTES_MAX = DETECTION["label"].itemsize
ZONE_BYTES_MAX = DETECTION["zone"].itemsize
NOTE_BYTES_MAX = STATS["note"].itemsize


def to_bytes(text: str, bytes_max: int) -> bytes:
    """The text as UTF-8 of at most `bytes_max` bytes, cut between two characters."""
    return text.encode()[:bytes_max].decode(errors="ignore").encode()
