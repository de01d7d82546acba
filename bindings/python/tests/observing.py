"""What tests look at from outside: mappings, descriptors, other processes."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from signalbox import SignalboxError

# Against hangs only; nothing is expected to take long.
WATCHDOG_S = 60.0

POSE = np.dtype([("seq", "u8"), ("xyz", "f8", 3)], align=True)  # 32 bytes: travels in its slot
FRAME = np.dtype([("number", "u8"), ("pixels", "u1", (60, 80))], align=True)  # larger: pinned


@dataclass(frozen=True)
class Place:
    """Where in which file an address lies."""

    path: str
    inode: int
    offset: int
    permissions: str


def place_of(array: np.ndarray) -> Place | None:
    """The file behind an array's memory; None for ordinary memory."""
    address = array.__array_interface__["data"][0]
    for line in Path("/proc/self/maps").read_text().splitlines():
        parts = line.split(maxsplit=5)
        begin, end = (int(part, 16) for part in parts[0].split("-"))
        if begin <= address < end and int(parts[4]) != 0:
            offset = int(parts[2], 16) + address - begin
            return Place(parts[5], int(parts[4]), offset, parts[1])
    return None


def descriptor_count() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def mapping_count() -> int:
    return len(Path("/proc/self/maps").read_text().splitlines())


def eventually(predicate: Callable[[], bool]) -> None:
    """Returns when the predicate holds; fails when it does not within the watchdog's time."""
    pause = threading.Event()
    for _ in range(int(WATCHDOG_S / 0.002)):
        if predicate():
            return
        pause.wait(0.002)
    raise AssertionError(f"still not true after {WATCHDOG_S} s")


def is_asleep(pid: int) -> bool:
    """Whether the main thread of a process sleeps in the kernel."""
    status = Path(f"/proc/{pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "S"


@contextmanager
def refused(code: str) -> Iterator[pytest.ExceptionInfo[SignalboxError]]:
    """The body must fail with this code."""
    with pytest.raises(SignalboxError) as failure:
        yield failure
    assert failure.value.code == code, failure.value


@contextmanager
def start_python(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process of our own, in the test's domain, with pipes to talk to it.

    It is expected to end by itself, at the latest when its input is closed, and killed if the test
    fails before.
    """
    with subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
            if process.stdin is not None and not process.stdin.closed:
                process.stdin.close()
            process.wait(WATCHDOG_S)
        except BaseException:
            process.kill()
            raise


def run_python(code: str, *arguments: str) -> str:
    """What a Python process prints; its failure is the test's."""
    with start_python("-c", code, *arguments) as process:
        output, errors = process.communicate(timeout=WATCHDOG_S)
    assert process.returncode == 0, errors
    return output
