"""Gives what is found in one frame after another a lasting identity.

Each track predicts its box by constant velocity. A frame's boxes are given to tracks in three
passes, as ByteTrack does it: sure boxes by overlap, then sure boxes by distance (small fast
subjects do not overlap themselves), then unsure boxes to tracks that are still without one. Labels
never mix.

Why this is written here instead of taken from a library: docs/decisions/021-tracker.md.
"""

from collections import deque
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from .frame import Box
from .regions import overlap

# A box belongs to a track if it overlaps its prediction this much; an unsure one needs more.
OVERLAP_MIN = 0.2
OVERLAP_MIN_UNSURE = 0.4
# Or if its centre is nearer than the mean of both boxes' sides, and its size is not this much off.
SIZE_RATIO_MAX = 2.5
# Two tracks of one label that overlap this much follow the same subject: the younger one ends.
SAME_SUBJECT = 0.8
# How much a new box changes the velocity, and what is left of it after a second of coasting.
VELOCITY_GAIN = 0.3
COASTING_DRAG = 0.2
SCORES_KEPT = 10


@dataclass(frozen=True, slots=True)
class TrackerOptions:
    """`hits_min`: so many frames in a row confirm a track. `coast_seconds`: how long a confirmed
    one is carried on unseen; a younger one no longer than it was seen."""

    hits_min: int = 3
    coast_seconds: float = 1.0


@dataclass(slots=True, eq=False)
class Track:
    """One subject. `box` is (x, y, w, h): as measured if seen in this frame, else predicted."""

    id: int
    label: str
    box: np.ndarray
    begun_ns: int
    seen_ns: int
    # Of the centre, in pixels a second. Sizes are not extrapolated: they would shrink to nothing.
    velocity: np.ndarray = field(default_factory=lambda: np.zeros(2))
    hits: int = 1
    age_frames: int = 1
    confirmed: bool = False
    coasting: bool = False
    scores: deque[float] = field(default_factory=lambda: deque(maxlen=SCORES_KEPT))

    @property
    def score(self) -> float:
        """The median of the last scores, so that one lucky frame does not count."""
        return median(self.scores)


class Tracker:
    """Feed it the boxes of every examined frame, in order. Ids begin at 1 and are never reused."""

    def __init__(self, options: TrackerOptions | None = None) -> None:
        self.options = options or TrackerOptions()
        self._tracks: list[Track] = []
        self._next_id = 1
        self._last_ns = 0

    def reset(self) -> None:
        """Ends every track, for another source or geometry. Ids go on."""
        self._tracks = []

    def update(self, boxes: list[Box], time_ns: int, size: tuple[int, int]) -> list[Track]:
        """The confirmed tracks of this frame, oldest first; `size` is the frame's."""
        # A looped file or a new camera: what came before says nothing about now.
        seconds = (time_ns - self._last_ns) / 1e9
        if seconds < 0:
            self.reset()
        self._last_ns = time_ns
        for track in self._tracks:
            _predict(track, seconds)
        free = _match(self._tracks, boxes, seconds, time_ns)
        for box in free:
            if box.sure:
                self._tracks.append(self._begin(box, time_ns))
        self._tracks = [track for track in self._tracks if self._lives(track, time_ns, size)]
        self._end_twins()
        return [track for track in self._tracks if self._confirmed(track)]

    def _begin(self, box: Box, time_ns: int) -> Track:
        track = Track(0, box.label, _array(box), time_ns, time_ns)
        track.scores.append(box.score)
        return track

    def _confirmed(self, track: Track) -> bool:
        if not track.confirmed and track.hits >= self.options.hits_min:
            track.confirmed = True
            # Only now: ids without gaps tell a reader that it missed nothing.
            track.id = self._next_id
            self._next_id += 1
        return track.confirmed

    def _lives(self, track: Track, time_ns: int, size: tuple[int, int]) -> bool:
        if not track.coasting:
            return True
        longest = min(self.options.coast_seconds * 1e9, track.seen_ns - track.begun_ns)
        if not track.confirmed or time_ns - track.seen_ns > longest:
            return False
        x, y, w, h = track.box
        return x + w > 0 and y + h > 0 and x < size[0] and y < size[1]

    def _end_twins(self) -> None:
        """Ends the younger of two tracks of one label that lie on each other."""
        if len(self._tracks) < 2:
            return
        boxes = np.array([track.box for track in self._tracks])
        same = overlap(boxes, boxes) > SAME_SUBJECT
        kept: list[int] = []
        for i, track in enumerate(self._tracks):
            if not any(same[i, j] and self._tracks[j].label == track.label for j in kept):
                kept.append(i)
        self._tracks = [self._tracks[i] for i in kept]


def _array(box: Box) -> np.ndarray:
    return np.array([box.x, box.y, box.w, box.h], dtype=np.float64)


def _predict(track: Track, seconds: float) -> None:
    if track.coasting:
        track.velocity *= COASTING_DRAG**seconds
    track.box = track.box + np.append(track.velocity * seconds, (0.0, 0.0))
    track.age_frames += 1
    track.coasting = True  # until a box says otherwise


def _match(tracks: list[Track], boxes: list[Box], seconds: float, time_ns: int) -> list[Box]:
    """Updates tracks by the boxes that are theirs; answers the boxes that are nobody's."""
    if not tracks or not boxes:
        return boxes
    predicted = np.array([track.box for track in tracks])
    found = np.array([_array(box) for box in boxes])
    labels = np.array([[track.label == box.label for box in boxes] for track in tracks])
    sure = np.array([box.sure for box in boxes])
    overlaps = overlap(predicted, found)
    passes = (
        np.where(labels & sure & (overlaps >= OVERLAP_MIN), overlaps, 0.0),
        np.where(labels & sure, _nearness(predicted, found), 0.0),
        np.where(labels & ~sure & (overlaps >= OVERLAP_MIN_UNSURE), overlaps, 0.0),
    )
    free_tracks, free_boxes = np.ones(len(tracks), bool), np.ones(len(boxes), bool)
    for likeness in passes:
        for t, b in _pairs(likeness, free_tracks, free_boxes):
            _measure(tracks[t], boxes[b], found[b], seconds, time_ns)
    return [box for box, free in zip(boxes, free_boxes, strict=True) if free]


def _nearness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """1 where centres coincide, down to 0 at a distance of the mean side or where sizes differ."""
    centre_a, centre_b = a[:, None, :2] + a[:, None, 2:] / 2, b[None, :, :2] + b[None, :, 2:] / 2
    distance = np.linalg.norm(centre_a - centre_b, axis=2)
    side = (a[:, None, 2:].mean(axis=2) + b[None, :, 2:].mean(axis=2)) / 2
    ratio = a[:, None, 2:] / np.maximum(b[None, :, 2:], 1e-9)
    alike = (np.maximum(ratio, 1 / np.maximum(ratio, 1e-9)) <= SIZE_RATIO_MAX).all(axis=2)
    return np.where(alike, np.clip(1 - distance / np.maximum(side, 1e-9), 0, None), 0.0)


def _pairs(likeness: np.ndarray, free_rows: np.ndarray, free_columns: np.ndarray):
    """Takes the likest pair, then the likest of the rest, and so on; marks what it took.

    Greedy: with the dozen boxes of a pet camera the optimal assignment differs only where two
    subjects lie on each other, and there neither is right.
    """
    order = np.argsort(likeness, axis=None)[::-1]
    for row, column in zip(*np.unravel_index(order, likeness.shape), strict=True):
        if likeness[row, column] <= 0:
            return
        if free_rows[row] and free_columns[column]:
            free_rows[row] = free_columns[column] = False
            yield row, column


def _measure(track: Track, box: Box, at: np.ndarray, seconds: float, time_ns: int) -> None:
    if seconds > 0:
        # The prediction's error, spread over the time it had to build up.
        since = max(seconds, (time_ns - track.seen_ns) / 1e9)
        # A young track knows nothing about its velocity, so the first boxes count more.
        gain = max(VELOCITY_GAIN, 1 / track.hits)
        missed = (at[:2] + at[2:] / 2) - (track.box[:2] + track.box[2:] / 2)
        track.velocity += gain * missed / since
    track.box = at
    track.seen_ns = time_ns
    track.coasting = False
    track.hits += 1
    track.scores.append(box.score)
