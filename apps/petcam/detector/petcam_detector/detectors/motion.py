"""The default detector: what moves, whatever it is, and optionally the faces in it.

Needs no model and works on any source, by day and by night; its one label is "motion". Cascades add
boxes of their own, labelled "face" or "cat-face".
"""

from collections.abc import Mapping
from typing import Any

from ..config_section import Section
from ..frame import Box, Frame
from ..regions import Region, merged, regions_of
from .cascade import FILES, Cascades
from .motion_mask import MotionMask
from .plugin import Detector

# Parts of one animal that are nearer than this fraction of the long side are one box.
MERGE_GAP = 0.04
# Specks of the mask that are not even part of something.
SPECK_PIXELS = 15
# A fresh background forgives nothing: boxes of so much of the picture are a change of light.
AREA_FRACTION_MAX = 0.9


class MotionDetector(Detector):
    """Options: `min_area` (fraction of the picture, 0.001), `cascades` (list of face, cat-face)."""

    type = "motion"
    still_seconds = 0.2  # the background goes on learning, and a ghost is forgotten

    def __init__(self, options: Mapping[str, Any]) -> None:
        section = Section("detector.motion", options)
        self._area_min = section.number("min_area", 0.001, 0.0, 1.0)
        names = section.texts("cascades", tuple(FILES))
        section.done()
        self._mask = MotionMask()
        self._cascades = Cascades(names) if names else None

    def reset(self) -> None:
        self._mask.reset()
        if self._cascades:
            self._cascades.reset()

    def detect(self, frame: Frame) -> list[Box]:
        moving = self._moving(frame)
        boxes = [_box(region, frame.small_scale) for region in moving]
        if self._cascades:
            height, width = frame.small.shape
            # The whole picture changed: a face may be anywhere.
            everywhere = [Region(0, 0, width, height, width * height)]
            boxes += self._cascades.detect(
                frame, everywhere if self._mask.global_change else moving
            )
        return boxes

    def _moving(self, frame: Frame) -> list[Region]:
        mask = self._mask.update(frame.small, frame.capture_ns)
        gap = round(MERGE_GAP * max(mask.shape))
        regions = merged(regions_of(mask, SPECK_PIXELS), gap)
        area_min = self._area_min * mask.size
        return [
            region
            for region in regions
            if region.pixels >= area_min and region.w * region.h <= AREA_FRACTION_MAX * mask.size
        ]


def _box(region: Region, scale: float) -> Box:
    """Full-frame pixels; the score grows with how much of the box moves."""
    filled = region.pixels / (region.w * region.h)
    return Box(
        region.x * scale,
        region.y * scale,
        region.w * scale,
        region.h * scale,
        min(1.0, 0.5 + 0.5 * filled),
        "motion",
    )
