"""Goal: however a benchmark ends, none of its processes and none of its directories stay; and what
makes it end badly after minutes is told before them."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from interrupting import SIGNALS, hear_every_signal

ROOT = Path(__file__).resolve().parent.parent.parent
BENCH = Path(os.environ.get("SBX_BUILD", ROOT / "build" / "dev")) / "bench"

# Against hangs only.
WATCHDOG_S = 60

# Each for minutes if it is let; `cat` is a follower that never gets ready.
LONG = {
    "core": ["bench_core", "--only", "48 B, blocking"],
    "kernel": ["bench_kernel", "--only", "mutex, handed over"],
    "bindings": ["bench_bindings", "--python", "cat", "--go", "cat"],
}
# All processes of it that run at once: who cleans up, the leader, a follower or more.
PROCESSES = {"core": 3, "kernel": 3, "bindings": 4}


@pytest.fixture
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sbx-bench-ends-", dir="/dev/shm") as folder:
        yield Path(folder)


def begin(suite: str, scratch: Path) -> subprocess.Popen[str]:
    """A benchmark that has a session of its own and all its processes."""
    program, *words = LONG[suite]
    process = subprocess.Popen(
        [BENCH / program, *words],
        env=os.environ | {"SBX_SCRATCH": str(scratch)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=hear_every_signal,
    )
    awaited(lambda: len(processes_of(process.pid)) >= PROCESSES[suite])
    return process


def awaited(happens) -> None:
    limit = time.monotonic() + WATCHDOG_S
    while not happens():
        assert time.monotonic() < limit, "it did not come to that"
        time.sleep(0.01)  # other processes come and go without an event that a test could await


def processes_of(session: int) -> list[str]:
    """Those that live. A zombie has ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = path.read_text().rsplit(")", 1)
        except OSError:
            continue
        state, _parent, _group, its_session = fields.split()[:4]
        if int(its_session) == session and state != "Z":
            found.append(name)
    return found


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("suite", LONG)
def test_told_to_end_it_takes_everything_with_it(
    suite: str, number: signal.Signals, scratch: Path
) -> None:
    process = begin(suite, scratch)
    process.send_signal(number)
    assert process.wait(timeout=WATCHDOG_S) == 128 + number
    assert processes_of(process.pid) == []
    assert list(scratch.iterdir()) == []


def test_what_kill_9_left_goes_with_the_next_and_what_is_in_use_stays(scratch: Path) -> None:
    killed = begin("core", scratch)
    runs = begin("kernel", scratch)
    killed.kill()
    killed.wait(timeout=WATCHDOG_S)
    # Its processes are told that it died, and hold the directory until they have followed.
    awaited(lambda: processes_of(killed.pid) == [])
    assert len(list(scratch.iterdir())) == 2
    subprocess.run(
        [BENCH / "bench_core", "--smoke", "--only", "48 B, spinning"],
        env=os.environ | {"SBX_SCRATCH": str(scratch)},
        stdout=subprocess.DEVNULL,
        timeout=WATCHDOG_S,
        check=True,
    )
    assert len(list(scratch.iterdir())) == 1
    runs.terminate()
    runs.wait(timeout=WATCHDOG_S)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("suite", LONG)
def test_report_that_cannot_be_written_is_refused_before_anything_is_measured(suite: str) -> None:
    program, *words = LONG[suite]
    ran = subprocess.run(
        [BENCH / program, *words, "--json", "no/such/folder/report.json"],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=WATCHDOG_S,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr == (
        "bench: cannot write no/such/folder/report.json: No such file or directory\n"
    )
