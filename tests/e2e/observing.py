"""What a demo's daemons tell each other, as one more subscriber sees it."""

import os
import select
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import signalbox
from running_demo import PATIENCE, RunningDemo

from petcam_detector.messages import DETECTIONS, DETECTIONS_TOPIC, FRAME, FRAMES_TOPIC, STATS

Box = tuple[float, float, float, float]

# Who was not looked at for so long, on a busy machine, may be somebody new to the tracker, which
# carries on for a second what it does not see.
STALL_SECONDS = 0.5


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
    captured_s: float
    found: list[Found]
    detector: str


def examined(demo: RunningDemo) -> Iterator[Examined]:
    """Every frame from now on, as the detector tells of it; raises when none comes any more."""
    with signalbox.Subscriber(
        DETECTIONS_TOPIC, DETECTIONS, start="next", domain=demo.domain
    ) as detections:
        while True:
            sample = _next(demo, detections, "the detector examines nothing")
            yield _examined(sample.data)
            sample.release()


def _next(demo: RunningDemo, source: signalbox.Subscriber, silence: str) -> signalbox.Sample:
    """The next message; raises when the demo ends or none comes."""
    end = time.monotonic() + PATIENCE
    while (sample := source.receive(1.0)) is None:
        assert demo.process.poll() is None, f"the demo has ended; it said:\n{demo.tail()}"
        assert time.monotonic() < end, f"{silence}; the demo said:\n{demo.tail()}"
    return sample


def _examined(data: np.ndarray) -> Examined:
    items = data["items"][: int(data["count"])]
    return Examined(
        number=int(data["number"]),
        captured_s=int(data["capture_ns"]) / 1e9,
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


class Truths:
    """What is true of each frame of a synthetic scene; use it as `with`.

    A thread takes the frames all the time, because the topic keeps only the last four, 133 ms of
    them: whoever looks between two other things misses most. On a busy machine the thread misses
    some too, so ask what it knows.
    """

    def __init__(self, demo: RunningDemo) -> None:
        self._known: dict[int, dict[str, Box]] = {}
        self._frames = truths(demo)
        self._stop = os.eventfd(0)
        self._thread = threading.Thread(target=self._take_all)

    def __enter__(self) -> "Truths":
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        os.close(self._stop)
        self._frames.close()

    def of(self, number: int) -> dict[str, Box] | None:
        """Where everybody is in this frame, by label; None when that is not known."""
        return self._known.get(number)

    def _take_all(self) -> None:
        poller = select.poll()
        poller.register(self._frames.fileno(), select.POLLIN)
        poller.register(self._stop, select.POLLIN)
        ready: list[tuple[int, int]] = []
        while all(descriptor != self._stop for descriptor, _ in ready):
            while (sample := self._frames.take()) is not None:
                self._known[int(sample.data["number"])] = truth_of(sample.data)
                sample.release()
            ready = poller.poll()


def reports(demo: RunningDemo, daemon: str) -> Iterator[dict[str, Any]]:
    """What a daemon says of itself, each second, from its newest report on."""
    with signalbox.Subscriber(
        f"petcam/stats/{daemon}", STATS, start="latest", domain=demo.domain
    ) as stats:
        while True:
            sample = _next(demo, stats, f"the {daemon} does not report")
            yield {name: sample.data[name].tolist() for name in STATS.names} | {
                "note": _text(sample.data["note"])
            }
            sample.release()


def await_report(demo: RunningDemo, daemon: str, good: Callable[[dict[str, Any]], bool]) -> None:
    """Sleeps from report to report until one is good."""
    end = time.monotonic() + PATIENCE
    for report in reports(demo, daemon):
        if good(report):
            return
        assert time.monotonic() < end, f"in vain; the {daemon} reports {report}"


def await_note(demo: RunningDemo, daemon: str, words: str) -> None:
    """Until a daemon says so of itself: what it finds out just now is told with its next report."""
    await_report(demo, daemon, lambda report: words in report["note"])


def stats(demo: RunningDemo, daemon: str) -> dict[str, Any]:
    """The newest report of a daemon."""
    return next(reports(demo, daemon))


def _text(field: np.ndarray | bytes) -> str:
    return bytes(field).rstrip(b"\0").decode()


def _box(item: np.ndarray) -> Box:
    return (float(item["x"]), float(item["y"]), float(item["w"]), float(item["h"]))
