"""What all end-to-end tests start from: a private place for topics, and demos that end."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from running_demo import PETCAM, RunningDemo

sys.path[:0] = [str(PETCAM / "detector"), str(PETCAM / "launcher")]


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A SIGNALBOX_DIR of the test's own, in memory, for the demo and for the test itself."""
    folder = Path(tempfile.mkdtemp(prefix="petcam-e2e-", dir="/dev/shm"))
    monkeypatch.setenv("SIGNALBOX_DIR", str(folder))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def demo(root: Path) -> Iterator[Callable[..., RunningDemo]]:
    """Starts a demo with these arguments; it is stopped after the test."""
    started: list[RunningDemo] = []

    def start(*arguments: object, environment: dict[str, str] | None = None) -> RunningDemo:
        words = [str(argument) for argument in arguments]
        started.append(RunningDemo(*words, root=root, environment=environment))
        return started[-1].__enter__()

    yield start
    for running in started:
        running.stop()
