"""Every test has a signal box of its own: a directory that is empty before and gone after."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> Iterator[None]:
    # Shells start background jobs with SIGINT ignored, and children would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def unless_it_is_gone(
    _remove: object, _path: str, failure: tuple[type, BaseException, object]
) -> None:
    """Objects in cycles are destroyed at any time, and take their files with them."""
    if not isinstance(failure[1], FileNotFoundError):
        raise failure[1]


@pytest.fixture(autouse=True)
def domain_directory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="signalbox-python-", dir="/dev/shm"))
    monkeypatch.setenv("SIGNALBOX_DIR", str(directory))
    monkeypatch.delenv("SIGNALBOX_DOMAIN", raising=False)
    yield directory
    shutil.rmtree(directory, onerror=unless_it_is_gone)
