"""Lets a run that is told to end take with it what it has begun."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What a delayed() in progress has met: nothing yet, or the first signal. None: none is in progress.
_met: list[int] | None = None


def end_cleanly_on_signals() -> None:
    """From here on ^C, SIGTERM and SIGHUP raise SystemExit in the main thread, with the status that
    a shell gives one who died of them. What was ignored, as under nohup, stays ignored."""
    for number in _SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


@contextlib.contextmanager
def delayed() -> Iterator[None]:
    """A signal that comes in this block raises at its end, and not in it: for starting a process,
    which nobody could end whose name is not yet known. Not in itself. In a thread beside the main
    one, where no signal raises, it does nothing."""
    global _met
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _met = met = []
    try:
        yield
    finally:
        _met = None
    if met:
        raise SystemExit(128 + met[0])


def _end(number: int, _frame: FrameType | None) -> None:
    # A second one must not end the cleaning up.
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    if _met is not None:
        _met.append(number)
        return
    raise SystemExit(128 + number)
