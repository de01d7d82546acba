"""Clips composed from real photographs, with the placement as ground truth.

The photographs ship inside the scikit-image wheel (chelsea the cat, a cup of coffee, the astronaut
Eileen Collins), so nothing is downloaded. Every clip yields (bgr, box): box is where the subject
truly is, (x, y, w, h) in pixels, or None while it is outside the picture.
"""

import math
from collections.abc import Iterator

import cv2
import numpy as np
from skimage import data

Clip = Iterator[tuple[np.ndarray, tuple[float, float, float, float] | None]]


def photograph(name: str) -> np.ndarray:
    """One of scikit-image's photographs as BGR."""
    return cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2BGR)


def cover(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The picture scaled and cut to fill `size` (width, height)."""
    width, height = size
    scale = max(width / picture.shape[1], height / picture.shape[0])
    scaled = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    top = (scaled.shape[0] - height) // 2
    left = (scaled.shape[1] - width) // 2
    return scaled[top : top + height, left : left + width].copy()


def recompress(bgr: np.ndarray, quality: int = 80) -> np.ndarray:
    """What is left of a picture after a camera's JPEG."""
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)


def circle(frames: int, size: tuple[int, int], subject: tuple[int, int], turns: float = 1.0):
    """Top-left corners on an ellipse that keeps the subject inside the picture."""
    width, height = size
    reach_x = (width - subject[0]) / 2 * 0.9
    reach_y = (height - subject[1]) / 2 * 0.9
    for i in range(frames):
        angle = 2 * math.pi * turns * i / frames
        x = (width - subject[0]) / 2 + reach_x * math.cos(angle)
        y = (height - subject[1]) / 2 + reach_y * math.sin(angle)
        yield round(x), round(y)


def crossing(frames: int, size: tuple[int, int], subject: tuple[int, int]):
    """Top-left corners from outside on the left to outside on the right."""
    width, height = size
    for i in range(frames):
        x = -subject[0] + (width + subject[0]) * i / (frames - 1)
        y = (height - subject[1]) * (0.5 + 0.3 * math.sin(2 * math.pi * i / frames))
        yield round(x), round(y)


def paste(background: np.ndarray, subject: np.ndarray, x: int, y: int, mask: np.ndarray | None):
    """Pastes what of the subject lies inside; answers the visible part's box, or None."""
    height, width = background.shape[:2]
    x0, y0 = max(0, x), max(0, y)
    x1, y1 = min(width, x + subject.shape[1]), min(height, y + subject.shape[0])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return None
    part = subject[y0 - y : y1 - y, x0 - x : x1 - x]
    target = background[y0:y1, x0:x1]
    if mask is None:
        target[:] = part
    else:
        weight = mask[y0 - y : y1 - y, x0 - x : x1 - x, None]
        target[:] = (part * weight + target * (1 - weight)).astype(np.uint8)
    return float(x0), float(y0), float(x1 - x0), float(y1 - y0)


def moving_cat(
    frames: int = 240,
    size: tuple[int, int] = (640, 360),
    cat_width: int = 200,
    path=circle,
    oval: bool = False,
    noise: float = 0.0,
    empty_first: int = 0,
    light=lambda i: 1.0,
    background: str = "coffee",
    seed: int = 1,
) -> Clip:
    """The cat's photograph moving over the coffee's."""
    random = np.random.default_rng(seed)
    scene = cover(photograph(background), size)
    cat = photograph("chelsea")
    cat = cv2.resize(cat, (cat_width, round(cat_width * cat.shape[0] / cat.shape[1])))
    mask = None
    if oval:
        mask = np.zeros(cat.shape[:2], np.float32)
        half = (cat.shape[1] // 2, cat.shape[0] // 2)
        cv2.ellipse(mask, half, half, 0, 0, 360, 1.0, -1)
    corners = path(frames, size, (cat.shape[1], cat.shape[0]))
    for i in range(empty_first + frames):
        picture = scene.copy()
        box = None
        if i >= empty_first:
            x, y = next(corners)
            box = paste(picture, cat, x, y, mask)
        if light(i) != 1.0:
            picture = np.clip(picture * light(i), 0, 255).astype(np.uint8)
        if noise:
            grain = random.normal(0, noise, picture.shape[:2])[..., None]
            picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
        yield picture, box


# The face in scikit-image's 512 x 512 astronaut, measured by hand: hairline to chin, ear to ear.
ASTRONAUT_FACE = (176.0, 70.0, 100.0, 114.0)


def portrait(frames: int = 120, size: tuple[int, int] = (1280, 720)) -> Clip:
    """The astronaut's portrait panned, zoomed and rotated by up to 4 degrees."""
    picture = photograph("astronaut")
    width, height = size
    x, y, w, h = ASTRONAUT_FACE
    centre = (x + w / 2, y + h / 2)
    corners = np.array([[x, y], [x + w, y], [x, y + h], [x + w, y + h]])
    for i in range(frames):
        phase = 2 * math.pi * i / frames
        zoom = height / picture.shape[0] * (1.25 + 0.25 * math.sin(phase))
        matrix = cv2.getRotationMatrix2D(centre, 4 * math.sin(2 * phase), zoom)
        matrix[0, 2] += width * (0.5 + 0.12 * math.sin(phase)) - centre[0]
        matrix[1, 2] += height * (0.38 + 0.06 * math.cos(phase)) - centre[1]
        warped = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        moved = corners @ matrix[:, :2].T + matrix[:, 2]
        low, high = moved.min(axis=0), moved.max(axis=0)
        yield warped, (low[0], low[1], high[0] - low[0], high[1] - low[1])


def i420(bgr: np.ndarray, stride: int | None = None) -> np.ndarray:
    """The picture as the camera daemon lays it out: BT.601 in the studio range."""
    height, width = bgr.shape[:2]
    packed = cv2.cvtColor(bgr, cv2.COLOR_BGR2YUV_I420).reshape(-1)
    if stride is None or stride == width:
        return packed
    tail = np.zeros(stride * height * 3 // 2, np.uint8)
    luma = stride * height
    tail[:luma].reshape(height, stride)[:, :width] = packed[: width * height].reshape(height, width)
    chroma = tail[luma:].reshape(height, stride // 2)
    chroma[:, : width // 2] = packed[width * height :].reshape(height, width // 2)
    return tail


def iou(a, b) -> float:
    """Intersection over union of two boxes (x, y, w, h)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    inner = width * height
    return inner / (a[2] * a[3] + b[2] * b[3] - inner)
