"""The benchmark of the kernel's wrappers runs: every row is counted and printed, and both sides of
each have really made their calls.

Instructions are the same whatever else the machine does, but not for every compiler and C library:
what the ratios say is for people to judge, and no number is asserted here.
"""

import json
import math
import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("SBX_BUILD", ROOT / "build" / "dev"))

# Against hangs only.
WATCHDOG_S = 300

FACILITIES = [
    "pipe",
    "fifo",
    "unix stream",
    "unix datagram",
    "unix seqpacket",
    "tcp",
    "splice",
    "POSIX queue",
    "System V queue",
    "POSIX semaphore",
    "semaphore set",
    "robust mutex",
    "condition",
    "rwlock",
    "barrier",
    "file lock, flock",
    "file lock, OFD",
    "file lock, byte range",
    "futex",
    "eventfd",
    "timerfd",
    "pidfd",
    "signalfd",
    "io_uring",
    "shared memory map",
    "memfd",
    "mapped file",
]

IDLE = [
    f"{lock}, idle wake-ups a s"
    for lock in ("mutex", "semaphore", "read/write lock", "condition", "barrier")
]

OWN_LOCKS = [
    *IDLE,
    *["mutex, alone"] * 2,
    *["semaphore, alone"] * 4,
    "mutex, handed over",
    "semaphore, handed over",
]

# A sandbox may forbid these; the bench says so and goes on.
MAY_BE_ABSENT = {"io_uring", "POSIX queue"}


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BUILD / "bench" / "bench_kernel", "--smoke", *options],
        capture_output=True,
        text=True,
        timeout=WATCHDOG_S,
        check=False,
    )


def test_every_facility_is_counted_and_printed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = bench("--json", str(report))
    assert ran.returncode == 0, ran.stderr
    rows = json.loads(report.read_text())["rows"]
    left_out = {name for name in MAY_BE_ABSENT if f"{name} is left out" in ran.stderr}
    expected = [f"{name}, instructions" for name in FACILITIES if name not in left_out]
    assert [row["case"] for row in rows] == expected + OWN_LOCKS
    assert all(row["case"] in ran.stdout for row in rows)
    for row in rows[: len(expected)]:
        # Entering the kernel takes five instructions at the least, on either side.
        assert row["ours"]["p50_ns"] >= 5
        assert row["limit"]["p50_ns"] >= 5
        assert math.isclose(row["ratio"], row["ours"]["p50_ns"] / row["limit"]["p50_ns"])
        assert row["must"] == 1.05
    for row in rows[-len(OWN_LOCKS) + len(IDLE) :]:
        assert 0 < row["ours"]["p50_ns"] <= row["ours"]["p99_ns"]
        assert 0 < row["limit"]["p50_ns"] <= row["limit"]["p99_ns"]


def test_row_over_its_must_is_marked() -> None:
    ran = bench("--only", "splice")
    # It holds SIGPIPE back around the call, which five system calls more can only miss.
    assert "MISSED" in ran.stdout


def test_name_that_no_row_has_is_refused() -> None:
    ran = bench("--only", "carrier pigeon")
    assert ran.returncode != 0
    assert 'no row\'s name holds "carrier pigeon"' in ran.stderr
