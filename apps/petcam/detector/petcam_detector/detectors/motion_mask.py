"""Which pixels of a small grey picture belong to something that was not there before.

OpenCV's MOG2 learns the background. Two things it gets wrong are put right here:

- A subject that stood in the very first picture is learnt as background; when it walks away, the
  floor it uncovers looks new for many seconds: a ghost. A ghost does not move, and its outline is
  drawn in the background picture but not in the current one. A subject that merely stopped has its
  outline in the current picture. So foreground that moved is kept, and foreground that stands still
  is kept unless its edges are the background's.
- A lamp switched on changes every pixel. The background is brightened by the same factor; if that
  does not explain the change either (the camera was moved), learning starts again.
"""

from collections import deque

import cv2
import numpy as np

# How fast the background follows: after so long a change is two thirds learnt.
LEARNING_SECONDS = 16.0
# Squared distance, in variances, from which a pixel is foreground. OpenCV's own default.
VARIANCES = 16
# Something moves if a pixel changed by more than GREY_STEPS within MOVED_SECONDS.
MOVED_SECONDS = 0.2
GREY_STEPS = 14
# More foreground than this is a change of light or of the camera, not a subject.
GLOBAL_FRACTION = 0.5
# A ghost's outline is so much stronger in the background than in the picture.
GHOST_EDGE_RATIO = 1.15
# Static foreground smaller than this is kept without looking at its edges.
STATIC_PIXELS_MIN = 20

_SMALL = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
_AROUND = cv2.getStructuringElement(cv2.MORPH_RECT, (5, 5))
_CLOSING = cv2.getStructuringElement(cv2.MORPH_RECT, (9, 9))


class MotionMask:
    """Feed it the small picture of every examined frame, in order."""

    def __init__(self) -> None:
        self.global_change = False  # the last picture was the first, or differed nearly everywhere
        self._begin()

    def _begin(self) -> None:
        self._model = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
        self._model.setVarThreshold(VARIANCES)
        self._seen = 0
        self._last_ns = 0
        self._earlier: deque[tuple[int, np.ndarray]] = deque()

    def reset(self) -> None:
        """Forgets the background, for another camera or another geometry."""
        self.global_change = False
        self._begin()

    def update(self, small: np.ndarray, time_ns: int) -> np.ndarray:
        """The mask of what moves or has newly appeared: 255 there, 0 elsewhere."""
        picture = cv2.GaussianBlur(small, (3, 3), 0)
        if time_ns < self._last_ns:
            self.reset()  # a looped file or a restarted camera: the clock went back
        foreground = self._foreground(picture, time_ns)
        earlier = self._picture_before(picture, time_ns)
        if earlier is None:
            return np.zeros_like(picture)
        foreground = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, _SMALL)
        _, moved = cv2.threshold(cv2.absdiff(picture, earlier), GREY_STEPS, 255, cv2.THRESH_BINARY)
        moved = cv2.dilate(moved, _AROUND)
        moving = cv2.bitwise_and(foreground, moved)
        static = cv2.bitwise_and(foreground, cv2.bitwise_not(moved))
        self._keep_stopped(picture, static, moving)
        return cv2.morphologyEx(moving, cv2.MORPH_CLOSE, _CLOSING)

    def _foreground(self, picture: np.ndarray, time_ns: int) -> np.ndarray:
        rate = self._learning_rate(time_ns)
        mask = self._model.apply(picture, learningRate=rate)
        self.global_change = self._seen == 1 or _fraction(mask) > GLOBAL_FRACTION
        if self._seen > 1 and self.global_change:
            mask = self._after_global_change(picture, rate)
        return mask

    def _learning_rate(self, time_ns: int) -> float:
        """Constant in time and not in frames, since still frames are examined less often."""
        seconds = (time_ns - self._last_ns) / 1e9
        self._last_ns = time_ns
        self._seen += 1
        return max(1 - np.exp(-seconds / LEARNING_SECONDS), 1 / (2 * self._seen))

    def _after_global_change(self, picture: np.ndarray, rate: float) -> np.ndarray:
        background = self._model.getBackgroundImage()
        gain = float(np.median(picture[::4, ::4].astype(np.float32) / (background[::4, ::4] + 1.0)))
        self._learn_at_once(cv2.convertScaleAbs(background, alpha=gain))
        mask = self._model.apply(picture, learningRate=rate)
        self._earlier.clear()
        if _fraction(mask) > GLOBAL_FRACTION:
            self._learn_at_once(picture)
            self._seen = 1
            mask = np.zeros_like(picture)
        return mask

    def _learn_at_once(self, background: np.ndarray) -> None:
        self._model.clear()
        self._model = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
        self._model.setVarThreshold(VARIANCES)
        self._model.apply(background, learningRate=1.0)

    def _picture_before(self, picture: np.ndarray, time_ns: int) -> np.ndarray | None:
        """The picture of MOVED_SECONDS ago, or the oldest there is."""
        earlier = self._earlier
        while len(earlier) > 1 and time_ns - earlier[1][0] >= MOVED_SECONDS * 1e9:
            earlier.popleft()
        earlier.append((time_ns, picture))
        return earlier[0][1] if len(earlier) > 1 else None

    def _keep_stopped(self, picture: np.ndarray, static: np.ndarray, moving: np.ndarray) -> None:
        """Adds to `moving` what stands still but is no ghost."""
        static = cv2.morphologyEx(static, cv2.MORPH_OPEN, _SMALL)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(static)
        if count == 1:
            return
        edges_now = _edges(picture)
        edges_before = _edges(self._model.getBackgroundImage())
        for part in range(1, count):
            x, y, width, height, pixels = stats[part]
            area = np.s_[max(0, y - 2) : y + height + 2, max(0, x - 2) : x + width + 2]
            inside = (labels[area] == part).astype(np.uint8)
            if pixels >= STATIC_PIXELS_MIN:
                rim = cv2.morphologyEx(inside, cv2.MORPH_GRADIENT, _SMALL)
                now = cv2.mean(edges_now[area], rim)[0]
                if cv2.mean(edges_before[area], rim)[0] > now * GHOST_EDGE_RATIO:
                    continue
            cv2.bitwise_or(moving[area], inside * 255, dst=moving[area])


def _fraction(mask: np.ndarray) -> float:
    return cv2.countNonZero(mask) / mask.size


def _edges(picture: np.ndarray) -> np.ndarray:
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0)
    return cv2.magnitude(across, cv2.Sobel(picture, cv2.CV_32F, 0, 1))
