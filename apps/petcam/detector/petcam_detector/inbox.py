"""Frames as they come: sleeps until there is one, and polls only when sleeping does not work."""

import logging
import os
import select
import time
from enum import Enum

import signalbox

from .messages import FRAME, FRAMES_TOPIC

log = logging.getLogger(__name__)

# After so many failed waits in a row the topic is polled, and after so long waiting is tried again.
ERRORS_MAX = 10
POLL_SECONDS = 0.01
RETRY_SECONDS = 5.0


class Wake(Enum):
    """Why a wait ended."""

    READY = 0
    TIMED_OUT = 1
    INTERRUPTED = 2


class FrameInbox:
    """A subscription to petcam/frames and one sleep on it and on signals.

    `signals` is a descriptor that is readable after a signal (signal.set_wakeup_fd). Sleeping on
    both descriptors at once leaves no moment in which a signal can be missed.
    """

    def __init__(self, signals: int, domain: str | None = None) -> None:
        self._signals = signals
        self._domain = domain
        self._skipped_before = 0
        self._errors = 0
        self._retry_at = 0.0
        self.polling = False
        self.error = ""
        self._frames = self._open()

    def _open(self) -> signalbox.Subscriber:
        frames = signalbox.Subscriber(FRAMES_TOPIC, FRAME, tail=True, domain=self._domain)
        self._poller = select.poll()
        self._poller.register(self._signals, select.POLLIN)
        self._poller.register(frames.fileno(), select.POLLIN)
        return frames

    def close(self) -> None:
        """Leaves the topic."""
        self._frames.close()

    @property
    def note(self) -> str:
        """What is wrong, for people; empty when all is well."""
        if not self.polling:
            return ""
        return (
            f"polls every {POLL_SECONDS * 1e3:.0f} ms because waiting fails ({self.error}); "
            "goes back to waiting by itself"
        )

    @property
    def dropped_count(self) -> int:
        """Frames that were overwritten or passed over."""
        return self._skipped_before + self._frames.lost_count + self._frames.skipped_count

    @property
    def publisher_count(self) -> int:
        """Cameras that are there now."""
        return self._frames.publisher_count

    def take(self) -> signalbox.Sample | None:
        """The newest frame, or None. Until it was None, wait() returns at once."""
        try:
            return self._frames.take_latest()
        except signalbox.SignalboxError as error:
            self._failed(error)
            return None

    def wait(self, seconds: float) -> Wake:
        """Sleeps until there may be a frame, a signal came or the time is over."""
        if self.polling:
            return self._wait_polling(seconds)
        try:
            wake = self._sleep(seconds)
        except OSError as error:
            self._failed(error)
            return Wake.TIMED_OUT
        self._errors = 0
        return wake

    def _sleep(self, seconds: float) -> Wake:
        events = self._poller.poll(max(0.0, seconds) * 1e3)
        wake = Wake.READY if events else Wake.TIMED_OUT
        for descriptor, what in events:
            if descriptor == self._signals:
                _drain(descriptor)
                wake = Wake.INTERRUPTED
            elif not what & select.POLLIN:
                raise OSError(0, f"the descriptor of {FRAMES_TOPIC} reports poll events {what:#x}")
        return wake

    def _wait_polling(self, seconds: float) -> Wake:
        now = time.monotonic()
        if now >= self._retry_at:
            self._retry_at = now + RETRY_SECONDS
            if self._reopen():
                return Wake.READY
        readable, _, _ = select.select([self._signals], [], [], min(seconds, POLL_SECONDS))
        if readable:
            _drain(self._signals)
            return Wake.INTERRUPTED
        return Wake.TIMED_OUT

    def _failed(self, error: Exception) -> None:
        self._errors += 1
        self.error = str(error)
        if self._errors < ERRORS_MAX or self.polling:
            return
        self.polling = True
        self._retry_at = time.monotonic() + RETRY_SECONDS
        log.warning(
            "%d waits for frames failed in a row, the last with: %s. Polling every %.0f ms; "
            "waiting is tried again every %.0f s.",
            self._errors,
            error,
            POLL_SECONDS * 1e3,
            RETRY_SECONDS,
        )

    def _reopen(self) -> bool:
        """Tries a fresh subscription; True when it can be waited on."""
        try:
            fresh = self._open()
            fresh_works = self._probe()
        except (signalbox.SignalboxError, OSError) as error:
            self.error = str(error)
            return False
        old, self._frames = self._frames, fresh
        self._skipped_before += old.lost_count + old.skipped_count
        old.close()
        if fresh_works:
            self.polling = False
            self._errors = 0
            log.info("waiting for frames works again")
        return fresh_works

    def _probe(self) -> bool:
        """One wait of no length on the new subscription; raises OSError if it fails."""
        for descriptor, what in self._poller.poll(0):
            if descriptor != self._signals and not what & select.POLLIN:
                raise OSError(0, f"the descriptor of {FRAMES_TOPIC} reports poll events {what:#x}")
        return True


def _drain(descriptor: int) -> None:
    """Empties the pipe that signals write to; what they were is known to their handlers."""
    try:
        while os.read(descriptor, 512):
            pass
    except BlockingIOError:
        return
