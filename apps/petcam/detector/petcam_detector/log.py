"""The log: one line an event on the standard error, in the format of the other daemons."""

import logging
import sys

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        record.levelname = record.levelname.lower()
        return super().format(record)


def start() -> None:
    """Sends everything from `info` on to the standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Lines("%(asctime)s.%(msecs)03d %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def set_level(name: str) -> None:
    """One of debug, info, warning (or warn), error, off."""
    logging.getLogger().setLevel(_LEVELS[name])
