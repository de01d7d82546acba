"""What a demo's daemons tell each other, as one more subscriber sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import signalbox
from running_demo import PATIENCE, RunningDemo

from petcam_detector.messages import DETECTIONS, DETECTIONS_TOPIC, FRAME, FRAMES_TOPIC, STATS

Box = tuple[float, float, float, float]


@dataclass
class Found:
    """One thing the detector found."""

    track: int
    label: str
    box: Box


@dataclass
class Examined:
    """One frame the detector looked at."""

    number: int
    found: list[Found]
    detector: str


def examined(demo: RunningDemo) -> Iterator[Examined]:
    """Every frame from now on, as the detector tells of it; ends when none comes any more."""
    with signalbox.Subscriber(
        DETECTIONS_TOPIC, DETECTIONS, start="next", domain=demo.domain
    ) as detections:
        while (sample := detections.receive(PATIENCE)) is not None:
            yield _examined(sample.data)
            sample.release()


def _examined(data: np.ndarray) -> Examined:
    items = data["items"][: int(data["count"])]
    return Examined(
        number=int(data["number"]),
        found=[Found(int(item["track_id"]), _text(item["label"]), _box(item)) for item in items],
        detector=_text(data["detector"]),
    )


def truths(demo: RunningDemo) -> signalbox.Subscriber:
    """The frames of a synthetic scene, for their ground truth. Close it."""
    return signalbox.Subscriber(FRAMES_TOPIC, FRAME, tail=True, start="oldest", domain=demo.domain)


def truth_of(frame: np.ndarray) -> dict[str, Box]:
    """Where everybody truly is, by label."""
    seen = frame["truth"][: int(frame["truth_count"])]
    return {_text(item["label"]): _box(item) for item in seen}


def reports(demo: RunningDemo, daemon: str) -> Iterator[dict[str, Any]]:
    """What a daemon says of itself, from its newest report on."""
    with signalbox.Subscriber(
        f"petcam/stats/{daemon}", STATS, start="latest", domain=demo.domain
    ) as stats:
        while (sample := stats.receive(PATIENCE)) is not None:
            yield {name: sample.data[name].tolist() for name in STATS.names} | {
                "note": _text(sample.data["note"])
            }
            sample.release()
    raise AssertionError(f"the {daemon} does not report")


def stats(demo: RunningDemo, daemon: str) -> dict[str, Any]:
    """The newest report of a daemon."""
    return next(reports(demo, daemon))


def _text(field: np.ndarray | bytes) -> str:
    return bytes(field).rstrip(b"\0").decode()


def _box(item: np.ndarray) -> Box:
    return (float(item["x"]), float(item["y"]), float(item["w"]), float(item["h"]))
