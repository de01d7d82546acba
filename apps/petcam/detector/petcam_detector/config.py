"""What the detector is told to do: defaults, then petcam.yaml, then the command line.

One file serves the three daemons. This one reads the sections `common` and `detector`, and refuses
a key in them that it does not know, because a misspelt key would silently do nothing.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from .config_section import ConfigError, Section
from .detectors.table import DETECTORS
from .messages import ZONE_BYTES_MAX
from .tracker import TrackerOptions
from .zones import Zone

SECTIONS = ("common", "camera", "detector", "server")
LOG_LEVELS = ("debug", "info", "warning", "warn", "error", "off")
TYPES = ("auto", *DETECTORS)


@dataclass(frozen=True)
class Config:
    """What the file and the command line say. All but `domain` may change while running."""

    domain: str | None = None  # None: what the environment says
    log_level: str = "info"
    type: str = "auto"
    fps_max: float = 30.0
    still_gate: bool = True
    tracker: TrackerOptions = field(default_factory=TrackerOptions)
    zones: tuple[Zone, ...] = ()
    zone_frames: int = 3
    # Each plug-in's own section, by its type; the plug-in checks it.
    options: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Overrides:
    """What the command line said; it wins over the file, also when the file is read again."""

    type: str | None = None
    model: str | None = None
    domain: str | None = None


def load_config(path: Path | None, overrides: Overrides) -> Config:
    """The configuration of the file, or the defaults without one. Raises ConfigError."""
    values = _read(path) if path else {}
    try:
        return _config(values, overrides)
    except ConfigError as error:
        where = f"{path}: " if path else ""
        raise ConfigError(f"{where}{error}") from None


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text())
    except OSError as error:
        raise ConfigError(
            f"cannot read the configuration {path}: {error.strerror}. Check that it exists and may "
            "be read, or leave out --config for the defaults."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        line = f":{place.line + 1}" if place else ""
        what = getattr(error, "problem", None) or error
        raise ConfigError(f"{path}{line}: this is not YAML: {what}.") from error


def _config(values: Any, overrides: Overrides) -> Config:
    root = Section("", values)
    sections = {name: root.take(name) for name in SECTIONS}
    root.done()
    common = Section("common", sections["common"])
    detector = Section("detector", sections["detector"])
    tracker = detector.section("tracker")
    config = Config(
        domain=_domain(common, overrides),
        log_level=_log_level(common),
        type=_type(detector, overrides),
        fps_max=detector.number("fps_max", 30.0, 0.1, 1000.0),
        still_gate=detector.truth("still_gate", True),
        tracker=TrackerOptions(
            hits_min=int(tracker.number("hits_min", 3, 1, 100)),
            coast_seconds=tracker.number("coast_seconds", 1.0, 0.0, 60.0),
        ),
        zones=_zones(detector.section("zones")),
        zone_frames=int(detector.number("zone_frames", 3, 1, 1000)),
        options={name: _options(detector, name) for name in DETECTORS},
    )
    if overrides.model:
        config.options["yolo-onnx"]["model"] = overrides.model
    for section in (tracker, detector, common):
        section.done()
    return config


def _domain(common: Section, overrides: Overrides) -> str | None:
    configured = common.text("domain", "")
    return overrides.domain or configured or None


def _type(detector: Section, overrides: Overrides) -> str:
    configured = detector.choice("type", "auto", TYPES)
    if overrides.type and overrides.type not in TYPES:
        raise ConfigError(f"--detector: must be one of {', '.join(TYPES)}, not {overrides.type!r}.")
    # Who names a model wants it used.
    return overrides.type or ("yolo-onnx" if overrides.model else configured)


def _log_level(common: Section) -> str:
    # YAML reads a bare `off` as false.
    def read(raw: Any) -> str | None:
        level = "off" if raw is False else raw
        return level if level in LOG_LEVELS else None

    return common.take_as("log_level", "info", "one of " + ", ".join(LOG_LEVELS), read)


def _options(detector: Section, name: str) -> dict[str, Any]:
    raw = detector.take(name)
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ConfigError(f"{detector.key(name)}: must be a section of `key: value` lines.")
    return dict(raw)


def _zones(section: Section) -> tuple[Zone, ...]:
    return tuple(_zone(section.key(str(name)), str(name), raw) for name, raw in section.items())


def _zone(key: str, name: str, raw: Any) -> Zone:
    if not name or len(name.encode()) > ZONE_BYTES_MAX:
        raise ConfigError(f"{key}: a zone's name has 1 to {ZONE_BYTES_MAX} bytes.")
    try:
        corners = np.array(raw, dtype=np.float32)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if (
        corners.ndim != 2
        or corners.shape[0] < 3
        or corners.shape[1] != 2
        or not ((corners >= 0) & (corners <= 1)).all()
    ):
        raise ConfigError(
            f"{key}: must be a list of at least three corners [x, y], each from 0 (left, top) to 1 "
            f"(right, bottom) of the picture, not {raw!r}."
        )
    return Zone(name, corners)
