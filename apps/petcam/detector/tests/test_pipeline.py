"""From frames to tracks: which detector looks, when it need not look, and what a reload changes."""

import sys

import clips
import numpy as np
import pytest
from conftest import FRAME_NS, frame_of
from test_yolo import CAT, room

from petcam_detector.choice import choose
from petcam_detector.config import Config, Overrides, load_config
from petcam_detector.config_section import ConfigError
from petcam_detector.detectors.plugin import MissingPackageError
from petcam_detector.detectors.yolo_layout import ModelError
from petcam_detector.detectors.yolo_onnx import COLOUR_MODEL
from petcam_detector.messages import SOURCE_CAMERA, SOURCE_FILE, SOURCE_SYNTHETIC
from petcam_detector.pipeline import Pipeline

ROOM = clips.cover(clips.photograph("coffee"), (640, 360))


def config(text="", tmp_path=None) -> Config:
    if not text:
        return load_config(None, Overrides())
    path = tmp_path / "petcam.yaml"
    path.write_text(text)
    return load_config(path, Overrides())


def looks(pipeline, monkeypatch):
    """The numbers of the frames the detector at work is asked about."""
    asked = []
    detector = pipeline.choice.detector
    detect = detector.detect
    monkeypatch.setattr(
        detector, "detect", lambda frame: (asked.append(frame.number), detect(frame))[1]
    )
    return asked


# ---- which detector -----------------------------------------------------------------------------


def test_auto_is_the_colour_model_for_the_synthetic_room_only():
    choice = choose(config(), SOURCE_SYNTHETIC)
    assert (choice.detector.type, choice.demo, choice.note) == ("yolo-onnx", True, "")
    for source in (SOURCE_FILE, SOURCE_CAMERA):
        choice = choose(config(), source)
        assert (choice.detector.type, choice.demo) == ("motion", False)


def test_auto_without_onnxruntime_is_motion_and_says_why(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    choice = choose(config(), SOURCE_SYNTHETIC)
    assert (choice.detector.type, choice.demo) == ("motion", False)
    assert "pip install onnxruntime" in choice.note


def test_who_asks_for_yolo_by_name_gets_it_or_an_error(monkeypatch, tmp_path):
    wanted = config(
        f"detector: {{type: yolo-onnx, yolo-onnx: {{model: {COLOUR_MODEL}}}}}", tmp_path
    )
    assert choose(wanted, SOURCE_CAMERA).detector.type == "yolo-onnx"
    assert not choose(wanted, SOURCE_SYNTHETIC).demo
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError):
        choose(wanted, SOURCE_SYNTHETIC)


def test_yolo_without_a_model_is_the_demos_and_says_so(tmp_path):
    wanted = config('detector: {type: yolo-onnx, yolo-onnx: {model: ""}}', tmp_path)
    assert choose(wanted, SOURCE_SYNTHETIC).note == ""
    choice = choose(wanted, SOURCE_CAMERA)
    assert choice.demo
    assert "--model" in choice.note
    pipeline = Pipeline(wanted)
    pipeline.examine(frame_of(ROOM, 0, source=0))
    assert pipeline.choice.note == ""


def test_a_bad_option_ends_the_start_also_for_auto(tmp_path):
    with pytest.raises(ConfigError, match="detector.motion.minarea"):
        Pipeline(config("detector: {motion: {minarea: 1}}", tmp_path))


def test_another_source_gets_another_detector():
    pipeline = Pipeline(config())
    synthetic = [pipeline.examine(frame_of(ROOM, i, source=0)) for i in range(2)]
    file = [pipeline.examine(frame_of(ROOM, i, source=1)) for i in range(2, 4)]
    assert [(e.detector, e.demo) for e in synthetic] == [("yolo-onnx", True)] * 2
    assert [(e.detector, e.demo) for e in file] == [("motion", False)] * 2


# ---- when to look -------------------------------------------------------------------------------


def test_a_still_picture_is_looked_at_five_times_a_second_by_motion(monkeypatch):
    pipeline = Pipeline(config())
    asked = looks(pipeline, monkeypatch)
    for number in range(31):
        pipeline.examine(frame_of(ROOM, number))
    assert asked == [0, 7, 14, 21, 28]  # the first frame that is 0.2 s later


def test_yolo_looks_at_a_still_picture_once_a_second_and_the_track_goes_on(monkeypatch):
    pipeline = Pipeline(config())
    picture = room(cat=(CAT, 400, 300, 200, 120))
    pipeline.examine(frame_of(picture, 0, source=0))
    asked = looks(pipeline, monkeypatch)
    for number in range(1, 91):
        found = pipeline.examine(frame_of(picture, number, source=0))
    assert 2 <= len(asked) <= 4
    assert [(track.id, track.label, track.coasting) for track in found.tracks] == [
        (1, "cat", False)
    ]


def test_a_moving_picture_is_always_looked_at(monkeypatch):
    pipeline = Pipeline(config())
    asked = looks(pipeline, monkeypatch)
    for number, (bgr, _) in enumerate(clips.moving_cat(frames=30)):
        pipeline.examine(frame_of(bgr, number))
    assert asked == list(range(30))


def test_the_gate_can_be_switched_off(monkeypatch, tmp_path):
    pipeline = Pipeline(config("detector: {still_gate: false}", tmp_path))
    asked = looks(pipeline, monkeypatch)
    for number in range(10):
        pipeline.examine(frame_of(ROOM, number))
    assert asked == list(range(10))


def test_fps_max_thins_out_and_does_not_stumble_over_jitter(tmp_path):
    random = np.random.default_rng(1)
    for fps_max, wanted in ((30, 300), (15, 150), (10, 100)):
        pipeline = Pipeline(config(f"detector: {{fps_max: {fps_max}}}", tmp_path))
        frame = frame_of(ROOM)
        taken = 0
        for number in range(300):
            frame.capture_ns = number * FRAME_NS + int(random.integers(-3_000_000, 3_000_000))
            taken += pipeline.wants(frame)
        assert taken == wanted


# ---- what changes -------------------------------------------------------------------------------


def test_a_new_geometry_ends_the_tracks_and_ids_go_on():
    pipeline = Pipeline(config())
    picture = room(cat=(CAT, 200, 100, 200, 120))
    small = room((640, 480), cat=(CAT, 100, 100, 200, 120))
    for number in range(5):
        before = pipeline.examine(frame_of(picture, number, source=0))
    after = [pipeline.examine(frame_of(small, number, source=0)) for number in range(5, 10)]
    assert [track.id for track in before.tracks] == [1]
    assert after[0].tracks == []
    assert [track.id for track in after[-1].tracks] == [2]


def test_a_reload_of_zones_keeps_detector_and_tracks(tmp_path):
    pipeline = Pipeline(config())
    picture = room(cat=(CAT, 400, 300, 200, 120))
    for number in range(5):
        pipeline.examine(frame_of(picture, number, source=0))
    detector = pipeline.choice.detector
    corners = "[[0, 0], [1, 0], [1, 1], [0, 1]]"
    text = f"detector: {{zone_frames: 1, zones: {{room: {corners}}}}}"
    pipeline.reload(config(text, tmp_path))
    found = pipeline.examine(frame_of(picture, 5, source=0))
    assert pipeline.choice.detector is detector
    assert found.zones == {1: "room"}


def test_a_reload_of_the_type_changes_the_detector(tmp_path):
    pipeline = Pipeline(config())
    pipeline.examine(frame_of(ROOM, 0, source=0))
    pipeline.reload(config("detector: {type: motion}", tmp_path))
    assert pipeline.examine(frame_of(ROOM, 1, source=0)).detector == "motion"


def test_a_bad_reload_changes_nothing(tmp_path):
    pipeline = Pipeline(config())
    pipeline.examine(frame_of(ROOM, 0, source=0))
    before = (pipeline.config, pipeline.choice)
    with pytest.raises(ModelError):
        pipeline.reload(
            config("detector: {type: yolo-onnx, yolo-onnx: {model: nowhere}}", tmp_path)
        )
    assert (pipeline.config, pipeline.choice) == before
