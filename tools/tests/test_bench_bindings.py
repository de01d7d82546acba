"""The benchmark of the bindings runs: every row is measured and printed with numbers that can be.

What the rows say is for people to judge, on a quiet machine; no time is asserted here.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("SBX_BUILD", ROOT / "build" / "dev"))

# Against hangs only.
WATCHDOG_S = 300

ROWS = [
    "Python take, 48 B structured",
    "Python take, 6.2 MB array",
    "Go receive, spinning",
    "Go receive, blocked",
    "Go receive, parked",
]
# Of nobody's making but Go's, so nothing is asked of it.
LIMITS = ["Go pipe, parked"]


def bench(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BUILD / "bench" / "bench_bindings", "--quick", *options],
        capture_output=True,
        text=True,
        timeout=WATCHDOG_S,
        check=False,
    )


def followers(**others: str) -> list[str]:
    programs = {
        "python": f"{sys.executable} {ROOT / 'bench' / 'python_exchange.py'}",
        "go": str(BUILD / "bench" / "go_exchange"),
    } | others
    return [word for name, program in programs.items() for word in (f"--{name}", program)]


def test_every_row_is_measured_and_printed(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ran = bench(*followers(), "--json", str(report))
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    rows = json.loads(report.read_text())["rows"]
    assert [row["case"] for row in rows] == ROWS + LIMITS
    for row in rows:
        assert row["case"] in ran.stdout
        times = [row[side][share] for side in ("ours", "cpp") for share in ("p50_ns", "p99_ns")]
        assert all(math.isfinite(time) for time in [*times, row["difference_ns"]])
        assert row["cpp"]["p50_ns"] > 0
        assert row["cpp"]["p50_ns"] <= row["cpp"]["p99_ns"]
        assert row["ours"]["p50_ns"] <= row["ours"]["p99_ns"]
        assert 1 <= row["windows"] <= 40
        assert row["case"] in LIMITS or row["must_ns"] > 0


def test_follower_that_ends_in_the_middle_ends_the_run(tmp_path: Path) -> None:
    short_lived = tmp_path / "short_lived"
    short_lived.write_text("#!/bin/sh\necho ready\nread command\n")
    short_lived.chmod(0o755)
    ran = bench(*followers(python=str(short_lived)))
    assert ran.returncode != 0
    assert "before its time" in ran.stderr


@pytest.mark.parametrize("language", ["python", "go"])
def test_follower_that_ends_is_named_and_not_waited_for(language: str) -> None:
    ran = bench(*followers(**{language: "/bin/false"}))
    assert ran.returncode != 0
    assert "/bin/false did not get ready" in ran.stderr
