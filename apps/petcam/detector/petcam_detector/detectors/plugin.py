"""The one interface a detector implements."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from ..frame import Box, Frame


class MissingPackageError(Exception):
    """A detector needs a package this machine has not; the text names it and how to install it."""


class Detector(ABC):
    """Finds boxes in frames. One object sees every examined frame of one source, in order.

    A plug-in is a subclass with a `type`, listed in detectors/table.py. Its constructor takes its
    own section of the configuration and refuses unknown keys with ConfigError; it loads models and
    raises MissingPackageError when a library is not installed. Neither is caught while frames run.
    """

    # What the configuration says after `type:` and what Detections.detector says. At most 16 bytes.
    type: ClassVar[str]

    # A frame that looks like the last examined one is examined again only after this long; in
    # between its boxes are repeated.
    still_seconds: float = 1.0

    @abstractmethod
    def __init__(self, options: Mapping[str, Any]) -> None: ...

    @abstractmethod
    def detect(self, frame: Frame) -> list[Box]:
        """What is in this frame. The frame's arrays must not be kept beyond the call."""

    def reset(self) -> None:  # noqa: B027  (most detectors remember nothing)
        """The source or its geometry changed: forget what earlier frames taught."""
