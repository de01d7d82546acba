"""Lets a run that is told to end take with it what it has begun."""

import signal
from types import FrameType


def end_cleanly_on_signals() -> None:
    """From here on ^C, SIGTERM and SIGHUP raise SystemExit in the main thread, with the status that
    a shell gives one who died of them. What was ignored, as under nohup, stays ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    # A second one must not end the cleaning up.
    for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)
