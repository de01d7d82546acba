"""What the detector tells the others: petcam/detections and petcam/stats/detector."""

import logging
import os
import time

import numpy as np
import signalbox

from .frame import Frame
from .messages import (
    COASTING,
    CONFIRMED,
    DETECTIONS,
    DETECTIONS_TOPIC,
    ITEMS_MAX,
    LABEL_BYTES_MAX,
    NOTE_BYTES_MAX,
    STARTING,
    STATS,
    STATS_TOPIC,
    to_bytes,
)
from .pipeline import Examined

log = logging.getLogger(__name__)

# Readers that are slow may each hold a message or two before we run out of room.
_HELD_MAX = 8

_COUNTERS = (
    "frames_in",
    "frames_out",
    "frames_dropped",
    "wakes_ready",
    "wakes_timed_out",
    "wakes_interrupted",
    "torn",
    "work_cpu_ns",
    "latency_count",
    "latency_sum_ns",
    "latency_max_ns",
)


class DetectionsPublisher:
    """Publishes what was found, one message a frame."""

    def __init__(self, domain: str | None = None) -> None:
        self._publisher = signalbox.Publisher(
            DETECTIONS_TOPIC, DETECTIONS, held_max=_HELD_MAX, domain=domain
        )
        self._message = np.zeros((), DETECTIONS)
        self._items = self._message["items"]

    def close(self) -> None:
        """Leaves the topic."""
        self._publisher.close()

    def publish(self, frame: Frame, header: np.ndarray, taken_ns: int, found: Examined) -> bool:
        """False when subscribers hold all room there is, and the message was dropped."""
        message = self._message
        message["number"] = frame.number
        message["capture_ns"] = frame.capture_ns
        message["wall_ns"] = header["wall_ns"]
        message["frame_published_ns"] = header["published_ns"]
        message["taken_ns"] = taken_ns
        message["width"], message["height"] = frame.size
        message["demo_scene"] = found.demo
        message["detector"] = found.detector
        self._fill_items(found)
        message["published_ns"] = time.monotonic_ns()
        try:
            self._publisher.send(message)
        except signalbox.SignalboxError as error:
            log.debug("frame %d: its detections were dropped: %s", frame.number, error)
            return False
        return True

    def _fill_items(self, found: Examined) -> None:
        # The oldest first: who has been followed for long is not crowded out.
        tracks = found.tracks[:ITEMS_MAX]
        for i, track in enumerate(tracks):
            self._items[i] = (
                track.id,
                track.score,
                *track.box,
                track.age_frames,
                COASTING if track.coasting else CONFIRMED,
                to_bytes(track.label, LABEL_BYTES_MAX),
                found.zones.get(track.id, "").encode(),
            )
        before = int(self._message["count"])
        if before > len(tracks):
            self._items[len(tracks) : before] = np.zeros((), self._items.dtype)
        self._message["count"] = len(tracks)


class StatsPublisher:
    """Counts what happens and publishes it."""

    def __init__(self, domain: str | None = None) -> None:
        self._publisher = signalbox.Publisher(STATS_TOPIC, STATS, depth=1, domain=domain)
        # Plain numbers while frames run: a sum in a numpy field costs ten times as much.
        self._counts = dict.fromkeys(_COUNTERS, 0)
        self._histogram = [0] * STATS["latency_us_log2"].shape[0]
        self._said = (STARTING, "")
        self._message = np.zeros((), STATS)
        self._message["daemon"] = b"detector"
        self._message["pid"] = os.getpid()
        self._message["started_ns"] = time.monotonic_ns()

    def close(self) -> None:
        """Leaves the topic; the last message stays readable as long as somebody reads."""
        self._publisher.close()

    def count(self, what: str, by: int = 1) -> None:
        """Adds to a counter."""
        self._counts[what] += by

    def set_count(self, what: str, value: int) -> None:
        """Sets a counter that somebody else keeps."""
        self._counts[what] = value

    def add_latency(self, ns: int) -> None:
        """One frame's way from the camera's publish to our hand."""
        ns = max(0, ns)
        counts = self._counts
        counts["latency_count"] += 1
        counts["latency_sum_ns"] += ns
        counts["latency_max_ns"] = max(counts["latency_max_ns"], ns)
        # [i] counts latencies in [2^i, 2^(i+1)) microseconds, [0] also those below.
        slot = max(0, (ns // 1000).bit_length() - 1)
        self._histogram[min(slot, len(self._histogram) - 1)] += 1

    def set_state(self, state: int, note: str) -> bool:
        """True when this is news, to be published at once."""
        news = (state, note) != self._said
        self._said = (state, note)
        return news

    def publish(self) -> None:
        """Shows everything as it stands."""
        message = self._message
        for name, value in self._counts.items():
            message[name] = value
        message["latency_us_log2"] = self._histogram
        state, note = self._said
        message["state"], message["note"] = state, to_bytes(note, NOTE_BYTES_MAX)
        message["total_cpu_ns"] = time.process_time_ns()
        message["updated_ns"] = time.monotonic_ns()
        try:
            self._publisher.send(message)
        except signalbox.SignalboxError as error:
            log.debug("the counters were not published: %s", error)
