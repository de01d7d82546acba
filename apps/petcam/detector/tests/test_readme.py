"""The README's plug-in works as it stands there."""

import re
import types

import numpy as np
import pytest
import yaml
from conftest import DETECTOR, frame_of

from petcam_detector.config_section import ConfigError
from petcam_detector.detectors.table import DETECTORS
from petcam_detector.detectors.yolo_onnx import COLOUR_MODEL, YoloOnnxDetector

README = (DETECTOR / "README.md").read_text()


def blocks(language: str) -> list[str]:
    """The README's code in one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_plug_in_finds_what_it_says():
    [code] = blocks("python")
    module = types.ModuleType("petcam_detector.detectors.bright")
    module.__package__ = "petcam_detector.detectors"
    exec(compile(code, "README.md", "exec"), module.__dict__)
    picture = np.full((720, 1280, 3), 60, np.uint8)
    picture[396:404, 796:804] = 255
    [box] = module.BrightDetector({}).detect(frame_of(picture))
    assert abs(box.x + box.w / 2 - 800) <= 8
    assert abs(box.y + box.h / 2 - 400) <= 8
    with pytest.raises(ConfigError, match="detector.bright.most"):
        module.BrightDetector({"most": 3})


def test_the_options_of_yolo_are_all_known():

    [text] = blocks("yaml")
    options = yaml.safe_load(text)["detector"]["yolo-onnx"]
    YoloOnnxDetector(options | {"model": str(COLOUR_MODEL)})


def test_every_detector_is_named():
    for kind in DETECTORS:
        assert f"| `{kind}` |" in README
