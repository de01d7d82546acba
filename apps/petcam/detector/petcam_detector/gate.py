"""Tells a still picture from a changed one for the price of reading one pixel in 128."""

import cv2
import numpy as np

from .frame import Frame

# So many samples a row; half as many rows, because rows cost memory traffic. A subject of
# 5 % of the picture's width covers eight by four of them.
SAMPLES_ACROSS = 160
# A sample changed if it differs by more than this, plus what noise makes of all of them.
GREY_STEPS = 12
NOISE_FACTOR = 4.0
NOISE_STEPS_MAX = 40.0
SAMPLES_MIN = 4


class StillGate:
    """Compares with the last frame that was examined, so that slow changes add up."""

    def __init__(self) -> None:
        self._reference: np.ndarray | None = None

    def reset(self) -> None:
        """The next frame counts as changed."""
        self._reference = None

    def changed(self, frame: Frame) -> bool:
        """Whether the frame differs from the last one for which this was true."""
        samples = self._samples(frame)
        if self._reference is not None and self._reference.shape == samples.shape:
            difference = cv2.absdiff(samples, self._reference)
            noise = min(NOISE_FACTOR * cv2.mean(difference)[0], NOISE_STEPS_MAX)
            _, mask = cv2.threshold(difference, GREY_STEPS + noise, 255, cv2.THRESH_BINARY)
            if cv2.countNonZero(mask) < SAMPLES_MIN:
                return False
        self._reference = samples
        return True

    @staticmethod
    def _samples(frame: Frame) -> np.ndarray:
        step = max(1, frame.width // SAMPLES_ACROSS)
        # A copy: a view would hold the frame in the publisher's memory.
        return frame.y[step :: 2 * step, step // 2 :: step].copy()
