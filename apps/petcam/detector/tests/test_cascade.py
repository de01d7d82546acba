"""The face cascade on a portrait that is panned, zoomed and turned by up to four degrees."""

from pathlib import Path

import clips
import cv2
import pytest
from conftest import frame_of

from petcam_detector.config_section import ConfigError
from petcam_detector.detectors import cascade
from petcam_detector.detectors.motion import MotionDetector
from petcam_detector.detectors.plugin import MissingPackageError
from petcam_detector.tracker import Tracker


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (512, 512)])
def test_the_face_is_followed_as_one_person(size):
    detector, tracker = MotionDetector({"cascades": ["face"]}), Tracker()
    found, others, ids = 0, 0, []
    for number, (bgr, truth) in enumerate(clips.portrait(120, size)):
        frame = frame_of(bgr, number)
        tracks = tracker.update(detector.detect(frame), frame.capture_ns, frame.size)
        faces = [track for track in tracks if track.label == "face"]
        good = [track for track in faces if clips.iou(track.box, truth) >= 0.5]
        found += bool(good)
        others += len(faces) > len(good)
        ids += [track.id for track in good[:1]]
    assert found >= 0.7 * 120, f"{found} of 120"
    assert sum(a != b for a, b in zip(ids, ids[1:], strict=False)) <= 2
    assert others <= 6


def test_cascades_run_five_times_a_second(monkeypatch):
    detector = MotionDetector({"cascades": ["face"]})
    runs = []
    search = cascade.Cascades._search
    monkeypatch.setattr(
        cascade.Cascades, "_search", lambda *a: (runs.append(a[1].number), search(*a))
    )
    for number, (bgr, _) in enumerate(clips.portrait(60, (512, 512))):
        detector.detect(frame_of(bgr, number))
    assert runs == list(range(0, 60, 6))


def test_nothing_moves_nothing_is_searched(monkeypatch):
    detector = MotionDetector({"cascades": ["face"]})
    empty = clips.cover(clips.photograph("coffee"), (640, 480))
    detector.detect(frame_of(empty))
    monkeypatch.setattr(cascade._Crop, "of", lambda *_: pytest.fail("a cascade ran"))
    for number in range(1, 30):
        assert detector.detect(frame_of(empty, number)) == []


def test_debians_folder_is_looked_at_too(monkeypatch, tmp_path):
    wheel = Path(cv2.data.haarcascades) / cascade.FILES["face"]
    elsewhere = tmp_path / "haarcascades"
    elsewhere.mkdir()
    (elsewhere / cascade.FILES["face"]).write_bytes(wheel.read_bytes())
    monkeypatch.delattr(cv2, "data")
    monkeypatch.setattr(cascade, "FOLDERS", (tmp_path / "missing", elsewhere))
    assert cascade.cascade_file("face") == elsewhere / cascade.FILES["face"]
    MotionDetector({"cascades": ["face"]})


def test_missing_files_are_named_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    monkeypatch.setattr(cascade, "FOLDERS", ())
    with pytest.raises(MissingPackageError, match="opencv-data"):
        MotionDetector({"cascades": ["face"]})


def test_opencv_5_is_told_by_name(monkeypatch):
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(MissingPackageError, match="opencv-python-headless<5"):
        MotionDetector({"cascades": ["cat-face"]})
    MotionDetector({})  # motion itself does not need it


def test_an_unknown_cascade_is_refused():
    with pytest.raises(ConfigError, match="face, cat-face"):
        MotionDetector({"cascades": ["dog-face"]})
