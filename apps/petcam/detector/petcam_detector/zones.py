"""Named parts of the picture, and which of them a subject stands in."""

from dataclasses import dataclass

import cv2
import numpy as np

from .tracker import Track


@dataclass(frozen=True, eq=False)
class Zone:
    """A polygon of three corners or more, each (x, y) from 0 to 1 of the frame's sides."""

    name: str
    polygon: np.ndarray

    def contains(self, x: float, y: float) -> bool:
        """Whether the point, in the polygon's units, is inside or on the edge."""
        return cv2.pointPolygonTest(self.polygon, (float(x), float(y)), False) >= 0


@dataclass(slots=True)
class _Stay:
    zone: str
    other: str
    other_frames: int = 0


class Zones:
    """Says in which zone each track is: by its foot, once it has stayed for some frames."""

    def __init__(self, zones: list[Zone], inertia_frames: int = 3) -> None:
        self._zones = zones
        self._inertia = inertia_frames
        self._stays: dict[int, _Stay] = {}

    def update(self, tracks: list[Track], size: tuple[int, int]) -> dict[int, str]:
        """The zone's name, or "", for every track's id; the first zone listed wins."""
        if not self._zones:
            return {}
        self._stays = {track.id: self._stay(track, self._zone_of(track, size)) for track in tracks}
        return {track_id: stay.zone for track_id, stay in self._stays.items()}

    def _zone_of(self, track: Track, size: tuple[int, int]) -> str:
        x, y, w, h = track.box
        # The foot: where a standing animal touches the floor. Inside the picture, or a subject cut
        # off at the lower border would be in no zone.
        foot_x = min(max((x + w / 2) / size[0], 0.0), 1.0)
        foot_y = min(max((y + h) / size[1], 0.0), 1.0)
        return next((zone.name for zone in self._zones if zone.contains(foot_x, foot_y)), "")

    def _stay(self, track: Track, now: str) -> _Stay:
        stay = self._stays.get(track.id) or _Stay("", "")
        if now == stay.zone:
            stay.other_frames = 0
        elif now == stay.other:
            stay.other_frames += 1
        else:
            stay.other, stay.other_frames = now, 1
        if stay.other_frames >= self._inertia:
            stay.zone, stay.other_frames = now, 0
        return stay
