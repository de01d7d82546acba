"""From one frame to tracked subjects: still gate, detector, tracker, zones. Knows no topics."""

import logging
from dataclasses import dataclass

from .choice import Choice, choose, depends_on_source
from .config import Config
from .frame import Box, Frame
from .gate import StillGate
from .messages import SOURCE_CAMERA, SOURCE_SYNTHETIC
from .tracker import Track, Tracker
from .zones import Zones

log = logging.getLogger(__name__)

# Frames come every 1/fps and a little: thinning begins where they come clearly more often.
_EARLY_PART = 0.75


@dataclass(frozen=True)
class Examined:
    """What became of one frame. `zones` says where a track is, by its id."""

    tracks: list[Track]
    zones: dict[int, str]
    detector: str
    demo: bool


class Pipeline:
    """Feed it frames in order. Raises what choose() raises when it is made or reloaded."""

    def __init__(self, config: Config) -> None:
        self.config = config
        # Also for `auto`, which cannot know the source yet: a bad configuration ends the start.
        self._choice = choose(config, SOURCE_CAMERA)
        self._source = SOURCE_CAMERA
        self._stream: tuple | None = None
        self._tracker = Tracker(config.tracker)
        self._zones = Zones(list(config.zones), config.zone_frames)
        self._gate = StillGate()
        self._boxes: list[Box] = []
        self._detected_ns = 0
        self._last_ns: int | None = None

    @property
    def choice(self) -> Choice:
        """The detector at work."""
        return self._choice

    def reload(self, config: Config) -> None:
        """Goes on with another configuration, or raises and goes on with the old one."""
        choice = self._choice
        if (config.type, config.options) != (self.config.type, self.config.options):
            choice = choose(config, self._source)
        self.config = config
        self._choice = choice
        self._tracker.options = config.tracker
        self._zones = Zones(list(config.zones), config.zone_frames)
        self._gate.reset()

    def wants(self, frame: Frame) -> bool:
        """Whether this frame is due under `fps_max`."""
        last = self._last_ns
        due_ns = _EARLY_PART * 1e9 / self.config.fps_max
        if last is not None and 0 <= frame.capture_ns - last < due_ns:
            return False
        self._last_ns = frame.capture_ns
        return True

    def examine(self, frame: Frame) -> Examined:
        """Finds and follows what is in the frame."""
        self._follow_stream(frame)
        if self._must_detect(frame):
            self._boxes = self._choice.detector.detect(frame)
            self._detected_ns = frame.capture_ns
        tracks = self._tracker.update(self._boxes, frame.capture_ns, frame.size)
        zones = self._zones.update(tracks, frame.size)
        return Examined(tracks, zones, self._choice.detector.type, self._choice.demo)

    def _must_detect(self, frame: Frame) -> bool:
        if not self.config.still_gate or self._gate.changed(frame):
            return True
        since = frame.capture_ns - self._detected_ns
        return not 0 <= since < self._choice.detector.still_seconds * 1e9

    def _follow_stream(self, frame: Frame) -> None:
        """Another source, size or generation: what earlier frames taught is void."""
        stream = (frame.source, frame.generation, frame.size)
        if stream == self._stream:
            return
        first = self._stream is None
        was_synthetic = self._source == SOURCE_SYNTHETIC
        self._source = frame.source
        is_synthetic = frame.source == SOURCE_SYNTHETIC
        if is_synthetic != was_synthetic and depends_on_source(self.config):
            self._choice = choose(self.config, frame.source)
        log.info(
            "frames of %d x %d from source %d, examined by %s",
            *frame.size,
            frame.source,
            self._choice.detector.type,
        )
        self._stream = stream
        if not first:
            self._choice.detector.reset()
            self._tracker.reset()
        self._gate.reset()
        self._boxes = []
