"""Reads what YOLO models answer: three layouts, one result.

rows        [1, 4 + classes, N]: centre x, centre y, width, height, then a score per class
transposed  [1, N, 4 + classes]: the same, one candidate a row
end2end     [1, 300, 6]: x1, y1, x2, y2, score, class; already free of doubles

N is the number of cells of strides 8, 16 and 32. A model of two classes has six rows, so that six
alone does not tell the first from the last: which axis has N elements decides, and `layout:` in the
configuration overrules.
"""

from typing import NamedTuple

import numpy as np

LAYOUTS = ("rows", "transposed", "end2end")

# Suppression compares every pair, so only the best candidates take part.
CANDIDATES_MAX = 300


class ModelError(Exception):
    """A model that cannot be used; the text says what it answers and what was expected."""


class Candidates(NamedTuple):
    """Corners (x1, y1, x2, y2) in the input's pixels, score and class of each; best first."""

    corners: np.ndarray
    scores: np.ndarray
    kinds: np.ndarray

    def chosen(self, which: np.ndarray) -> "Candidates":
        """Those at these places, or for which this is true."""
        return Candidates(self.corners[which], self.scores[which], self.kinds[which])


def decide_layout(shape: tuple[int, ...], input_size: tuple[int, int]) -> str:
    """The layout of an output of this shape for an input of (height, width)."""
    if len(shape) == 3 and shape[0] == 1:
        _, a, b = shape
        height, width = input_size
        cells = sum((height // stride) * (width // stride) for stride in (8, 16, 32))
        if b == cells and a >= 5:
            return "rows"
        if a == cells and b >= 5:
            return "transposed"
        if b == 6:
            return "end2end"
        if min(a, b) >= 5:
            return "rows" if a < b else "transposed"
    raise ModelError(
        f"the model answers {list(shape)}, which is no YOLO detection layout. Expected "
        "[1, 4 + classes, N], [1, N, 4 + classes] or [1, 300, 6]; export it with task=detect, or "
        "set `layout` to one of " + ", ".join(LAYOUTS) + "."
    )


def class_count(shape: tuple[int, ...], layout: str) -> int | None:
    """How many classes the output tells apart; None where it does not say."""
    if layout == "end2end":
        return None
    return shape[1 if layout == "rows" else 2] - 4


def decode(output: np.ndarray, layout: str, scores_min: np.ndarray) -> Candidates:
    """The candidates whose score reaches the least one of their class. Not a number is no score."""
    table = output[0]
    if layout == "end2end":
        corners, scores = table[:, :4], table[:, 4]
        kinds = np.nan_to_num(table[:, 5], nan=-1).astype(np.intp)
        return _best(corners, scores, kinds, scores_min)
    rows = table if layout == "rows" else table.T
    kinds = rows[4:].argmax(axis=0)
    scores = rows[4:].max(axis=0)
    # Thresholds first: a handful of thousands is left, and only they need corners.
    with np.errstate(invalid="ignore"):
        likely = np.flatnonzero(scores >= scores_min.min())
    centre, half = rows[0:2, likely], rows[2:4, likely] / 2
    corners = np.concatenate([centre - half, centre + half]).T
    return _best(corners, scores[likely], kinds[likely], scores_min)


def _best(
    corners: np.ndarray, scores: np.ndarray, kinds: np.ndarray, scores_min: np.ndarray
) -> Candidates:
    with np.errstate(invalid="ignore"):
        known = (kinds >= 0) & (kinds < len(scores_min))
        good = known & (scores >= scores_min[np.where(known, kinds, 0)])
        good &= np.isfinite(corners).all(axis=1)
        good &= (corners[:, 2] > corners[:, 0]) & (corners[:, 3] > corners[:, 1])
    found = Candidates(corners[good], scores[good], kinds[good])
    return found.chosen(np.argsort(-found.scores, kind="stable")[:CANDIDATES_MAX])


def suppress(found: Candidates, overlap_max: float) -> Candidates:
    """Drops each candidate that overlaps a better one of its class by more than `overlap_max`."""
    if len(found.scores) < 2:
        return found
    corners = found.corners.astype(np.float64)
    # Every class on a plane of its own: boxes of two classes never touch.
    span = np.abs(corners).max() * 2 + 1
    corners = corners + (found.kinds * span)[:, None]
    low = np.maximum(corners[:, None, :2], corners[None, :, :2])
    high = np.minimum(corners[:, None, 2:], corners[None, :, 2:])
    inner = np.clip(high - low, 0, None).prod(axis=2)
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    too_much = inner > overlap_max * (areas[:, None] + areas[None, :] - inner)
    keep = np.ones(len(areas), bool)
    for i in range(len(areas)):
        if keep[i]:
            keep[i + 1 :] &= ~too_much[i, i + 1 :]
    return found.chosen(keep)
