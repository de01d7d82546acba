"""Clips that ffmpeg composes from real photographs, with the placement as ground truth.

The photographs are files inside the scikit-image package: chelsea the cat, a cup of coffee, and the
astronaut Eileen Collins. Every clip is periodic, so that its end runs on into its beginning.
"""

import math
import subprocess
from pathlib import Path

import skimage.data

SIZE = (1280, 720)
RATE = 25

Box = tuple[float, float, float, float]

_PHOTOGRAPHS = Path(skimage.data.__file__).parent
CODECS = {
    ".mp4": ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-pix_fmt", "yuv420p"],
    ".avi": ["-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"],
}


def compose(target: Path, photographs: list[str], graph: str, frames: int) -> None:
    """Runs one filter graph over still photographs; the target's suffix decides the codec."""
    command = ["ffmpeg", "-nostdin", "-y", "-loglevel", "error"]
    for name in photographs:
        still = str(_PHOTOGRAPHS / f"{name}.png")
        command += ["-loop", "1", "-framerate", str(RATE), "-i", still]
    command += ["-filter_complex", graph, "-frames:v", str(frames), *CODECS[target.suffix]]
    subprocess.run([*command, str(target)], check=True)


class MovingCat:
    """The cat's photograph on an ellipse over the coffee's, once around in 240 frames."""

    frames = 240
    width, height = 400, 266

    def write(self, target: Path) -> None:
        width, height = SIZE
        graph = (
            f"[0]scale={width}:-2,crop={width}:{height}[scene];"
            f"[1]scale={self.width}:{self.height}[cat];"
            f"[scene][cat]overlay=eval=frame:x='440+396*cos(2*PI*n/{self.frames})'"
            f":y='227+204*sin(2*PI*n/{self.frames})'"
        )
        compose(target, ["coffee", "chelsea"], graph, self.frames)

    def truth(self, frame: int) -> Box:
        phase = 2 * math.pi * frame / self.frames
        x, y = 440 + 396 * math.cos(phase), 227 + 204 * math.sin(phase)
        return (x, y, self.width, self.height)


class Portrait:
    """The astronaut's portrait panned, zoomed and rotated by up to 4 degrees, in 120 frames."""

    frames = 120
    # Measured by hand in the photograph of 512 x 512: hairline to chin, ear to ear.
    face = (176.0, 70.0, 100.0, 114.0)
    # What is cut out of it before the zoom: 16:9 around the face, five times enlarged.
    cut_top, cut_height, enlarged = 10, 288, 5

    def write(self, target: Path) -> None:
        phase = f"2*PI*on/{self.frames}"
        graph = (
            f"[0]rotate=a='{self._degrees}*PI/180*sin(4*PI*n/{self.frames})':c=gray,"
            f"crop=512:{self.cut_height}:0:{self.cut_top},scale={512 * self.enlarged}:-2,"
            f"zoompan=d=1:fps={RATE}:s={SIZE[0]}x{SIZE[1]}:z='1.3+0.3*sin({phase})'"
            f":x='(iw-iw/zoom)*(0.35+0.25*cos({phase}))':y='(ih-ih/zoom)*(0.3+0.2*sin({phase}))'"
        )
        compose(target, ["astronaut"], graph, self.frames)

    _degrees = 4

    def truth(self, frame: int) -> Box:
        phase = 2 * math.pi * frame / self.frames
        angle = math.radians(self._degrees) * math.sin(2 * phase)
        zoom = 1.3 + 0.3 * math.sin(phase)
        width, height = 512 * self.enlarged, self.cut_height * self.enlarged
        left = (width - width / zoom) * (0.35 + 0.25 * math.cos(phase))
        top = (height - height / zoom) * (0.3 + 0.2 * math.sin(phase))
        scale = SIZE[0] / (width / zoom)
        x, y, w, h = self.face
        points = []
        for px, py in ((x, y), (x + w, y), (x, y + h), (x + w, y + h)):
            # Clockwise about the middle of the photograph, as ffmpeg rotates.
            dx, dy = px - 256, py - 256
            rx = 256 + dx * math.cos(angle) - dy * math.sin(angle)
            ry = 256 + dx * math.sin(angle) + dy * math.cos(angle) - self.cut_top
            points.append(((rx * self.enlarged - left) * scale, (ry * self.enlarged - top) * scale))
        xs, ys = zip(*points, strict=True)
        return (min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes (x, y, w, h)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    inner = width * height
    return inner / (a[2] * a[3] + b[2] * b[3] - inner)
