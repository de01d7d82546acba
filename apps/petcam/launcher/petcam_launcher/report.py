"""petcam demo --report: watches the demo as a viewer would and writes what it measured as JSON."""

import asyncio
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from . import places
from .viewer import Events, Video, watch_events, watch_video

if TYPE_CHECKING:
    from .demo import Demo

SAMPLE_SECONDS = 0.5
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass
class CpuMeter:
    """CPU of one daemon across its restarts, from the kernel's accounts."""

    seconds: float = 0.0
    children_seconds: float = 0.0  # of processes it started: ffmpeg
    _seen: dict[int, float] = field(default_factory=dict)

    def sample(self, pid: int | None) -> None:
        """Adds what was used since the last look."""
        if pid is None:
            return
        self.seconds += self._used_since(pid)
        for child in _children(pid):
            self.children_seconds += self._used_since(child)

    def _used_since(self, pid: int) -> float:
        used = _cpu_seconds(pid)
        if used is None:
            return 0.0
        # What was used before the first look counts from then on only.
        before = self._seen.get(pid, used)
        self._seen[pid] = used
        return used - before


@dataclass
class WorkMeter:
    """What a daemon reports as its real work, across its restarts."""

    seconds: float = 0.0
    _before: tuple[int, int] | None = None

    def add(self, pid: int, work_ns: int) -> None:
        """One report of petcam/stats."""
        if self._before is not None and self._before[0] == pid:
            self.seconds += (work_ns - self._before[1]) / 1e9
        self._before = (pid, work_ns)


class Report:
    """Watches one demo; write() tells what it saw, when the demo is over."""

    def __init__(self, path: Path, *, viewer: bool = True) -> None:
        self._path = path
        self._viewer = viewer
        self._video: Video | None = None
        self._events = Events()
        self._latencies_ms: list[float] = []
        self._cpu: dict[str, CpuMeter] = {}
        self._work = {"camera": WorkMeter(), "detector": WorkMeter()}
        self._cpu_from = 0.0
        self._cpu_until = 0.0
        self._ended = 0.0

    async def watch(self, demo: "Demo") -> None:
        """Measures until cancelled."""
        self._video = Video(strips=demo.options.synthetic)
        self._cpu = {daemon.name: CpuMeter() for daemon in demo.daemons}
        tasks = [
            self._sample_cpu(demo),
            self._follow_detections(),
            *(self._follow_stats(name) for name in self._work),
        ]
        if self._viewer:
            host, port = demo.options.host, demo.options.port
            tasks.append(watch_video(demo.url, self._video))
            tasks.append(watch_events(host, port, self._events))
        try:
            await asyncio.gather(*tasks)
        finally:
            self._ended = time.monotonic()

    async def _sample_cpu(self, demo: "Demo") -> None:
        # Not from the very start: starting is no part of how the daemons run.
        while not await _everybody_reports(demo):
            await asyncio.sleep(SAMPLE_SECONDS)
        self._cpu_from = time.monotonic()
        while True:
            for daemon in demo.daemons:
                self._cpu[daemon.name].sample(daemon.pid)
            self._cpu_until = time.monotonic()
            await asyncio.sleep(SAMPLE_SECONDS)

    async def _follow_detections(self) -> None:
        import signalbox

        from petcam_detector.messages import DETECTIONS, DETECTIONS_TOPIC

        with signalbox.Subscriber(DETECTIONS_TOPIC, DETECTIONS, start="next") as found:
            async for sample in found:
                waited_ns = int(sample.data["taken_ns"]) - int(sample.data["frame_published_ns"])
                self._latencies_ms.append(waited_ns / 1e6)
                sample.release()

    async def _follow_stats(self, name: str) -> None:
        import signalbox

        from petcam_detector.messages import STATS

        with signalbox.Subscriber(f"petcam/stats/{name}", STATS, start="next") as stats:
            async for sample in stats:
                if self._cpu_from:
                    report = sample.data
                    self._work[name].add(int(report["pid"]), int(report["work_cpu_ns"]))
                    del report
                sample.release()

    def write(self, demo: "Demo") -> None:
        """Writes the JSON; the demo has ended, so what is left behind can be seen."""
        report = (
            self._viewed(demo)
            | self._measured()
            | {
                "swept": demo.swept,
                "left_behind": left_behind(demo),
            }
        )
        self._path.write_text(json.dumps(report, indent=2) + "\n")

    def _viewed(self, demo: "Demo") -> dict:
        video, events = self._video, self._events
        if video is None or not self._viewer:
            return {}
        seconds = self._ended - (events.connected_at or self._ended)
        return {
            "first_picture_s": _after(demo.started, video.first_at),
            "first_event_s": _after(demo.started, events.first_event_at),
            "frames_per_s": _rounded(video.frames_per_s(), 2),
            "pictures": video.pictures,
            "torn": video.torn,
            "doubled": video.doubled,
            "sse": {
                "events_per_s": _rounded(events.messages / seconds, 3) if seconds else None,
                "kb_per_s": _rounded(events.bytes / 1e3 / seconds, 3) if seconds else None,
                "messages": events.kinds,
                "lost": events.lost,
                "doubled": events.doubled,
                "reconnects": max(0, events.reconnects),
            },
        }

    def _measured(self) -> dict:
        seconds = self._cpu_until - self._cpu_from
        latencies = np.array(self._latencies_ms)
        none = latencies.size == 0
        cpu = {name: _percent(meter.seconds, seconds) for name, meter in self._cpu.items()}
        children = sum(meter.children_seconds for meter in self._cpu.values())
        if children:
            cpu["ffmpeg"] = _percent(children, seconds)
        return {
            "latency_ms": {
                "mean": None if none else _rounded(float(latencies.mean()), 4),
                "p99": None if none else _rounded(float(np.percentile(latencies, 99)), 4),
            },
            "cpu_percent": cpu,
            "work_cpu_percent": {
                name: _percent(meter.seconds, seconds) for name, meter in self._work.items()
            },
        }


def left_behind(demo: "Demo") -> list[str]:
    """Files and processes of the demo that are still there."""
    left = places.files(demo.domain_path)
    if demo.domain_path.exists() and not left:
        left.append(str(demo.domain_path))
    left += [f"{daemon.name}, process {daemon.pid}" for daemon in demo.daemons if daemon.pid]
    return left


async def _everybody_reports(demo: "Demo") -> bool:
    names = {topic.name for topic in places.topics(demo.domain_path) if topic.count("pub")}
    return {"petcam/frames", "petcam/detections"} <= names


def _cpu_seconds(pid: int) -> float | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def _children(pid: int) -> list[int]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [int(word) for word in file.read_text().split()]
        except OSError:
            continue
    return found


def _after(start: float, moment: float | None) -> float | None:
    return None if moment is None else _rounded(moment - start, 3)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _percent(part: float, whole: float) -> float | None:
    return _rounded(100 * part / whole, 2) if whole > 0 else None
