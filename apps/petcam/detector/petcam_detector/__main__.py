"""petcam-detector: finds and follows what is in the frames of petcam-camera. See README.md."""

import argparse
import logging
import sys
from pathlib import Path

from . import log

# The exit codes, the same as petcam-camera's.
OK = 0
USAGE = 2  # argparse's own
CONFIGURATION = 3
TOPIC = 4
SYSTEM = 5


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="petcam_detector",
        description="Finds and follows what is in the frames of petcam-camera.",
    )
    parser.add_argument("--config", type=Path, help="petcam.yaml; read again on SIGHUP")
    parser.add_argument(
        "--check-config", action="store_true", help="say whether the configuration is good"
    )
    parser.add_argument(
        "--detector",
        metavar="TYPE",
        help="overrules detector.type; auto: the demo's model for the synthetic room, else motion",
    )
    parser.add_argument("--model", help="a YOLO model in an ONNX file; implies yolo-onnx")
    parser.add_argument("--domain", help="where the topics live; see signalbox")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Runs the daemon; answers its exit code."""
    options = parse(arguments)
    log.start()
    try:
        import cv2
        import signalbox
        import yaml  # noqa: F401
    except ImportError as error:
        logging.error(
            "cannot start: the package %s is missing (%s). Install numpy, "
            "'opencv-python-headless<5', PyYAML and signalbox, or run ./dev setup.",
            error.name,
            error,
        )
        return SYSTEM
    # The pictures are small: threads would cost more than they bring, and wake for nothing.
    cv2.setNumThreads(1)

    from .config import Overrides, load_config
    from .daemon import UNUSABLE, Daemon
    from .detectors.plugin import MissingPackageError
    from .pipeline import Pipeline

    overrides = Overrides(options.detector, options.model, options.domain)
    try:
        config = load_config(options.config, overrides)
        log.set_level(config.log_level)
        if options.check_config:
            Pipeline(config)
            return OK
        Daemon(config, options.config, overrides).run()
    except UNUSABLE as error:
        logging.error("%s", error)
        return SYSTEM if isinstance(error, MissingPackageError) else CONFIGURATION
    except signalbox.SignalboxError as error:
        logging.error("%s", error)
        return TOPIC
    return OK


def entry() -> None:
    """The installed command petcam-detector."""
    sys.exit(main())


if __name__ == "__main__":
    entry()
