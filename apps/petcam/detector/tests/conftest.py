"""What the tests share: the package on the path, and a private place for topics."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest

DETECTOR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(DETECTOR))

import clips  # noqa: E402

from petcam_detector.frame import Frame  # noqa: E402
from petcam_detector.messages import FRAME  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    """As the daemon runs: no thread pool inside OpenCV."""
    cv2.setNumThreads(1)


@pytest.fixture
def topics(monkeypatch) -> Path:
    """A private folder for topics, gone after the test; also for the children it starts."""
    folder = Path(tempfile.mkdtemp(prefix="petcam-detector-test-", dir="/dev/shm"))
    monkeypatch.setenv("SIGNALBOX_DIR", str(folder))
    monkeypatch.delenv("SIGNALBOX_DOMAIN", raising=False)
    paths = [str(DETECTOR), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    yield folder
    shutil.rmtree(folder)


FRAME_NS = 1_000_000_000 // 30


def header_of(
    bgr: np.ndarray, number: int = 0, *, source: int = 1, stride: int | None = None
) -> np.ndarray:
    """The header the camera would publish with this picture as frame `number`, 30 a second."""
    header = np.zeros((), FRAME)
    header["height"], header["width"] = bgr.shape[:2]
    header["stride"] = stride or bgr.shape[1]
    header["number"] = number
    header["capture_ns"] = 10**9 + number * FRAME_NS
    header["source"] = source
    header["generation"] = 1
    return header


def frame_of(bgr: np.ndarray, number: int = 0, *, source: int = 1, stride: int | None = None):
    """The picture as a detector sees it."""
    header = header_of(bgr, number, source=source, stride=stride)
    return Frame.from_message(header, clips.i420(bgr, stride))
