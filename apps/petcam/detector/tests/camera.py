"""A camera of a few lines for tests: publishes pictures on petcam/frames as petcam-camera does."""

import time

import clips
import numpy as np
import signalbox
from conftest import FRAME_NS, header_of

from petcam_detector.messages import FRAME, FRAMES_TOPIC


class Camera:
    """Publishes one picture at a time, whenever it is told to."""

    def __init__(self, size: tuple[int, int] = (640, 360), source: int = 1) -> None:
        self._bytes = size[0] * size[1] * 3 // 2
        self._source = source
        self._number = 0
        self._begun_ns = time.monotonic_ns()
        self._publisher = signalbox.Publisher(
            FRAMES_TOPIC, FRAME, depth=4, held_max=6, tail_max=self._bytes
        )

    def show(self, bgr: np.ndarray, **changes: int) -> int:
        """Publishes the picture; answers its number. `changes` overwrite fields of the header."""
        header = header_of(bgr, self._number, source=self._source)
        header["wall_ns"] = time.time_ns()
        # As if thirty a second were taken, however fast the test is: the detector thins out more.
        header["capture_ns"] = self._begun_ns + self._number * FRAME_NS
        for name, value in changes.items():
            header[name] = value
        with self._publisher.loan(self._bytes) as loan:
            loan.tail[:] = clips.i420(bgr)
            header["published_ns"] = time.monotonic_ns()
            loan.data[...] = header
        self._number += 1
        return self._number - 1

    def close(self) -> None:
        """Leaves the topic."""
        self._publisher.close()
