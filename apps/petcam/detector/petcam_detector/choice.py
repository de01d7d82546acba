"""Which detector looks at a source, and what to say when it is not the one wanted."""

import logging
from dataclasses import dataclass

from .config import Config
from .detectors.plugin import Detector, MissingPackageError
from .detectors.table import DETECTORS
from .detectors.yolo_onnx import COLOUR_MODEL
from .messages import SOURCE_SYNTHETIC

log = logging.getLogger(__name__)


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
    """The detector the configuration asks for; `auto` depends on the source.

    The synthetic room gets the colour model, or motion where onnxruntime is missing; everything
    else gets motion. Raises ConfigError, ModelError or MissingPackageError; `auto` never the last.
    """
    if config.type != "auto":
        return Choice(DETECTORS[config.type](config.options[config.type]))
    if source == SOURCE_SYNTHETIC:
        try:
            return Choice(DETECTORS["yolo-onnx"]({"model": str(COLOUR_MODEL)}), demo=True)
        except MissingPackageError as error:
            log.warning("using motion instead: %s", error)
            return Choice(_motion(config), note=f"motion only: {error}")
    return Choice(_motion(config))


def _motion(config: Config) -> Detector:
    return DETECTORS["motion"](config.options["motion"])
