"""Which detector looks at a source, and what to say when it is not the one wanted."""

import logging
from dataclasses import dataclass

from .config import Config
from .detectors.motion import MotionDetector
from .detectors.plugin import Detector, MissingPackageError
from .detectors.table import DETECTORS
from .detectors.yolo_onnx import COLOUR_MODEL, YoloOnnxDetector
from .messages import SOURCE_SYNTHETIC

log = logging.getLogger(__name__)

DEMO_NOTE = (
    "the demo's colour model knows only the built-in scene: name a model of yours with --model or "
    "in detector.yolo-onnx.model"
)


@dataclass(frozen=True)
class Choice:
    """A detector at work.

    `demo`: its labels are only good for the built-in scene. `note`: why it is not the one that was
    wanted, and what to do; empty when it is.
    """

    detector: Detector
    demo: bool = False
    note: str = ""


def choose(config: Config, source: int) -> Choice:
    """The detector the configuration asks for.

    `auto` is the colour model for the synthetic room, or motion where onnxruntime is missing, and
    motion for everything else. Raises ConfigError, ModelError or MissingPackageError; `auto` never
    the last because of onnxruntime.
    """
    if config.type == YoloOnnxDetector.type:
        return _yolo(config, source)
    if config.type != "auto":
        return Choice(_configured(config, config.type))
    if source != SOURCE_SYNTHETIC:
        return Choice(_configured(config, MotionDetector.type))
    try:
        return Choice(YoloOnnxDetector({"model": str(COLOUR_MODEL)}), demo=True)
    except MissingPackageError as error:
        log.warning("using motion instead: %s", error)
        return Choice(_configured(config, MotionDetector.type), note=f"motion only: {error}")


def depends_on_source(config: Config) -> bool:
    """Whether choose() answers differently for the synthetic room."""
    if config.type == YoloOnnxDetector.type:
        return not config.options[config.type].get("model")
    return config.type == "auto"


def _configured(config: Config, kind: str) -> Detector:
    return DETECTORS[kind](config.options[kind])


def _yolo(config: Config, source: int) -> Choice:
    """The model of the configuration, else the demo's, which is of no use outside the demo."""
    options = config.options[YoloOnnxDetector.type]
    if options.get("model"):
        return Choice(YoloOnnxDetector(options))
    detector = YoloOnnxDetector(options | {"model": str(COLOUR_MODEL)})
    note = "" if source == SOURCE_SYNTHETIC else DEMO_NOTE
    return Choice(detector, demo=True, note=note)
