"""The detector's loop: sleep, take the newest frame, examine it, tell what was found."""

import logging
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import signalbox

from .config import Config, Overrides, load_config
from .config_section import ConfigError
from .detectors.plugin import MissingPackageError
from .detectors.yolo_layout import ModelError
from .frame import Frame, FrameError
from .inbox import FrameInbox, Wake
from .log import set_level
from .messages import DEGRADED, FRAMES_TOPIC, RUNNING, STOPPING
from .outbox import DetectionsPublisher, StatsPublisher
from .pipeline import Pipeline

log = logging.getLogger(__name__)

STATS_NS = 1_000_000_000
# No frame for so long is worth a note; a camera that restarts is back sooner.
SILENCE_NS = 2_000_000_000

_WAKES = {
    Wake.READY: "wakes_ready",
    Wake.TIMED_OUT: "wakes_timed_out",
    Wake.INTERRUPTED: "wakes_interrupted",
}

# What makes a configuration unusable, at start and at SIGHUP alike.
UNUSABLE = (ConfigError, ModelError, MissingPackageError)


class Daemon:
    """Made and run by one thread, the main one: it receives the process's signals.

    Raises what Pipeline and signalbox raise when it cannot start. The camera may be missing, come,
    restart and change its geometry at any time; none of that is an error.
    """

    def __init__(self, config: Config, path: Path | None, overrides: Overrides) -> None:
        self._domain = config.domain
        self._path = path
        self._overrides = overrides
        self._pipeline = Pipeline(config)
        self._signals_in, self._signals_out = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stop = False
        self._reload = False
        # Before the first topic: a signal that came between would end us without leaving it.
        self._restore_signals = self._catch_signals()
        self._inbox = FrameInbox(self._signals_in, config.domain)
        self._detections = DetectionsPublisher(config.domain)
        self._stats = StatsPublisher(config.domain)
        self._ours_dropped = 0  # thinned by fps_max
        self._frame_at_ns = time.monotonic_ns()
        self._stats_at_ns = 0

    def run(self) -> None:
        """Works until SIGTERM or SIGINT."""
        try:
            log.info("waiting for frames on %s", FRAMES_TOPIC)
            while not self._stop:
                self._turn()
        finally:
            self._close()

    def _turn(self) -> None:
        """Works off what is there, says how it is when that is due, and sleeps."""
        while not self._stop and (sample := self._inbox.take()) is not None:
            self._look_at(sample)
        if self._reload:
            self._reload = False
            self._load_again()
        self._tell_state()
        if self._stop:
            return
        seconds = (self._stats_at_ns - time.monotonic_ns()) / 1e9
        self._stats.count(_WAKES[self._inbox.wait(seconds)])

    def _look_at(self, sample: signalbox.Sample) -> None:
        taken_ns = time.monotonic_ns()
        header, tail = sample.data, sample.tail
        sample.release()  # the two arrays hold the frame now, and let go of it together
        self._stats.count("frames_in")
        self._stats.add_latency(taken_ns - int(header["published_ns"]))
        self._frame_at_ns = taken_ns
        try:
            frame = Frame.from_message(header, tail)
        except FrameError as error:
            self._stats.count("torn")
            log.warning("a frame was dropped: %s", error)
            return
        if not self._pipeline.wants(frame):
            self._ours_dropped += 1
            return
        before = time.thread_time_ns()
        found = self._pipeline.examine(frame)
        self._stats.count("work_cpu_ns", time.thread_time_ns() - before)
        if self._detections.publish(frame, header, taken_ns, found):
            self._stats.count("frames_out")
        if time.monotonic_ns() >= self._stats_at_ns:
            self._tell_state()  # also while frames come without a pause

    def _tell_state(self) -> None:
        now = time.monotonic_ns()
        state = DEGRADED if self._inbox.polling else RUNNING
        news = self._stats.set_state(state, self._note(now))
        if news or now >= self._stats_at_ns:
            self._stats_at_ns = now + STATS_NS
            dropped = self._inbox.dropped_count + self._ours_dropped
            self._stats.set_count("frames_dropped", dropped)
            self._stats.publish()

    def _note(self, now: int) -> str:
        if now - self._frame_at_ns > SILENCE_NS:
            return f"no frames on {FRAMES_TOPIC}: start petcam-camera, or see what it says"
        return self._inbox.note or self._pipeline.choice.note

    def _load_again(self) -> None:
        """SIGHUP: the new configuration as a whole, or the old one as a whole."""
        try:
            config = load_config(self._path, self._overrides)
            self._pipeline.reload(config)
        except UNUSABLE as error:
            log.error("kept the old configuration: %s", error)
            return
        if config.domain != self._domain:
            log.warning(
                "common.domain changed; the detector stays in the old one until it restarts"
            )
        set_level(config.log_level)
        log.info("read the configuration again: %s", self._path or "defaults")

    def _catch_signals(self) -> Callable[[], None]:
        """Answers how to put everything back."""

        def stop(number: int, _frame: object) -> None:
            self._stop = True

        def reload(number: int, _frame: object) -> None:
            self._reload = True

        handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}
        before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
        descriptor = signal.set_wakeup_fd(self._signals_out, warn_on_full_buffer=False)

        def restore() -> None:
            signal.set_wakeup_fd(descriptor)
            for number, handler in before.items():
                signal.signal(number, handler)

        return restore

    def _close(self) -> None:
        self._stats.set_state(STOPPING, "")
        self._stats.publish()
        self._inbox.close()
        self._detections.close()
        self._stats.close()
        self._restore_signals()
        os.close(self._signals_in)
        os.close(self._signals_out)
        log.info("stopped")
