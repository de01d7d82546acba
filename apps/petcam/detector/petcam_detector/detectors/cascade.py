"""Haar cascades inside what moves: faces of people, and of cats that look straight at the camera.

A cascade costs milliseconds, so it runs a few times a second; in between, a face it found is
followed by matching its small grey picture, which also carries it over what the cascade misses.

What the cascades cannot do: they know upright frontal faces only. A face that is turned or tilted
by more than about 15 degrees is missed, and on a close three-quarter view of a cat the cat cascades
find nothing or mark the nose.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ..frame import Box, Frame
from ..regions import Region, merged, overlap
from .plugin import MissingPackageError

# What may stand in `cascades:`, and OpenCV's file for it.
FILES = {
    "face": "haarcascade_frontalface_default.xml",
    "cat-face": "haarcascade_frontalcatface_extended.xml",
}

# How many of the cascade's windows must agree. A person's face has 18 to 32 of them, folds of a
# garment reach 11; the cats' cascade is coarser.
NEIGHBOURS_MIN = {"face": 12, "cat-face": 6}

# Where distributions install the files that OpenCV's wheels keep in cv2.data.
FOLDERS = (Path("/usr/share/opencv4/haarcascades"), Path("/usr/share/opencv/haarcascades"))

RUNS_PER_SECOND = 5.0
# So many pixels are searched in one run, all places together: what is larger is made smaller first.
SEARCH_PIXELS = 320 * 200
# The smallest face that is looked for in it, in pixels after that.
FACE_SIDE_MIN = 24
# A face is followed for so long after the cascade last confirmed it, while it matches so well.
FOLLOW_SECONDS = 2.0
FOLLOW_MATCH_MIN = 0.6
# How far a face may move between two frames, in its own sides.
FOLLOW_REACH = 0.5
# How much around a region is searched, in its own sides.
SEARCH_MARGIN = 0.1


def cascade_file(name: str) -> Path:
    """Where OpenCV's file for this cascade is. Raises MissingPackageError when it is nowhere."""
    folders = list(FOLDERS)
    if hasattr(cv2, "data"):
        folders.insert(0, Path(cv2.data.haarcascades))
    for folder in folders:
        if (folder / FILES[name]).is_file():
            return folder / FILES[name]
    raise MissingPackageError(
        f"cannot load the cascade {name!r}: {FILES[name]} is in none of "
        f"{', '.join(map(str, folders))}. Install 'opencv-python-headless<5' with pip or "
        "opencv-data with apt, or leave `cascades` empty."
    )


def _classifier(name: str) -> "cv2.CascadeClassifier":
    if not hasattr(cv2, "CascadeClassifier"):
        raise MissingPackageError(
            f"cannot load the cascade {name!r}: OpenCV {cv2.__version__} has no CascadeClassifier, "
            "which version 5 dropped. Install 'opencv-python-headless<5', or leave `cascades` "
            "empty."
        )
    path = cascade_file(name)
    classifier = cv2.CascadeClassifier(str(path))
    if classifier.empty():
        raise MissingPackageError(
            f"cannot load the cascade {name!r}: {path} is damaged. Reinstall OpenCV."
        )
    return classifier


@dataclass
class _Face:
    """A face that was found: where, and its picture in the pixels of Frame.small."""

    label: str
    x: float
    y: float
    w: float
    h: float
    score: float
    confirmed_ns: int
    template: np.ndarray

    def box(self, scale: float) -> Box:
        """In full-frame pixels."""
        x, y, w, h = (side * scale for side in (self.x, self.y, self.w, self.h))
        return Box(x, y, w, h, self.score, self.label)


class Cascades:
    """Finds and follows the faces of the named cascades."""

    def __init__(self, names: list[str]) -> None:
        self._classifiers = {name: _classifier(name) for name in names}
        self.reset()

    def reset(self) -> None:
        """Forgets every face."""
        self._faces: list[_Face] = []
        self._searched_ns: int | None = None

    def detect(self, frame: Frame, moving: list[Region]) -> list[Box]:
        """The faces in this frame; `moving` says where to look, in pixels of Frame.small."""
        self._faces = [face for face in self._faces if self._follow(face, frame)]
        if self._search_is_due(frame.capture_ns):
            self._searched_ns = frame.capture_ns
            self._search(frame, moving)
        return [face.box(frame.small_scale) for face in self._faces]

    def _search_is_due(self, time_ns: int) -> bool:
        last = self._searched_ns
        # A tenth of leeway: frames come every 33 ms and a little, never exactly.
        return last is None or not 0 <= time_ns - last < 0.9e9 / RUNS_PER_SECOND

    def _search(self, frame: Frame, moving: list[Region]) -> None:
        limit = (frame.small.shape[1], frame.small.shape[0])
        around = [
            Region(int(f.x), int(f.y), int(f.w), int(f.h), 0).grown(0.5, limit) for f in self._faces
        ]
        places = merged([region.grown(SEARCH_MARGIN, limit) for region in moving] + around, 0)
        pixels = sum(place.w * place.h for place in places) * frame.small_scale**2
        shrink = min(1.0, (SEARCH_PIXELS / max(1.0, pixels)) ** 0.5)
        crops = [_Crop.of(frame, place, shrink) for place in places]
        for label, classifier in self._classifiers.items():
            for crop in crops:
                self._adopt(crop.faces(classifier, label, frame))

    def _adopt(self, found: list[_Face]) -> None:
        """A find replaces the face it overlaps most; the same face found twice counts once."""
        for face in sorted(found, key=lambda face: -face.score):
            same = [known for known in self._faces if _same(known, face)]
            if any(known.confirmed_ns == face.confirmed_ns for known in same):
                continue
            self._faces = [known for known in self._faces if known not in same]
            self._faces.append(face)

    @staticmethod
    def _follow(face: _Face, frame: Frame) -> bool:
        """Moves the face to where its picture matches best; False when it is lost."""
        if not 0 <= frame.capture_ns - face.confirmed_ns < FOLLOW_SECONDS * 1e9:
            return False
        height, width = face.template.shape
        reach_x, reach_y = round(width * FOLLOW_REACH), round(height * FOLLOW_REACH)
        left, top = max(0, round(face.x) - reach_x), max(0, round(face.y) - reach_y)
        right, bottom = round(face.x) + width + reach_x, round(face.y) + height + reach_y
        place = frame.small[top:bottom, left:right]
        if place.shape[0] < height or place.shape[1] < width:
            return False
        matches = cv2.matchTemplate(place, face.template, cv2.TM_CCOEFF_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(matches)
        if not best >= FOLLOW_MATCH_MIN:  # also NaN, of a flat place
            return False
        face.x, face.y = float(left + x), float(top + y)
        # The newest look of the face, so that it may turn slowly.
        face.template = place[y : y + height, x : x + width].copy()
        return True


def _same(a: _Face, b: _Face) -> bool:
    one = np.array([[a.x, a.y, a.w, a.h]])
    return a.label == b.label and overlap(one, np.array([[b.x, b.y, b.w, b.h]]))[0, 0] > 0.3


@dataclass
class _Crop:
    """A part of the full picture, made smaller, in which cascades look for faces."""

    x: int
    y: int
    shrink: float
    grey: np.ndarray

    @classmethod
    def of(cls, frame: Frame, place: Region, shrink: float) -> "_Crop":
        """`place` is in pixels of Frame.small."""
        scale = frame.small_scale
        x, y = round(place.x * scale), round(place.y * scale)
        full = frame.y[y : y + round(place.h * scale), x : x + round(place.w * scale)]
        size = (max(1, round(full.shape[1] * shrink)), max(1, round(full.shape[0] * shrink)))
        grey = cv2.resize(full, size, interpolation=cv2.INTER_AREA)
        return cls(x, y, shrink, cv2.equalizeHist(grey))

    def faces(self, classifier: "cv2.CascadeClassifier", label: str, frame: Frame) -> list[_Face]:
        """What the cascade finds, in pixels of Frame.small."""
        if min(self.grey.shape) < FACE_SIDE_MIN:
            return []
        found = classifier.detectMultiScale2(
            self.grey,
            scaleFactor=1.1,
            minNeighbors=NEIGHBOURS_MIN[label],
            minSize=(FACE_SIDE_MIN, FACE_SIDE_MIN),
        )
        return [
            self._face(rectangle, int(count), label, frame)
            for rectangle, count in zip(*found, strict=True)
        ]

    def _face(self, rectangle: np.ndarray, count: int, label: str, frame: Frame) -> _Face:
        scale = frame.small_scale
        x, y, w, h = (float(side) / self.shrink / scale for side in rectangle)
        x, y = x + self.x / scale, y + self.y / scale
        left, top = round(x), round(y)
        right, bottom = max(left + 2, round(x + w)), max(top + 2, round(y + h))
        template = frame.small[top:bottom, left:right].copy()
        score = count / (count + 5)
        return _Face(label, x, y, w, h, score, frame.capture_ns, template)
