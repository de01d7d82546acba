"""The configuration is strict, and says what is wrong and what would be right."""

from dataclasses import replace
from pathlib import Path

import pytest

from petcam_detector.config import Overrides, load_config
from petcam_detector.config_section import ConfigError
from petcam_detector.detectors.motion import MotionDetector

GOOD = """
common:
  log_level: off
camera:
  whatever: the camera checks this
server:
  port: 8088
detector:
  type: motion
  fps_max: 15
  still_gate: false
  zone_frames: 5
  motion: {min_area: 0.002, cascades: [face]}
  yolo-onnx: {model: cat.onnx}
  tracker: {hits_min: 2, coast_seconds: 0.5}
  zones:
    bowl: [[0.1, 0.6], [0.4, 0.6], [0.4, 1], [0.1, 1]]
    sofa: [[0.5, 0.2], [0.9, 0.2], [0.7, 0.8]]
"""


def load(tmp_path, text, overrides=None):
    path = tmp_path / "petcam.yaml"
    path.write_text(text)
    return load_config(path, overrides or Overrides())


def test_every_key_is_read(tmp_path):
    config = load(tmp_path, GOOD)
    assert config.log_level == "off"
    assert (config.type, config.fps_max, config.still_gate) == ("motion", 15, False)
    assert config.options["motion"] == {"min_area": 0.002, "cascades": ["face"]}
    assert (config.tracker.hits_min, config.tracker.coast_seconds) == (2, 0.5)
    assert [zone.name for zone in config.zones] == ["bowl", "sofa"]
    assert config.zones[0].polygon.shape == (4, 2)
    assert config.zone_frames == 5


@pytest.mark.parametrize("text", ["", "detector:\n", "camera: {source: synthetic}\n"])
def test_nothing_said_is_the_default(tmp_path, text):
    config = load(tmp_path, text)
    assert (config.type, config.fps_max, config.still_gate) == ("auto", 30, True)
    assert config == load_config(None, Overrides())


def test_the_command_line_wins(tmp_path):
    config = load(tmp_path, GOOD, Overrides(type="auto", model="dog.onnx"))
    assert config.type == "auto"
    assert config.options["yolo-onnx"]["model"] == "dog.onnx"


def test_the_reference_is_true():
    """Every key in petcam.yaml is known here, and shows the default."""
    reference = load_config(Path(__file__).parents[2] / "petcam.yaml", Overrides())
    default = load_config(None, Overrides())
    assert [zone.name for zone in reference.zones] == ["bowl"]
    same = replace(reference, zones=(), options=default.options)
    assert same == default
    MotionDetector(reference.options["motion"])


def test_a_domain_is_where_the_environment_says_unless_named(tmp_path):
    assert load(tmp_path, "common: {domain: ''}").domain is None
    assert load(tmp_path, "common: {domain: lab}").domain == "lab"
    assert load(tmp_path, "common: {domain: lab}", Overrides(domain="x")).domain == "x"


def test_the_detector_of_the_command_line_must_exist():
    with pytest.raises(ConfigError, match="--detector: must be one of auto, motion, yolo-onnx"):
        load_config(None, Overrides(type="yolo"))


def test_who_names_a_model_wants_it_used(tmp_path):
    assert load(tmp_path, "", Overrides(model="dog.onnx")).type == "yolo-onnx"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("detektor: {}", "detektor: unknown key. Did you mean 'detector'?"),
        ("detector: {fps: 5}", "detector.fps: unknown key. Did you mean 'fps_max'?"),
        ("common: {loglevel: info}", "common.loglevel: unknown key"),
        ("detector: {tracker: {hits: 3}}", "detector.tracker.hits: unknown key"),
        ("common: {log_level: loud}", "one of debug, info, warning, warn, error, off, not 'loud'"),
        ("common: {domain: 5}", "common.domain: must be text"),
        ("detector: {type: yolo}", "one of auto, motion, yolo-onnx, not 'yolo'"),
        ("detector: {fps_max: fast}", "detector.fps_max: must be a number from 0.1 to 1000"),
        ("detector: {fps_max: true}", "must be a number"),
        ("detector: {fps_max: .nan}", "must be a number"),
        ("detector: {still_gate: maybe}", "true or false, not 'maybe'"),
        ("detector: {motion: 3}", "detector.motion: must be a section"),
        ("detector: [1]", "detector: must be a section"),
        ("detector: {zones: {bowl: [[0, 0], [1, 1]]}}", "at least three corners"),
        ("detector: {zones: {bowl: [[0, 0], [1, 1], [2, 0]]}}", "detector.zones.bowl"),
        ("detector: {zones: {bowl: near the door}}", "at least three corners"),
        ("detector: {zones: {a-name-of-17-bytes: [[0, 0], [1, 1], [1, 0]]}}", "1 to 16 bytes"),
        ("- a\n- list", "must be a section"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, says):
    with pytest.raises(ConfigError) as refused:
        load(tmp_path, text)
    assert says in str(refused.value)
    assert "petcam.yaml" in str(refused.value)


def test_no_yaml_is_told_with_its_line(tmp_path):
    with pytest.raises(ConfigError, match=r"petcam.yaml:2: this is not YAML"):
        load(tmp_path, "detector:\n\ttype: motion\n")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match="cannot read the configuration .*nowhere.yaml"):
        load_config(tmp_path / "nowhere.yaml", Overrides())
