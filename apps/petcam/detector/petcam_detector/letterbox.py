"""Fits a frame of any size into a model's input: scaled, centred, grey around it."""

import cv2
import numpy as np

from .frame import Frame

# What Ultralytics trains with.
GREY = 114 / 255

# BT.601 from the studio range (Y 16..235), straight to 0..1.
_LUMA = 255 / 219 / 255
_LUMA_ZERO = -16 * _LUMA
_RED_V = 1.596027 / 255
_GREEN_U, _GREEN_V = -0.391762 / 255, -0.812968 / 255
_BLUE_U = 2.017232 / 255


class Letterbox:
    """Turns frames of one size into [1, 3, height, width] of RGB floats, and boxes back again."""

    def __init__(self, frame_size: tuple[int, int], height: int, width: int) -> None:
        self.frame_size = frame_size
        self.scale = min(width / frame_size[0], height / frame_size[1])
        self._inner = (
            max(1, round(frame_size[0] * self.scale)),
            max(1, round(frame_size[1] * self.scale)),
        )
        self.left = (width - self._inner[0]) // 2
        self.top = (height - self._inner[1]) // 2
        self._input = np.full((1, 3, height, width), GREY, np.float32)
        inner_width, inner_height = self._inner
        rows = slice(self.top, self.top + inner_height)
        columns = slice(self.left, self.left + inner_width)
        self._rgb = [self._input[0, channel, rows, columns] for channel in range(3)]

    def fill(self, frame: Frame) -> np.ndarray:
        """The input for this frame. The array is used again by the next call."""
        # Planes are scaled before colours are computed: a quarter of the work at 640 wide, and the
        # colour planes of 1280 x 720 are taken as they are.
        y = self._scaled(frame.y)
        u = self._scaled(frame.u)
        v = self._scaled(frame.v)
        red, green, blue = self._rgb
        single = cv2.CV_32F
        cv2.addWeighted(y, _LUMA, v, _RED_V, _LUMA_ZERO - 128 * _RED_V, dst=red, dtype=single)
        cv2.addWeighted(y, _LUMA, u, _BLUE_U, _LUMA_ZERO - 128 * _BLUE_U, dst=blue, dtype=single)
        offset = _LUMA_ZERO - 128 * (_GREEN_U + _GREEN_V)
        chroma = cv2.addWeighted(u, _GREEN_U, v, _GREEN_V, offset, dtype=single)
        cv2.addWeighted(y, _LUMA, chroma, 1.0, 0.0, dst=green, dtype=single)
        for plane in self._rgb:
            np.clip(plane, 0.0, 1.0, out=plane)
        return self._input

    def _scaled(self, plane: np.ndarray) -> np.ndarray:
        if plane.shape[::-1] == self._inner:
            return plane
        shrinks = plane.shape[1] > self._inner[0]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(plane, self._inner, interpolation=how)

    def to_frame(self, corners: np.ndarray) -> np.ndarray:
        """Corners (x1, y1, x2, y2) in the input's pixels, as those of the frame, cut to it."""
        moved = (corners - (self.left, self.top, self.left, self.top)) / self.scale
        width, height = self.frame_size
        return np.clip(moved, 0, (width, height, width, height))
