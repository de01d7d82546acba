"""Which pixels of a small grey picture belong to something that was not there before.

OpenCV's MOG2 learns the background. Two things it gets wrong are put right here:

- A subject that stood in the very first picture is learnt as background; when it walks away, the
  floor it uncovers looks new for many seconds: a ghost. A ghost does not move, and its outline is
  drawn in the background picture but not in the current one. A subject that merely stopped has its
  outline in the current picture. So foreground that moved is kept, and foreground that stands still
  is kept unless its edges are the background's.
- Clouds and lamps change every pixel. Pictures are brought to the brightness of the first one
  before they are compared, by the median ratio: it is the background's as long as subjects cover
  less than half. If a picture differs nearly everywhere nevertheless, it becomes the background,
  except around what moved just before; if that does not help (the camera was moved), also there.
"""

import math
from collections import deque

import cv2
import numpy as np

# How fast the background follows: after so long a change is two thirds learnt. A new background is
# learnt faster, by a third of what averaging over all pictures would do; any faster, and a cat that
# sits in the first picture would be background together with the floor it then uncovers.
LEARNING_SECONDS = 30.0
EARLY_LEARNING = 1 / 3
# What a pixel showed most often is background up to this part of the time. With OpenCV's 0.9 an
# animal that lies down would be background after two seconds.
BACKGROUND_PART = 0.65
# Squared distance, in variances, from which a pixel is foreground. OpenCV's own default.
VARIANCES = 16
# Something moves if a pixel changed by more than GREY_STEPS within MOVED_SECONDS.
MOVED_SECONDS = 0.2
GREY_STEPS = 14
# More foreground than this is a change of light or of the camera, not a subject.
GLOBAL_FRACTION = 0.5
# Y of black: light multiplies what is above it.
BLACK = 16.0
# A ghost's outline is so much stronger in the background than in the picture.
GHOST_EDGE_RATIO = 1.15
# Static foreground smaller than this is kept without looking at its edges.
STATIC_PIXELS_MIN = 20

_SMALL = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
_AROUND = cv2.getStructuringElement(cv2.MORPH_RECT, (5, 5))
_NEAR = cv2.getStructuringElement(cv2.MORPH_RECT, (25, 25))
_CLOSING = cv2.getStructuringElement(cv2.MORPH_RECT, (9, 9))


class MotionMask:
    """Feed it the small picture of every examined frame, in order."""

    def __init__(self) -> None:
        self.global_change = False  # the last picture was the first, or differed nearly everywhere
        self._begin()

    def _begin(self) -> None:
        self._model = _model()
        self._seen = 0
        self._last_ns = 0
        self._earlier: deque[tuple[int, np.ndarray]] = deque()
        self._subjects: np.ndarray | None = None  # the last result
        self._first: np.ndarray | None = None  # some of the first picture's pixels

    def reset(self) -> None:
        """Forgets the background, for another camera or another geometry."""
        self.global_change = False
        self._begin()

    def update(self, small: np.ndarray, time_ns: int) -> np.ndarray:
        """The mask of what moves or has newly appeared: 255 there, 0 elsewhere."""
        if time_ns < self._last_ns:
            self.reset()  # a looped file or a restarted camera: the clock went back
        picture = self._levelled(cv2.GaussianBlur(small, (3, 3), 0))
        foreground = self._foreground(picture, time_ns)
        earlier = self._picture_before(picture, time_ns)
        if earlier is None or not cv2.countNonZero(foreground):
            return np.zeros_like(picture)
        foreground = cv2.morphologyEx(foreground, cv2.MORPH_OPEN, _SMALL)
        _, moved = cv2.threshold(cv2.absdiff(picture, earlier), GREY_STEPS, 255, cv2.THRESH_BINARY)
        moved = cv2.dilate(moved, _AROUND)
        moving = cv2.bitwise_and(foreground, moved)
        static = cv2.bitwise_and(foreground, cv2.bitwise_not(moved))
        self._keep_stopped(picture, static, moving)
        self._subjects = cv2.morphologyEx(moving, cv2.MORPH_CLOSE, _CLOSING)
        return self._subjects

    def _levelled(self, picture: np.ndarray) -> np.ndarray:
        """The picture as bright as the first one."""
        samples = np.maximum(picture[::4, ::4].astype(np.float32) - BLACK, 1.0)
        if self._first is None:
            self._first = samples
        gain = float(np.median(self._first / samples))
        return cv2.convertScaleAbs(picture, alpha=gain, beta=BLACK - BLACK * gain)

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
        if self._seen == 1:
            return 1.0
        return max(1 - math.exp(-seconds / LEARNING_SECONDS), EARLY_LEARNING / self._seen)

    def _after_global_change(self, picture: np.ndarray, rate: float) -> np.ndarray:
        if self._subjects is None:
            background = picture
        else:
            near = cv2.dilate(self._subjects, _NEAR)
            background = np.where(near > 0, self._model.getBackgroundImage(), picture)
        self._learn_at_once(background)
        mask = self._model.apply(picture, learningRate=rate)
        self._earlier.clear()
        if _fraction(mask) > GLOBAL_FRACTION:
            self._learn_at_once(picture)
            self._seen = 1
            mask = np.zeros_like(picture)
        return mask

    def _learn_at_once(self, background: np.ndarray) -> None:
        self._model = _model()
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
        outlines, _ = cv2.findContours(static, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        if not outlines:
            return
        edges_now = _edges(picture)
        edges_before = _edges(self._model.getBackgroundImage())
        for i, outline in enumerate(outlines):
            x, y, width, height = cv2.boundingRect(outline)
            if width * height >= STATIC_PIXELS_MIN:
                left, top = max(0, x - 2), max(0, y - 2)
                area = np.s_[top : y + height + 2, left : x + width + 2]
                rim = np.zeros(edges_now[area].shape, np.uint8)
                cv2.drawContours(rim, outlines, i, 255, thickness=3, offset=(-left, -top))
                now = cv2.mean(edges_now[area], rim)[0]
                if cv2.mean(edges_before[area], rim)[0] > now * GHOST_EDGE_RATIO:
                    continue
            cv2.drawContours(moving, outlines, i, 255, thickness=cv2.FILLED)


def _model() -> cv2.BackgroundSubtractorMOG2:
    model = cv2.createBackgroundSubtractorMOG2(varThreshold=VARIANCES, detectShadows=False)
    model.setBackgroundRatio(BACKGROUND_PART)
    return model


def _fraction(mask: np.ndarray) -> float:
    return cv2.countNonZero(mask) / mask.size


def _edges(picture: np.ndarray) -> np.ndarray:
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0)
    return cv2.magnitude(across, cv2.Sobel(picture, cv2.CV_32F, 0, 1))
